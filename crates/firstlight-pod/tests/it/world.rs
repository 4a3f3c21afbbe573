//! A fair world around `decide`: it does the worker's part (fold, hand out, publish) and the runtime's part (answer
//! what was asked after a while), in imagined time.

mod manners;
mod record;
mod runtime;

use crate::laws;
use firstlight_pod::event::{Exit, StartFailure};
use firstlight_pod::report::{Report, of_event, of_wait};
use firstlight_pod::spec::SourceRef;
use firstlight_pod::status::Condition;
use firstlight_pod::{Event, Millis, Now, Plan, Seen, Spec, Status, Wait, decide};
pub(crate) use manners::Manners;
use std::collections::BTreeMap;

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
    /// What the API was told.
    pub(crate) api: Status,
    /// What of that is on its disk.
    durable: Status,
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
            durable: Status::default(),
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
            Event::Starting { .. } | Event::Retired { .. } | Event::RestartAll { .. } => true,
            Event::HookDone { .. } | Event::Probed { .. } | Event::ProbeWarned { .. } => true,
            Event::StartFailed { failure, .. } => *failure != StartFailure::Config,
            Event::VolumesReady { .. }
            | Event::VolumesFailed { .. }
            | Event::VolumeUsed { .. }
            | Event::SandboxReady { .. }
            | Event::SandboxFailed { .. }
            | Event::SandboxGone { .. }
            | Event::Pulling { .. }
            | Event::ImageReady { .. }
            | Event::ImageFailed { .. }
            | Event::NotAhead { .. }
            | Event::Asked { .. }
            | Event::Said { .. }
            | Event::Written
            | Event::Deletion { .. }
            | Event::Source { .. } => false,
        });
        self.seen = self.known_to_the_next();
        let before = std::mem::replace(&mut self.api, self.durable.clone());
        let turned = self.turns(Vec::new());
        if compares {
            laws::unchanged_by_a_restart(&before, &turned[0].plan.status);
        }
        turned
    }

    /// Whether an engine that began now has all that it takes to say what this one says.
    fn next_engine_says_the_same(&self) -> bool {
        !self.rebooted && self.deletion.is_none() && self.api == self.durable
    }

    /// What an engine that began now would know: the API and the journal.
    fn known_to_the_next(&self) -> Seen {
        let mut seen = Seen::default();
        let conditions = self.durable.conditions.iter().chain(&self.gates).cloned().collect();
        let status = Status { conditions, ..self.durable.clone() };
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

    /// The API holds this from the beginning.
    pub(crate) fn api_holds(&mut self, status: Status) {
        self.durable.clone_from(&status);
        self.api = status;
    }

    /// The disk takes writes again.
    pub(crate) fn disk_goes_on(&mut self) -> Vec<Turned> {
        self.manners.disk_stopped = false;
        self.turns(Vec::new())
    }

    /// The disk is quick, where it takes writes: what was said is written before anything else happens. Whether
    /// something waited for that.
    fn writes(&mut self) -> bool {
        if self.manners.disk_stopped {
            return false;
        }
        self.durable.clone_from(&self.api);
        let waited = self.seen.waits_to_be_written();
        if waited {
            self.seen.fold(&Event::Written);
        }
        waited
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
            if plan.status != self.api {
                self.laws.said(&self.spec, &self.api, &plan.status, self.now);
                let said = Event::Said { status: Box::new(plan.status.clone()), at: self.now };
                reports.extend(of_event(&self.spec, &self.seen, &said));
                self.seen.fold(&said);
                self.api = plan.status.clone();
            }
            for action in &plan.actions {
                self.laws.asked(&self.spec, &action.what, self.now);
                let asked = Event::Asked { what: action.what.clone(), at: self.now };
                reports.extend(of_event(&self.spec, &self.seen, &asked));
                self.seen.fold(&asked);
                self.perform(&action.what);
            }
            for wait in &plan.waits {
                if !self.known_waits.contains(wait) {
                    reports.extend(of_wait(&self.spec, wait));
                }
            }
            self.known_waits.clone_from(&plan.waits);
            self.wake = plan.wake;
            let written = self.writes();
            let quiet = plan.actions.is_empty() && !written;
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
}
