//! What does a sandbox's own process do? One step at a time, each written down before it is told.

use super::{Due, Kernel, Program, digest};
use crate::flaw::Flaw;
use firstlight_pod::event::{Exit, Hook, Instance, ProbeKind, StartFailure, StopReason};
use firstlight_pod::{Event, Millis, Now};
use std::collections::BTreeMap;

/// A sandbox and what is in it.
pub(super) struct Sandbox {
    pub(super) attempt: u32,
    /// A number that no other sandbox of this life has: generations count anew where nothing is left of the one before.
    serial: u64,
    /// Whether its process lives.
    pub(super) alive: bool,
    /// What happened in it, as the next engine is told.
    pub(super) journal: Vec<Event>,
    containers: BTreeMap<Instance, Container>,
}

#[derive(Debug, Clone, Copy)]
enum Container {
    Created(Program),
    Starting(Program),
    Running { program: Program, since: Now, ends: Option<(Now, i32)> },
    Over,
}

/// What it was asked, or what befalls it.
#[derive(Debug)]
pub(super) enum Step {
    /// It is up.
    Ready,
    /// Create a container.
    Create { instance: Instance, image: String, program: Program, refused: bool },
    /// Remove one that was not started.
    Discard(Instance),
    /// Start one.
    Start(Instance),
    /// Its process runs.
    Started(Instance),
    /// Its process ends by itself at this time, unless it ended before.
    Ends(Instance, Now),
    /// Send a signal: whether it kills.
    Signal(Instance, bool),
    /// Write down why one is to end.
    Retire(Instance, StopReason),
    /// Write down that everything is to run again.
    RestartAll(u32, Instance),
    /// A hook ended.
    HookDone(Instance, Hook, Result<(), String>),
    /// A probe was tried.
    Probed(Instance, ProbeKind, Result<(), String>),
    /// End everything.
    End,
}

impl Sandbox {
    pub(super) fn new(attempt: u32, serial: u64) -> Sandbox {
        Sandbox { attempt, serial, alive: true, journal: Vec::new(), containers: BTreeMap::new() }
    }

    fn runs(&self, instance: &Instance) -> bool {
        matches!(self.containers.get(instance), Some(Container::Running { .. }))
    }
}

impl Kernel {
    pub(super) fn step(&mut self, uid: &str, attempt: u32, step: Step) {
        let now = self.now;
        let Some(sandbox) = self.living(uid, attempt) else { return };
        match step {
            Step::Ready => {
                let event = Event::SandboxReady {
                    attempt,
                    pod_ip: format!("10.88.0.{}", 2 + attempt % 200),
                    host_ip: "10.88.0.1".to_owned(),
                    at: now,
                };
                self.write(uid, event);
            }
            Step::Create { instance, image, program, refused } => {
                if sandbox.containers.contains_key(&instance) {
                    return;
                }
                let event = if refused {
                    let (failure, message) = (StartFailure::Create, "no space".to_owned());
                    Event::StartFailed { instance, failure, message, at: now }
                } else {
                    sandbox.containers.insert(instance.clone(), Container::Created(program));
                    Event::Created { id: id(&instance), instance, image_id: digest(&image), user: None, at: now }
                };
                self.write(uid, event);
            }
            Step::Discard(instance) => {
                if let Some(Container::Created(_)) = sandbox.containers.get(&instance) {
                    sandbox.containers.remove(&instance);
                    self.write(uid, Event::Discarded { instance });
                }
            }
            Step::Start(instance) => {
                let Some(Container::Created(program)) = sandbox.containers.get(&instance).copied() else { return };
                sandbox.containers.insert(instance.clone(), Container::Starting(program));
                let serial = sandbox.serial;
                self.witness.starts(uid, serial, &instance, now.0);
                self.write(uid, Event::Starting { instance: instance.clone(), at: now });
                let takes = self.luck.about(super::STEP);
                self.then(uid, attempt, takes, Step::Started(instance));
            }
            Step::Started(instance) => self.started(uid, attempt, instance),
            Step::Ends(instance, at) => {
                if let Some(Container::Running { ends: Some((due, code)), .. }) = sandbox.containers.get(&instance)
                    && *due == at
                {
                    let code = *code;
                    self.exits(uid, &instance, code);
                }
            }
            Step::Signal(instance, kill) => self.signal(uid, attempt, instance, kill),
            Step::Retire(instance, reason) => {
                if sandbox.runs(&instance) {
                    self.write(uid, Event::Retired { instance, reason, at: now });
                }
            }
            Step::RestartAll(walk, because) => {
                let begun = |event: &Event| matches!(event, Event::RestartAll { walk: begun, .. } if *begun >= walk);
                if !sandbox.journal.iter().any(begun) {
                    self.witness.begins_again(uid);
                    self.write(uid, Event::RestartAll { walk, because, at: now });
                }
            }
            Step::HookDone(instance, hook, outcome) => {
                let outcome = if sandbox.runs(&instance) { outcome } else { Err("it has ended".to_owned()) };
                self.write(uid, Event::HookDone { instance, hook, outcome, at: now });
            }
            Step::Probed(instance, probe, outcome) => {
                let outcome = if sandbox.runs(&instance) { outcome } else { Err("it has ended".to_owned()) };
                let id = self.pods[uid].id.clone();
                self.told.push((id, Event::Probed { instance, probe, outcome, at: now }));
            }
            Step::End => self.ends(uid, attempt),
        }
    }

    fn started(&mut self, uid: &str, attempt: u32, instance: Instance) {
        let (now, calm, swallows) = (self.now, self.calm, self.flaw == Some(Flaw::SwallowsAStart));
        let fails = self.goes_wrong(20);
        let mut luck = self.luck.clone();
        let Some(sandbox) = self.living(uid, attempt) else { return };
        let Some(Container::Starting(program)) = sandbox.containers.get(&instance).copied() else { return };
        if fails {
            sandbox.containers.insert(instance.clone(), Container::Over);
            self.witness.ends(uid, &instance, Some(128));
            let (failure, message) = (StartFailure::Run, "exec format error".to_owned());
            return self.write(uid, Event::StartFailed { instance, failure, message, at: now });
        }
        let ends = program.ends(calm, &mut luck).map(|(takes, code)| (now.plus(Millis(takes.0 + 1)), code));
        sandbox.containers.insert(instance.clone(), Container::Running { program, since: now, ends });
        self.luck = luck;
        if let Some((at, _)) = ends {
            self.then(uid, attempt, at.since(now), Step::Ends(instance.clone(), at));
        }
        if !(swallows && self.luck.happens(100)) {
            self.write(uid, Event::Started { instance, at: now });
        }
    }

    fn signal(&mut self, uid: &str, attempt: u32, instance: Instance, kill: bool) {
        let (now, cannot) = (self.now, self.flaw == Some(Flaw::CannotKill));
        let mut luck = self.luck.clone();
        let Some(sandbox) = self.living(uid, attempt) else { return };
        let Some(Container::Running { program, ends, .. }) = sandbox.containers.get_mut(&instance) else { return };
        let asked = match kill {
            true if cannot => None,
            true => Some((luck.about(Millis(10)), 137)),
            false => program.stops(&mut luck),
        };
        let Some((takes, code)) = asked else {
            self.luck = luck;
            return;
        };
        let at = now.plus(Millis(takes.0 + 1));
        // The earliest end is the end.
        let sooner = ends.is_none_or(|(due, _)| at < due);
        if sooner {
            *ends = Some((at, code));
        }
        self.luck = luck;
        if sooner {
            self.then(uid, attempt, at.since(now), Step::Ends(instance, at));
        }
    }

    fn exits(&mut self, uid: &str, instance: &Instance, code: i32) {
        let (now, invents) = (self.now, self.flaw == Some(Flaw::InventsACode));
        let Some(sandbox) = self.pods.get_mut(uid).and_then(|pod| pod.sandbox.as_mut()) else { return };
        let Some(Container::Running { since, .. }) = sandbox.containers.insert(instance.clone(), Container::Over)
        else {
            return;
        };
        self.witness.ends(uid, instance, Some(code));
        let code = if invents && code == 1 { 0 } else { code };
        let exit = Exit { code, id: id(instance), started_at: since, finished_at: now, ..Exit::default() };
        self.write(uid, Event::Exited { instance: instance.clone(), exit });
    }

    /// Ends everything in the sandbox, and the sandbox.
    fn ends(&mut self, uid: &str, attempt: u32) {
        let Some(sandbox) = self.living(uid, attempt) else { return };
        let running: Vec<Instance> = sandbox.containers.keys().filter(|of| sandbox.runs(of)).cloned().collect();
        let starting = |container: &Container| matches!(container, Container::Starting(_));
        let begun: Vec<Instance> =
            sandbox.containers.iter().filter(|(_, c)| starting(c)).map(|(of, _)| of.clone()).collect();
        for instance in &running {
            self.exits(uid, instance, 137);
        }
        for instance in &begun {
            self.witness.ends(uid, instance, Some(137));
        }
        self.write(uid, Event::SandboxGone { attempt, at: self.now });
        self.is_gone(uid, attempt);
    }

    /// The sandbox's process is killed, and what runs in it with it: nobody sees their ends.
    pub(super) fn sandbox_dies(&mut self, uid: &str) {
        let (now, leaves) = (self.now, self.flaw == Some(Flaw::LeavesARunner));
        let Some(sandbox) = self.pods.get_mut(uid).and_then(|pod| pod.sandbox.as_mut()) else { return };
        if !sandbox.alive {
            return;
        }
        let attempt = sandbox.attempt;
        let mut unseen = Vec::new();
        for (instance, container) in &mut sandbox.containers {
            let since = match container {
                Container::Running { since, .. } => *since,
                Container::Starting(_) => {
                    unseen.push(Event::Started { instance: instance.clone(), at: now });
                    now
                }
                Container::Created(_) | Container::Over => continue,
            };
            *container = Container::Over;
            if !leaves {
                self.witness.ends(uid, instance, None);
            }
            let exit = Exit {
                code: 255,
                unknown: true,
                id: id(instance),
                started_at: since,
                finished_at: now,
                ..Exit::default()
            };
            unseen.push(Event::Exited { instance: instance.clone(), exit });
        }
        unseen.push(Event::SandboxGone { attempt, at: now });
        for event in unseen {
            self.write(uid, event);
        }
        self.is_gone(uid, attempt);
    }

    fn is_gone(&mut self, uid: &str, attempt: u32) {
        if let Some(sandbox) = self.living(uid, attempt) {
            sandbox.alive = false;
            let serial = sandbox.serial;
            self.witness.gone(uid, serial);
        }
    }

    fn living(&mut self, uid: &str, attempt: u32) -> Option<&mut Sandbox> {
        let sandbox = self.pods.get_mut(uid)?.sandbox.as_mut()?;
        (sandbox.attempt == attempt && sandbox.alive).then_some(sandbox)
    }

    /// Writes an event down, then tells it.
    fn write(&mut self, uid: &str, event: Event) {
        let Some(pod) = self.pods.get_mut(uid) else { return };
        if let Some(sandbox) = &mut pod.sandbox {
            sandbox.journal.push(event.clone());
        }
        self.told.push((pod.id.clone(), event));
    }

    fn then(&mut self, uid: &str, sandbox: u32, takes: Millis, step: Step) {
        self.do_in(takes, Due::Step { uid: uid.to_owned(), sandbox, step });
    }
}

fn id(instance: &Instance) -> String {
    format!("{}-{}", instance.container, instance.attempt)
}
