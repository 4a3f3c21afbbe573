//! What must hold in every life, whatever happens. Every world, of stories and of random lives, is watched by this.

use firstlight_pod::action::{Do, Signal};
use firstlight_pod::event::{Event, Hook, Instance, StartFailure, StopReason};
use firstlight_pod::spec::{Init, RestartPolicy};
use firstlight_pod::status::{ContainerStatus, State};
use firstlight_pod::{Millis, Now, Plan, Seen, Spec, Status, decide};
use std::collections::{BTreeMap, BTreeSet};

/// What was asked and told so far, as far as the laws need it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    sandbox: Option<u32>,
    live: BTreeMap<String, u32>,
    starting: BTreeSet<Instance>,
    started: BTreeSet<Instance>,
    created: BTreeSet<Instance>,
    /// Regular inits done in this sandbox.
    done: BTreeSet<String>,
    /// Containers that have started in this sandbox.
    begun: BTreeSet<String>,
    deleted: bool,
    /// What was asked and is not answered; an engine's restart forgets it.
    under_way: Vec<Do>,
    /// When this engine began, and the deletion it knows.
    began: Now,
    deletion: Option<(Now, Millis)>,
    /// What was asked to be created ahead in this sandbox.
    ahead: BTreeSet<Instance>,
    stopped: BTreeMap<Instance, Now>,
    killed: BTreeSet<Instance>,
    /// What could not be created at its turn, and when.
    refused: BTreeMap<Instance, Now>,
    /// What is being stopped for its own sake, and why.
    retired: BTreeMap<String, StopReason>,
    /// What runs, or may, although all containers are being restarted.
    old: BTreeSet<Instance>,
    /// Which containers only look into the pod.
    ephemerals: BTreeSet<String>,
    /// What was stopped for its own sake and has not started again.
    owed: BTreeMap<String, StopReason>,
}

impl Watch {
    pub(crate) fn engine_restarts(&mut self, now: Now) {
        self.began = now;
        self.ahead.clear();
        self.under_way.clear();
        self.stopped.clear();
        self.killed.clear();
    }

    /// The journal was cut: this container's newest start never was.
    pub(crate) fn never_started(&mut self, container: &str) {
        if let Some(attempt) = self.live.remove(container) {
            self.started.remove(&Instance { container: container.to_owned(), attempt });
        }
    }

    pub(crate) fn told(&mut self, event: &Event) {
        match event {
            Event::SandboxReady { attempt, .. } => {
                self.sandbox = Some(*attempt);
                self.created.clear();
                self.ahead.clear();
                self.done.clear();
                self.begun.clear();
                self.under_way.retain(|what| !matches!(what, Do::CreateSandbox { .. }));
            }
            Event::SandboxFailed { .. } => {
                self.under_way.retain(|what| !matches!(what, Do::CreateSandbox { .. }));
            }
            Event::SandboxGone { .. } => {
                self.sandbox = None;
                self.live.clear();
                self.retired.clear();
                self.refused.clear();
                self.old.clear();
                self.starting.clear();
                self.under_way.clear();
            }
            Event::VolumesReady { .. } | Event::VolumesFailed { .. } => {
                self.under_way.retain(|what| !matches!(what, Do::PrepareVolumes { .. }));
            }
            Event::Created { instance, .. } => {
                assert!(self.created.insert(instance.clone()), "two containers are created as {instance:?}");
                self.answered(instance);
            }
            Event::Discarded { instance } => {
                self.created.remove(instance);
                self.refused.remove(instance);
                self.answered(instance);
            }
            Event::Started { instance, .. } => {
                assert!(self.started.insert(instance.clone()), "{instance:?} starts twice");
                self.starting.remove(instance);
                self.live.insert(instance.container.clone(), instance.attempt);
                if !self.old.contains(instance) {
                    self.begun.insert(instance.container.clone());
                }
                self.owed.remove(&instance.container);
                self.answered(instance);
            }
            Event::Retired { instance, reason, .. } => {
                if self.live.get(&instance.container) == Some(&instance.attempt) {
                    self.retired.insert(instance.container.clone(), *reason);
                }
                self.answered(instance);
            }
            Event::RestartAll { .. } => {
                let live = self.live.iter().map(|(name, attempt)| Instance { container: name.clone(), attempt: *attempt });
                let all = live.chain(self.starting.iter().cloned());
                self.old = all.filter(|instance| !self.ephemerals.contains(&instance.container)).collect();
                self.done.clear();
                self.begun.clear();
                // They come again with all others.
                self.retired.clear();
                self.owed.clear();
                self.under_way.retain(|what| !matches!(what, Do::RestartAll { .. }));
            }
            Event::Exited { instance, .. } if self.old.remove(instance) => {
                self.live.remove(&instance.container);
                self.retired.remove(&instance.container);
                self.answered(instance);
            }
            Event::Exited { instance, exit } => {
                self.live.remove(&instance.container);
                self.owed.extend(self.retired.remove(&instance.container).map(|why| (instance.container.clone(), why)));
                if exit.code == 0 && !exit.oom {
                    self.done.insert(instance.container.clone());
                }
                self.answered(instance);
            }
            Event::StartFailed { instance, failure: StartFailure::Run, .. } => {
                self.starting.remove(instance);
                self.old.remove(instance);
                self.owed.remove(&instance.container);
                self.answered(instance);
            }
            Event::StartFailed { instance, failure: StartFailure::Create, at, .. } => {
                self.starting.remove(instance);
                self.old.remove(instance);
                if !self.ahead.contains(instance) {
                    self.refused.insert(instance.clone(), *at);
                }
                self.answered(instance);
            }
            Event::ImageReady { instance, .. }
            | Event::ImageFailed { instance, .. }
            | Event::NotAhead { instance }
            | Event::StartFailed { instance, .. } => {
                self.starting.remove(instance);
                self.answered(instance);
            }
            Event::HookDone { instance, hook, .. } => self.under_way.retain(
                |what| !matches!(what, Do::Hook { instance: of, hook: which, .. } if of == instance && which == hook),
            ),
            Event::ProbeWarned { .. } => {}
            Event::Probed { instance, probe, .. } => self.under_way.retain(
                |what| !matches!(what, Do::Probe { instance: of, probe: which, .. } if of == instance && which == probe),
            ),
            Event::Deletion { at, grace } => {
                self.deleted = true;
                let (first, known) = *self.deletion.get_or_insert((*at, *grace));
                self.deletion = Some((first, known.min(at.plus(*grace).since(first))));
            }
            Event::Asked { .. }
            | Event::Said { .. }
            | Event::Written
            | Event::Source { .. }
            | Event::VolumeUsed { .. }
            | Event::Pulling { .. }
            | Event::Starting { .. } => {}
        }
    }

    fn answered(&mut self, instance: &Instance) {
        self.under_way.retain(|what| match what {
            Do::Pull { instance: of, .. }
            | Do::Create { instance: of, .. }
            | Do::Discard { instance: of }
            | Do::Start { instance: of }
            | Do::Retire { instance: of, .. } => of != instance,
            Do::PrepareVolumes { .. }
            | Do::CreateSandbox { .. }
            | Do::Hook { .. }
            | Do::Probe { .. }
            | Do::RestartAll { .. }
            | Do::Signal { .. }
            | Do::RemoveSandbox { .. }
            | Do::Forget => true,
        });
    }

    pub(crate) fn planned(&self, spec: &Spec, seen: &Seen, now: Now, plan: &Plan) {
        assert_eq!(*plan, decide(spec, seen, now), "the same input gives the same plan");
        if let Some(wake) = plan.wake {
            assert!(wake > now, "the wake {wake:?} is not after {now:?}");
        }
        for wait in &plan.waits {
            if let Some(until) = wait.until {
                assert!(until > now, "it waits for a time that is over: {wait:?}");
                assert!(plan.wake.is_some_and(|wake| wake <= until), "it sleeps past {wait:?}");
            }
        }
        let over = plan.status.phase.is_terminal() && self.sandbox.is_none() && !self.deleted;
        let forgotten = self.under_way.contains(&Do::Forget);
        if plan.actions.is_empty() && !over && !forgotten {
            assert!(!plan.waits.is_empty(), "nothing is done and nothing is waited for: {:?}", plan.status);
        }
        if plan.actions.iter().any(|action| matches!(action.what, Do::RemoveSandbox { .. } | Do::Forget)) {
            assert_eq!(plan.actions.len(), 1, "the sandbox and the pod go last and alone: {:?}", plan.actions);
        }
        for action in &plan.actions {
            assert!(!action.why.0.is_empty(), "no reason for {:?}", action.what);
        }
        if plan.status.phase.is_terminal() {
            assert!(self.live.is_empty(), "the pod is over while {:?} run", self.live);
        }
    }

    pub(crate) fn asked(&mut self, spec: &Spec, what: &Do, now: Now) {
        assert!(!self.under_way.contains(what), "asked again while under way: {what:?}");
        self.ephemerals.extend(spec.ephemerals.iter().map(|ephemeral| ephemeral.container.name.clone()));
        let begins = matches!(what, Do::Start { .. } | Do::Create { .. } | Do::Pull { .. } | Do::Retire { .. });
        assert!(!begins || self.old.is_empty(), "{what:?} while {:?} are still there (RST-13)", self.old);
        match what {
            Do::Start { instance } => self.starts(spec, instance),
            Do::Create { instance, sandbox, ahead, .. } => {
                let first = !*ahead || self.ahead.insert(instance.clone());
                assert!(first, "{instance:?} is asked for ahead of its turn again");
                assert!(!self.deleted, "{instance:?} is created for a pod that is being deleted");
                assert_eq!(Some(*sandbox), self.sandbox, "{instance:?} is created in a sandbox that is not there");
            }
            Do::Pull { instance, .. } => {
                assert!(!self.deleted, "{what:?} after deletion");
                let refused = self.refused.remove(instance);
                let early = refused.is_some_and(|at| now < at.plus(Millis::secs(10)));
                assert!(!early, "{instance:?} is tried again before its time (SYN-10)");
            }
            Do::CreateSandbox { .. } => assert!(!self.deleted, "{what:?} after deletion"),
            Do::Signal { instance, signal } => self.signals(spec, instance, signal, now),
            Do::RemoveSandbox { .. } => {
                assert!(self.live.is_empty(), "the sandbox goes while {:?} run", self.live);
                assert!(self.starting.is_empty(), "the sandbox goes while {:?} start", self.starting);
            }
            Do::Forget => assert!(self.deleted && self.sandbox.is_none(), "forgotten too early"),
            Do::Hook { instance, hook, .. } => {
                assert_eq!(self.live.get(&instance.container), Some(&instance.attempt), "{hook:?} of what is not live");
                assert!(!self.old.contains(instance), "{hook:?} of {instance:?}, which has no time left (RST-12)");
                if *hook == Hook::PreStop {
                    self.stopped.entry(instance.clone()).or_insert(now);
                }
            }
            Do::PrepareVolumes { .. } | Do::Discard { .. } | Do::Probe { .. } | Do::Retire { .. } => {}
            Do::RestartAll { .. } => {
                assert!(!self.deleted, "all containers of a pod that is being deleted are restarted")
            }
        }
        match what {
            Do::Signal { .. } => {}
            Do::PrepareVolumes { .. }
            | Do::CreateSandbox { .. }
            | Do::Pull { .. }
            | Do::Create { .. }
            | Do::Discard { .. }
            | Do::Start { .. }
            | Do::Hook { .. }
            | Do::Probe { .. }
            | Do::Retire { .. }
            | Do::RestartAll { .. }
            | Do::RemoveSandbox { .. }
            | Do::Forget => self.under_way.push(what.clone()),
        }
    }

    fn starts(&mut self, spec: &Spec, instance: &Instance) {
        let name = &instance.container;
        assert!(!self.deleted, "{instance:?} starts in a pod that is being deleted");
        assert!(self.created.contains(instance), "{instance:?} starts before it is created");
        assert!(!self.live.contains_key(name), "{name} starts while it runs");
        assert!(!self.starting.iter().any(|other| other.container == *name), "{name} starts while it starts");
        if self.ephemerals.contains(name) {
            assert_eq!(instance.attempt, 0, "{name} only looks into the pod, and starts again");
            self.starting.insert(instance.clone());
            return;
        }
        let index = spec.inits.iter().position(|init| init.container().name == *name);
        for before in spec.inits.iter().take(index.unwrap_or(spec.inits.len())) {
            let before_name = &before.container().name;
            match before {
                Init::Once(_) => {
                    assert!(self.done.contains(before_name), "{name} starts before init {before_name} is done");
                }
                Init::Sidecar(_) => {
                    assert!(self.begun.contains(before_name), "{name} starts before sidecar {before_name}");
                }
            }
        }
        if index.is_some_and(|index| matches!(spec.inits[index], Init::Once(_))) {
            assert!(!self.done.contains(name), "init {name} runs again in the same sandbox");
        }
        let main = spec.mains.iter().position(|main| main.name == *name);
        for before in spec.mains.iter().take(main.unwrap_or(0)) {
            let starting = self.starting.iter().any(|other| other.container == before.name);
            assert!(!starting || self.begun.contains(name), "{name} starts while {} does", before.name);
        }
        self.starting.insert(instance.clone());
    }

    fn signals(&mut self, spec: &Spec, instance: &Instance, signal: &Signal, now: Now) {
        assert_eq!(self.live.get(&instance.container), Some(&instance.attempt), "{signal:?} to what is not live");
        match signal {
            Signal::Stop => {
                let since = *self.stopped.entry(instance.clone()).or_insert(now);
                let sidecar = spec
                    .inits
                    .iter()
                    .any(|init| matches!(init, Init::Sidecar(container) if container.name == instance.container));
                let (at, grace) = self.deletion.unwrap_or((now, spec.grace));
                if self.deleted
                    && sidecar
                    && !self.old.contains(instance)
                    && since >= at
                    && now < at.max(self.began).plus(grace)
                {
                    let main = spec.mains.iter().find(|main| self.live.contains_key(&main.name));
                    assert!(main.is_none(), "a sidecar stops before main {}", main.unwrap().name);
                }
            }
            Signal::Kill => {
                assert!(self.killed.insert(instance.clone()), "{instance:?} is killed twice");
                assert!(self.stopped.contains_key(instance), "{instance:?} is killed before it was asked to stop");
            }
        }
    }

    pub(crate) fn said(&mut self, spec: &Spec, before: &Status, after: &Status, now: Now) {
        if before.phase.is_terminal() {
            assert_eq!(before.phase, after.phase, "a final phase changed");
        }
        let holds = |status: &Status, kind: &str| status.conditions.iter().any(|c| c.kind == kind && c.holds);
        let initialized = |status: &Status| holds(status, "Initialized");
        assert!(!initialized(before) || initialized(after), "Initialized fell back (CON-10)");
        fresh_pods_wait_in_order(spec, after);
        assert!(before.start_time.is_none() || before.start_time == after.start_time, "the start time changed");
        for status in everyone(after) {
            let known = everyone(before).find(|known| known.name == status.name);
            let count = known.map_or(0, |known| known.restart_count);
            assert!(status.restart_count >= count, "the restart count of {} fell", status.name);
            assert!(
                !status.ready || !matches!(status.state, State::Waiting { .. }),
                "{} waits and is ready",
                status.name
            );
        }
        for (before, after) in pairs(before, after) {
            let since = if before.holds == after.holds { before.since } else { now };
            assert_eq!(since, after.since, "the time of {} moves when it changes, and only then (CON-7)", after.kind);
        }
        if after.phase.is_terminal() && !before.phase.is_terminal() && !self.deleted {
            self.settles_its_debts(spec, after);
        }
        if holds(after, "Ready") {
            assert!(after.mains.iter().all(|main: &ContainerStatus| main.ready), "Ready, but a main is not");
        }
        assert_eq!(after.inits.len(), spec.inits.len());
        assert_eq!(after.mains.len(), spec.mains.len());
        assert_eq!(after.ephemerals.len(), spec.ephemerals.len());
    }
}

impl Watch {
    /// REG-3, REG-4: what was stopped for its own sake runs again, whatever happens to engines meanwhile, before its pod
    /// can be over for any reason of the mains.
    fn settles_its_debts(&self, spec: &Spec, after: &Status) {
        let otherwise = matches!(after.reason.as_str(), "DeadlineExceeded" | "SandboxLost");
        let init_failed = spec.inits.iter().zip(&after.inits).any(|(init, status)| match (init, &status.state) {
            (Init::Once(_), State::Terminated(ended)) => ended.code != 0 || ended.reason == "OOMKilled",
            (Init::Once(_) | Init::Sidecar(_), _) => false,
        });
        if otherwise || init_failed {
            return;
        }
        for main in &spec.mains {
            let never = main.restart.unwrap_or(spec.restart) == RestartPolicy::Never;
            let comes_again = match self.owed.get(&main.name) {
                Some(StopReason::Changed) => true,
                Some(StopReason::Startup | StopReason::Liveness) => !never,
                Some(StopReason::PostStart) | None => false,
            };
            assert!(!comes_again, "the pod is over and owes {} a restart", main.name);
        }
    }
}

/// KRE-5: what runs is told by the next engine as it was by the one before.
pub(crate) fn unchanged_by_a_restart(before: &Status, after: &Status) {
    if before.start_time.is_none() {
        return;
    }
    assert_eq!(before.phase, after.phase, "an engine restart changed the phase");
    for status in everyone(before) {
        let now = everyone(after).find(|now| now.name == status.name).unwrap();
        assert_eq!(status.restart_count, now.restart_count, "an engine restart changed a count");
        if matches!(status.state, State::Running { .. }) {
            assert_eq!(status, now, "an engine restart changed what is told of a running container");
        }
    }
    for (before, after) in pairs(before, after) {
        assert_eq!((&before.kind, before.holds), (&after.kind, after.holds), "an engine restart changed a condition");
    }
}

fn pairs<'a>(
    before: &'a Status,
    after: &'a Status,
) -> impl Iterator<Item = (&'a firstlight_pod::status::Condition, &'a firstlight_pod::status::Condition)> {
    after
        .conditions
        .iter()
        .filter_map(|new| before.conditions.iter().find(|old| old.kind == new.kind).map(|old| (old, new)))
}

fn everyone(status: &Status) -> impl Iterator<Item = &ContainerStatus> {
    status.inits.iter().chain(&status.mains).chain(&status.ephemerals)
}

/// CON-10, of pods none of whose containers ran twice: nobody is told to be further than the first init that is not done.
fn fresh_pods_wait_in_order(spec: &Spec, told: &Status) {
    let anew = |status: &ContainerStatus| status.restart_count > 0 || status.last.is_some();
    if told.phase.is_terminal() || everyone(told).any(anew) || told.inits.len() != spec.inits.len() {
        return;
    }
    let done = |(init, status): &(&Init, &ContainerStatus)| match init {
        Init::Once(_) => {
            matches!(&status.state, State::Terminated(ended) if ended.code == 0 && ended.reason != "OOMKilled")
        }
        // One that started lets its successors begin, and may have ended since.
        Init::Sidecar(_) => !matches!(status.state, State::Waiting { .. }),
    };
    let behind = spec.inits.iter().zip(&told.inits).skip_while(done).skip(1).map(|(_, status)| status);
    let undone = spec.inits.iter().zip(&told.inits).any(|step| !done(&step));
    for status in behind.chain(told.mains.iter().filter(|_| undone)) {
        let waits = matches!(&status.state, State::Waiting { reason, .. } if reason == "PodInitializing");
        assert!(waits, "{} is told as {:?} although an init before it is not done (CON-10)", status.name, status.state);
    }
}

/// A pod of two inits and a main, as told, and whether the watch takes it for possible.
fn is_possible(before: &Status, after: &Status) -> bool {
    let inits = ["a", "b"].map(|name| Init::Once(crate::pods::container(name)));
    let spec = crate::pods::pod(RestartPolicy::Always, inits.into(), vec![crate::pods::container("m")]);
    let watch = std::panic::AssertUnwindSafe(|| Watch::default().said(&spec, before, after, Now(0)));
    std::panic::catch_unwind(watch).is_ok()
}

#[test]
fn b12_the_invariants_of_a_fresh_pod_are_held_against_what_is_told() {
    let waits = || State::Waiting { reason: "PodInitializing".to_owned(), message: String::new() };
    let runs = || State::Running { since: Now(0) };
    let done = || {
        State::Terminated(firstlight_pod::status::Terminated { reason: "Completed".to_owned(), ..Default::default() })
    };
    let status = |name: &str, state: State| ContainerStatus { name: name.to_owned(), state, ..Default::default() };
    let told = |a: State, b: State, m: State, initialized: bool| Status {
        inits: vec![status("a", a), status("b", b)],
        mains: vec![status("m", m)],
        conditions: vec![firstlight_pod::status::Condition {
            kind: "Initialized".to_owned(),
            holds: initialized,
            reason: String::new(),
            message: String::new(),
            since: Now(0),
        }],
        ..Default::default()
    };
    let nothing = Status::default();
    assert!(is_possible(&nothing, &told(runs(), waits(), waits(), false)));
    assert!(is_possible(&nothing, &told(done(), done(), runs(), true)));
    assert!(!is_possible(&nothing, &told(runs(), runs(), waits(), false)), "the second init beside the first");
    assert!(!is_possible(&nothing, &told(done(), runs(), runs(), false)), "a main beside an init");
    assert!(!is_possible(&nothing, &told(runs(), done(), waits(), false)), "an init that was done before its turn");
    let initialized = told(done(), done(), runs(), true);
    assert!(!is_possible(&initialized, &told(done(), done(), runs(), false)), "Initialized falls back");
}
