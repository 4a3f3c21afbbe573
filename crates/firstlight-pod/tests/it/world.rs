//! A fair world around `decide`: it does the worker's part (fold, hand out, publish) and the runtime's part (answer
//! what was asked after a while), in imagined time.

use crate::laws;
use firstlight_pod::action::{Do, Signal};
use firstlight_pod::event::{Exit, Hook, ImageFailure, Instance, ProbeKind, StartFailure};
use firstlight_pod::report::{Report, of_event, of_wait};
use firstlight_pod::spec::{Handler, SourceRef};
use firstlight_pod::status::Condition;
use firstlight_pod::{Event, Millis, Now, Plan, Seen, Spec, Status, Wait, decide};
use std::collections::{BTreeMap, BTreeSet};

/// How this world answers.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// How long everything takes that the runtime does.
    pub(crate) delay: u64,
    /// Images that cannot be had, and why.
    pub(crate) images: BTreeMap<String, (ImageFailure, String)>,
    /// Images not on this machine, and how long their pull takes.
    pub(crate) absent: BTreeMap<String, u64>,
    /// Containers that cannot be created or started, and why.
    pub(crate) refused: BTreeMap<String, (StartFailure, String)>,
    /// Probes that fail.
    pub(crate) failing: BTreeSet<(String, ProbeKind)>,
    /// Hooks that fail (`Some`) or never end (`None`).
    pub(crate) hooks: BTreeMap<(String, Hook), Option<String>>,
    /// How a container ends when asked to stop: code and time; `None` if it ignores that.
    pub(crate) stops: BTreeMap<String, Option<(i32, u64)>>,
    /// Sandboxes cannot be made.
    pub(crate) no_sandbox: Option<String>,
    /// Volumes that cannot be set up, and why.
    pub(crate) volumes: Option<(String, String)>,
    /// How long each instance of a container runs, and its code, if it ends by itself.
    pub(crate) runs: BTreeMap<String, (u64, i32)>,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            delay: 1,
            images: BTreeMap::new(),
            absent: BTreeMap::new(),
            refused: BTreeMap::new(),
            failing: BTreeSet::new(),
            hooks: BTreeMap::new(),
            stops: BTreeMap::new(),
            no_sandbox: None,
            volumes: None,
            runs: BTreeMap::new(),
        }
    }
}

/// What one turn of the worker came to.
pub(crate) struct Turned {
    pub(crate) at: Now,
    pub(crate) plan: Plan,
    pub(crate) reports: Vec<Report>,
}

pub(crate) struct World {
    pub(crate) spec: Spec,
    pub(crate) seen: Seen,
    pub(crate) now: Now,
    pub(crate) manners: Manners,
    /// What the API holds.
    pub(crate) api: Status,
    /// Conditions that others wrote into the status.
    pub(crate) gates: Vec<Condition>,
    pub(crate) deletion: Option<(Now, Millis)>,
    pub(crate) forgotten: bool,
    pub(crate) laws: laws::Watch,
    sources: BTreeMap<SourceRef, Option<BTreeMap<String, Vec<u8>>>>,
    /// What will be told, by time and order.
    queue: BTreeMap<(Now, u64), Event>,
    order: u64,
    /// What the latest sandbox wrote down.
    pub(crate) journal: Vec<Event>,
    /// What runs: its number and since when.
    pub(crate) processes: BTreeMap<String, (u32, Now)>,
    known_waits: Vec<Wait>,
    rebooted: bool,
    wake: Option<Now>,
}

impl World {
    pub(crate) fn new(spec: Spec) -> World {
        World {
            spec,
            seen: Seen::default(),
            now: Now(0),
            manners: Manners::default(),
            api: Status::default(),
            gates: Vec::new(),
            deletion: None,
            forgotten: false,
            laws: laws::Watch::default(),
            sources: BTreeMap::new(),
            queue: BTreeMap::new(),
            order: 0,
            journal: Vec::new(),
            processes: BTreeMap::new(),
            known_waits: Vec::new(),
            rebooted: false,
            wake: None,
        }
    }

    /// The worker begins, or begins again after its engine was killed: it knows the API and the journal.
    pub(crate) fn begin(&mut self) -> Vec<Turned> {
        let compares = self.next_engine_says_the_same();
        self.laws.engine_restarts(self.now);
        // What the engine itself was doing dies with it; what the sandbox's own process does goes on.
        self.queue.retain(|_, event| match event {
            Event::Created { .. } | Event::Discarded { .. } | Event::Started { .. } | Event::Exited { .. } => true,
            Event::Retired { .. } | Event::HookDone { .. } | Event::Probed { .. } => true,
            Event::StartFailed { failure, .. } => *failure != StartFailure::Config,
            Event::VolumesReady { .. }
            | Event::VolumesFailed { .. }
            | Event::SandboxReady { .. }
            | Event::SandboxFailed { .. }
            | Event::SandboxGone { .. }
            | Event::Pulling { .. }
            | Event::ImageReady { .. }
            | Event::ImageFailed { .. }
            | Event::NotAhead { .. }
            | Event::Asked { .. }
            | Event::Said { .. }
            | Event::Deletion { .. }
            | Event::Source { .. } => false,
        });
        self.seen = self.known_to_the_next();
        let before = self.api.clone();
        let turned = self.turns(Vec::new());
        if compares {
            laws::unchanged_by_a_restart(&before, &turned[0].plan.status);
        }
        turned
    }

    /// Whether an engine that began now has all that it takes to say what this one says.
    fn next_engine_says_the_same(&self) -> bool {
        !self.rebooted && self.deletion.is_none() && !self.laws.starts_something()
    }

    /// What an engine that began now would know: the API and the journal.
    fn known_to_the_next(&self) -> Seen {
        let mut seen = Seen::default();
        let conditions = self.api.conditions.iter().chain(&self.gates).cloned().collect();
        let status = Status { conditions, ..self.api.clone() };
        seen.fold(&Event::Said { status: Box::new(status), at: self.now });
        for source in self.spec.sources() {
            let content = self.sources.get(&source).cloned().flatten();
            seen.fold(&Event::Source { source, content });
        }
        if let Some((at, grace)) = self.deletion {
            seen.fold(&Event::Deletion { at, grace });
        }
        for event in self.journal.clone() {
            seen.fold(&event);
        }
        seen
    }

    /// Lets time pass until `until`, with everything that happens meanwhile.
    pub(crate) fn pass(&mut self, until: Now) -> Vec<Turned> {
        let mut turned = Vec::new();
        loop {
            let told = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next = [told, self.wake].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until && !self.forgotten) else { break };
            self.now = self.now.max(next);
            let mut events = Vec::new();
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
                events.push(entry.remove());
            }
            turned.extend(self.happen(events));
        }
        self.now = until;
        turned
    }

    /// Events from the runtime arrive now.
    pub(crate) fn happen(&mut self, events: Vec<Event>) -> Vec<Turned> {
        let mut reports = Vec::new();
        for event in &events {
            self.remember(event);
            self.laws.told(event);
            reports.extend(of_event(&self.spec, &self.seen, event));
            self.seen.fold(event);
        }
        self.turns(reports)
    }

    pub(crate) fn source(&mut self, source: SourceRef, content: Option<BTreeMap<String, Vec<u8>>>) -> Vec<Turned> {
        self.sources.insert(source.clone(), content.clone());
        self.happen(vec![Event::Source { source, content }])
    }

    pub(crate) fn delete(&mut self, grace: Millis) -> Vec<Turned> {
        let (at, known) = *self.deletion.get_or_insert((self.now, grace));
        self.deletion = Some((at, known.min(self.now.plus(grace).since(at))));
        self.happen(vec![Event::Deletion { at: self.now, grace }])
    }

    /// A process ends by itself.
    pub(crate) fn exit(&mut self, container: &str, exit: Exit) -> Vec<Turned> {
        match self.exited(container, exit) {
            Some(event) => self.happen(vec![event]),
            None => Vec::new(),
        }
    }

    /// The sandbox dies by itself; what ran in it cannot tell its end.
    pub(crate) fn sandbox_dies(&mut self) -> Vec<Turned> {
        match self.lose_sandbox() {
            Some(gone) => self.happen(vec![gone]),
            None => Vec::new(),
        }
    }

    /// The machine stops and comes back: what ran is gone, what was written down says so.
    pub(crate) fn reboot(&mut self) -> Vec<Turned> {
        if let Some(gone) = self.lose_sandbox() {
            self.laws.told(&gone);
            self.journal.push(gone);
        }
        self.begin_knowing_less()
    }

    /// The worker begins again, and the journal says less than the API was told.
    pub(crate) fn begin_knowing_less(&mut self) -> Vec<Turned> {
        self.rebooted = true;
        let turned = self.begin();
        self.rebooted = false;
        turned
    }

    fn lose_sandbox(&mut self) -> Option<Event> {
        let attempt = match (self.journal.first(), self.journal.last()) {
            (_, Some(Event::SandboxGone { .. })) => return None,
            (Some(Event::SandboxReady { attempt, .. }), _) => *attempt,
            _ => return None,
        };
        self.processes.clear();
        self.queue.retain(|_, event| matches!(event, Event::VolumesReady { .. } | Event::VolumesFailed { .. }));
        Some(Event::SandboxGone { attempt, at: self.now })
    }

    /// Decides until nothing more is done now.
    pub(crate) fn turns(&mut self, mut reports: Vec<Report>) -> Vec<Turned> {
        let mut turned = Vec::new();
        for _ in 0..10 {
            let plan = decide(&self.spec, &self.seen, self.now);
            self.laws.planned(&self.spec, &self.seen, self.now, &plan);
            for action in &plan.actions {
                self.laws.asked(&self.spec, &action.what, self.now);
                let asked = Event::Asked { what: action.what.clone(), at: self.now };
                reports.extend(of_event(&self.spec, &self.seen, &asked));
                self.seen.fold(&asked);
                self.perform(&action.what);
            }
            if plan.status != self.api {
                self.laws.said(&self.spec, &self.api, &plan.status, self.now);
                let said = Event::Said { status: Box::new(plan.status.clone()), at: self.now };
                reports.extend(of_event(&self.spec, &self.seen, &said));
                self.seen.fold(&said);
                self.api = plan.status.clone();
            }
            for wait in &plan.waits {
                if !self.known_waits.contains(wait) {
                    reports.extend(of_wait(&self.spec, wait));
                }
            }
            self.known_waits.clone_from(&plan.waits);
            self.wake = plan.wake;
            let quiet = plan.actions.is_empty();
            turned.push(Turned { at: self.now, plan, reports: std::mem::take(&mut reports) });
            if quiet {
                if self.next_engine_says_the_same() {
                    let next = decide(&self.spec, &self.known_to_the_next(), self.now);
                    laws::unchanged_by_a_restart(&self.api, &next.status);
                }
                return turned;
            }
        }
        panic!("at {} ms: it never stops deciding: {:?}", self.now.0, turned.last().map(|turned| &turned.plan));
    }

    /// Doing again what is under way changes nothing: it is told once.
    fn tell_in(&mut self, delay: u64, event: Event) {
        if self.queue.values().any(|known| answers_the_same(known, &event)) {
            return;
        }
        self.order += 1;
        self.queue.insert((self.now.plus(Millis(delay)), self.order), event);
    }

    fn remember(&mut self, event: &Event) {
        match event {
            Event::SandboxReady { .. } => self.journal = vec![event.clone()],
            Event::Created { .. }
            | Event::Discarded { .. }
            | Event::Retired { .. }
            | Event::StartFailed { failure: StartFailure::Create | StartFailure::Run, .. }
            | Event::Exited { .. }
            | Event::SandboxGone { .. } => {
                self.journal.push(event.clone());
            }
            // The sandbox's own process knows of the commands it ran, and of no hook over the network.
            Event::HookDone { instance, hook, .. } if self.runs_command(instance, *hook) => {
                self.journal.push(event.clone());
            }
            Event::Started { instance, at } => {
                self.journal.push(event.clone());
                self.processes.insert(instance.container.clone(), (instance.attempt, *at));
                if let Some((length, code)) = self.manners.runs.get(&instance.container).copied() {
                    let exit = self.exit_of(instance, *at, at.plus(Millis(length)), code);
                    let length = length.max(1);
                    self.tell_in(length, Event::Exited { instance: instance.clone(), exit });
                }
            }
            _ => {}
        }
        if let Event::Exited { instance, .. } = event {
            self.processes.remove(&instance.container);
        }
    }

    fn runs_command(&self, instance: &Instance, hook: Hook) -> bool {
        let container = self.spec.container(&instance.container);
        let handler = container.and_then(|container| match hook {
            Hook::PostStart => container.post_start.as_ref(),
            Hook::PreStop => container.pre_stop.as_ref(),
        });
        matches!(handler, Some(Handler::Exec(_)))
    }

    fn exit_of(&self, instance: &Instance, started_at: Now, finished_at: Now, code: i32) -> Exit {
        Exit { code, id: id(instance), started_at, finished_at, ..Exit::default() }
    }

    fn exited(&self, container: &str, exit: Exit) -> Option<Event> {
        let (attempt, since) = *self.processes.get(container)?;
        let instance = Instance { container: container.to_owned(), attempt };
        let exit = Exit { id: id(&instance), started_at: since, finished_at: self.now, ..exit };
        Some(Event::Exited { instance, exit })
    }

    /// Does what is asked: tells its outcome after a while.
    fn perform(&mut self, what: &Do) {
        let delay = self.manners.delay;
        let at = self.now.plus(Millis(delay));
        let event = match what.clone() {
            Do::PrepareVolumes { .. } => match self.manners.volumes.clone() {
                Some((volume, message)) => Event::VolumesFailed { volume, message, at },
                None => Event::VolumesReady { at },
            },
            Do::CreateSandbox { attempt, .. } => match self.manners.no_sandbox.clone() {
                Some(message) => Event::SandboxFailed { attempt, message, at },
                None => Event::SandboxReady {
                    attempt,
                    pod_ip: format!("10.0.0.{}", attempt + 2),
                    host_ip: "10.0.0.1".to_owned(),
                    at,
                },
            },
            Do::Pull { instance, image, .. } => return self.pull(instance, image),
            Do::Create { instance, launch, ahead, .. } => {
                // What an engine that died asked to create is created once.
                if self.queue.values().any(|event| answers_creation(event, &instance)) {
                    return;
                }
                let absent =
                    self.manners.absent.contains_key(&launch.image) || self.manners.images.contains_key(&launch.image);
                match self.manners.refused.get(&instance.container).cloned() {
                    _ if ahead && absent => Event::NotAhead { instance },
                    Some((failure, message)) if failure != StartFailure::Run => {
                        Event::StartFailed { instance, failure, message, at }
                    }
                    _ => Event::Created { id: id(&instance), instance, image_id: digest(&launch.image), at },
                }
            }
            Do::Discard { instance } => {
                // What an engine that died asked to start is not discarded under its feet.
                let starts = |event: &Event| matches!(event, Event::Started { instance: of, .. } if *of == instance);
                let runs = self.processes.get(&instance.container).is_some_and(|(n, _)| *n == instance.attempt);
                if runs || self.queue.values().any(starts) {
                    return;
                }
                Event::Discarded { instance }
            }
            Do::Start { instance } => match self.manners.refused.get(&instance.container).cloned() {
                Some((StartFailure::Run, message)) => {
                    Event::StartFailed { instance, failure: StartFailure::Run, message, at }
                }
                _ => Event::Started { instance, at },
            },
            Do::Hook { instance, hook, .. } => {
                match self.manners.hooks.get(&(instance.container.clone(), hook)).cloned() {
                    Some(None) => return,
                    Some(Some(message)) => Event::HookDone { instance, hook, outcome: Err(message), at },
                    None => Event::HookDone { instance, hook, outcome: Ok(()), at },
                }
            }
            Do::Probe { instance, probe, .. } => {
                let fails = self.manners.failing.contains(&(instance.container.clone(), probe));
                let outcome = if fails { Err("connection refused".to_owned()) } else { Ok(()) };
                Event::Probed { instance, probe, outcome, at }
            }
            Do::Retire { instance, reason } => Event::Retired { instance, reason, at },
            Do::Signal { instance, signal } => return self.signal(&instance, &signal),
            Do::RemoveSandbox { attempt } => {
                self.processes.clear();
                // What an engine that died asked to start does not start any more.
                self.queue.retain(|_, event| !matches!(event, Event::Started { .. }));
                Event::SandboxGone { attempt, at }
            }
            Do::Forget => {
                self.forgotten = true;
                return;
            }
        };
        self.tell_in(delay, event);
    }

    fn pull(&mut self, instance: Instance, image: String) {
        let (now, delay) = (self.now, self.manners.delay);
        if let Some((failure, message)) = self.manners.images.get(&image).cloned() {
            let at = now.plus(Millis(delay));
            self.tell_in(delay, Event::ImageFailed { instance, image, failure, message, at });
            return;
        }
        let image_id = digest(&image);
        let Some(took) = self.manners.absent.remove(&image) else {
            let at = now.plus(Millis(delay));
            self.tell_in(delay, Event::ImageReady { instance, image, image_id, pulled: None, at });
            return;
        };
        let at = now.plus(Millis(delay));
        self.tell_in(delay, Event::Pulling { instance: instance.clone(), image: image.clone(), at });
        let (pulled, at) = (Some((Millis(took), 1_000_000)), now.plus(Millis(took)));
        self.tell_in(took, Event::ImageReady { instance, image, image_id, pulled, at });
    }

    fn signal(&mut self, instance: &Instance, signal: &Signal) {
        let Some((attempt, since)) = self.processes.get(&instance.container).copied() else { return };
        if attempt != instance.attempt {
            return;
        }
        let (code, after) = match signal {
            Signal::Kill => (137, 1),
            Signal::Stop => match self.manners.stops.get(&instance.container) {
                Some(None) => return,
                Some(Some(end)) => *end,
                None => (143, 10),
            },
        };
        // The earliest end is the end.
        let until = self.now.plus(Millis(after));
        let sooner = |event: &Event| match event {
            Event::Exited { instance: of, exit } => of == instance && exit.finished_at <= until,
            _ => false,
        };
        if self.queue.values().any(sooner) {
            return;
        }
        self.queue.retain(|_, event| !matches!(event, Event::Exited { instance: of, .. } if of == instance));
        let exit = self.exit_of(instance, since, until, code);
        self.tell_in(after, Event::Exited { instance: instance.clone(), exit });
    }
}

fn id(instance: &Instance) -> String {
    format!("{}-{}", instance.container, instance.attempt)
}

fn digest(image: &str) -> String {
    format!("sha256:{image}")
}

fn answers_creation(event: &Event, instance: &Instance) -> bool {
    match event {
        Event::Created { instance: of, .. } | Event::StartFailed { instance: of, .. } => of == instance,
        _ => false,
    }
}

fn answers_the_same(a: &Event, b: &Event) -> bool {
    match (a, b) {
        (Event::Created { instance: a, .. }, Event::Created { instance: b, .. })
        | (Event::Started { instance: a, .. }, Event::Started { instance: b, .. })
        | (Event::Retired { instance: a, .. }, Event::Retired { instance: b, .. })
        | (Event::Discarded { instance: a }, Event::Discarded { instance: b }) => a == b,
        (Event::HookDone { instance: a, hook: which_a, .. }, Event::HookDone { instance: b, hook: which_b, .. }) => {
            a == b && which_a == which_b
        }
        _ => false,
    }
}
