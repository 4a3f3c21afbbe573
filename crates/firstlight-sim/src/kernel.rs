//! What would the runtime answer? A machine that runs no process: actions in, events out, in imagined time.
//!
//! As in `firstlight-runtime` there are two halves. What the engine's half is doing dies with the engine. What a
//! sandbox's own process does goes on, is written to the sandbox's journal first, and is told to whichever engine
//! listens.

mod program;
mod sandbox;

use crate::flaw::Flaw;
use crate::luck::Luck;
use crate::witness::Witness;
use firstlight_pod::action::{Launch, Signal};
use firstlight_pod::event::{ImageFailure, Instance, StartFailure};
use firstlight_pod::spec::PullPolicy;
use firstlight_pod::{Do, Event, Millis, Now, PodId};
use program::Program;
use sandbox::{Sandbox, Step};
use std::collections::{BTreeMap, BTreeSet};

/// How long things usually take: what the engine's half does, what a sandbox's process does, a pull.
const HANDWORK: Millis = Millis(5);
const STEP: Millis = Millis(3);
const PULL: Millis = Millis(400);

/// The machine.
pub(crate) struct Kernel {
    pub(crate) witness: Witness,
    /// Nothing goes wrong any more.
    pub(crate) calm: bool,
    luck: Luck,
    flaw: Option<Flaw>,
    now: Now,
    agenda: BTreeMap<(Now, u64), Due>,
    order: u64,
    pods: BTreeMap<String, OnMachine>,
    images: BTreeSet<String>,
    /// Told to the engine, if one listens.
    told: Vec<(PodId, Event)>,
}

/// What a pod has on this machine: its directory, and maybe a sandbox.
struct OnMachine {
    id: PodId,
    sandbox: Option<Sandbox>,
}

/// Something that will happen.
#[derive(Debug)]
enum Due {
    /// The engine's half comes to an end with something.
    Tell(PodId, Event),
    /// It has the image, or has not.
    Pulled { pod: PodId, instance: Instance, image: String },
    /// It has removed everything of a pod.
    Forgotten(String),
    /// A sandbox's own process takes a step.
    Step { uid: String, sandbox: u32, step: Step },
}

impl Due {
    fn dies_with_the_engine(&self) -> bool {
        !matches!(self, Due::Step { .. })
    }
}

impl Kernel {
    pub(crate) fn new(luck: Luck, flaw: Option<Flaw>) -> Kernel {
        Kernel {
            witness: Witness::default(),
            calm: false,
            luck,
            flaw,
            now: Now(0),
            agenda: BTreeMap::new(),
            order: 0,
            pods: BTreeMap::new(),
            images: BTreeSet::new(),
            told: Vec::new(),
        }
    }

    /// When something happens next.
    pub(crate) fn next(&self) -> Option<Now> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Lets time pass, and answers what the engine is told.
    pub(crate) fn pass(&mut self, until: Now) -> Vec<(PodId, Event)> {
        while let Some(((at, order), due)) = self.agenda.pop_first() {
            if at > until {
                self.agenda.insert((at, order), due);
                break;
            }
            self.now = self.now.max(at);
            self.happens(due);
        }
        self.now = self.now.max(until);
        std::mem::take(&mut self.told)
    }

    /// Takes an action in hand.
    pub(crate) fn perform(&mut self, pod: &PodId, what: Do, now: Now) {
        self.now = self.now.max(now);
        match what {
            Do::PrepareVolumes { .. } => {
                self.claim(pod);
                let at = self.now;
                let event = match self.goes_wrong(40) {
                    true => Event::VolumesFailed {
                        volume: "files".to_owned(),
                        message: "no space".to_owned(),
                        image: None,
                        at,
                    },
                    false => Event::VolumesReady { at },
                };
                self.tell_soon(pod, event);
            }
            Do::CreateSandbox { attempt, .. } => self.create_sandbox(pod, attempt),
            Do::Pull { instance, image, policy, .. } => self.pull(pod, instance, image, policy),
            Do::Create { instance, sandbox, launch, ahead } => self.create(pod, instance, sandbox, &launch, ahead),
            Do::Discard { instance } => self.ask(pod, Step::Discard(instance)),
            Do::Start { instance } => self.ask(pod, Step::Start(instance)),
            Do::Hook { instance, hook, timeout, .. } => {
                let limit = timeout.unwrap_or(Millis::secs(3));
                let (takes, outcome) = self.outcome(limit, 100);
                self.ask_in(pod, takes, Step::HookDone(instance, hook, outcome));
            }
            Do::Probe { instance, probe, timeout, .. } => {
                let (takes, outcome) = self.outcome(timeout, 150);
                self.ask_in(pod, takes, Step::Probed(instance, probe, outcome));
            }
            Do::Retire { instance, reason } => self.ask(pod, Step::Retire(instance, reason)),
            Do::RestartAll { walk, because } => self.ask(pod, Step::RestartAll(walk, because)),
            Do::Signal { instance, signal } => self.ask(pod, Step::Signal(instance, signal == Signal::Kill)),
            Do::RemoveSandbox { attempt } => match self.sandbox(&pod.uid).filter(|s| s.attempt == attempt) {
                Some(sandbox) if sandbox.alive => self.ask(pod, Step::End),
                Some(_) | None => self.tell_soon(pod, Event::SandboxGone { attempt, at: self.now }),
            },
            Do::Forget => {
                if self.sandbox(&pod.uid).is_some_and(|sandbox| sandbox.alive) {
                    self.ask(pod, Step::End);
                }
                let takes = self.luck.about(Millis(20)).0 + 20;
                self.do_in(Millis(takes), Due::Forgotten(pod.uid.clone()));
            }
        }
    }

    /// The engine is killed: what its half was doing is lost.
    pub(crate) fn engine_dies(&mut self) {
        self.agenda.retain(|_, due| !due.dies_with_the_engine());
        self.told.clear();
    }

    /// The machine loses power, and comes up again: nothing runs, journals are whole.
    pub(crate) fn reboots(&mut self) {
        self.engine_dies();
        for uid in self.pods.keys().cloned().collect::<Vec<_>>() {
            self.sandbox_dies(&uid);
        }
        self.agenda.clear();
        self.told.clear();
    }

    /// The process of one of the sandboxes is killed.
    pub(crate) fn some_sandbox_dies(&mut self) {
        let alive = |pod: &&OnMachine| pod.sandbox.as_ref().is_some_and(|sandbox| sandbox.alive);
        let uids: Vec<String> = self.pods.values().filter(alive).map(|pod| pod.id.uid.clone()).collect();
        if !uids.is_empty() {
            let uid = self.luck.one(&uids).clone();
            self.sandbox_dies(&uid);
        }
    }

    /// What a new engine finds, pod by pod: the journal of the newest sandbox, whether it lives or not.
    pub(crate) fn recovered(&self) -> Vec<(PodId, Vec<Event>)> {
        let mut found = Vec::new();
        for pod in self.pods.values() {
            let mut events = pod.sandbox.as_ref().map(|sandbox| sandbox.journal.clone()).unwrap_or_default();
            if self.flaw == Some(Flaw::JournalForgetsEnds) {
                events.retain(
                    |event| !matches!(event, Event::Exited { instance, .. } if instance.container.starts_with("init")),
                );
            }
            found.push((pod.id.clone(), events));
        }
        found
    }

    /// Pods that have anything on this machine.
    pub(crate) fn pods(&self) -> Vec<String> {
        self.pods.keys().cloned().collect()
    }

    fn happens(&mut self, due: Due) {
        match due {
            Due::Tell(pod, event) => self.told.push((pod, event)),
            Due::Pulled { pod, instance, image } => {
                self.images.insert(image.clone());
                let (image_id, pulled, at) = (digest(&image), Some((PULL, 1_000_000)), self.now);
                self.told.push((pod, Event::ImageReady { instance, image, image_id, pulled, at }));
            }
            Due::Forgotten(uid) => {
                self.witness.forgotten(&uid);
                if self.flaw != Some(Flaw::LeavesADirectory) {
                    self.pods.remove(&uid);
                }
            }
            Due::Step { uid, sandbox, step } => self.step(&uid, sandbox, step),
        }
    }

    fn create_sandbox(&mut self, pod: &PodId, attempt: u32) {
        self.claim(pod);
        if self.sandbox(&pod.uid).is_some_and(|sandbox| sandbox.alive || sandbox.attempt == attempt) {
            return;
        }
        if self.goes_wrong(40) {
            let message = "no address is free".to_owned();
            return self.tell_soon(pod, Event::SandboxFailed { attempt, message, at: self.now });
        }
        if let Some(pod) = self.pods.get_mut(&pod.uid) {
            pod.sandbox = Some(Sandbox::new(attempt, self.order));
        }
        self.ask(pod, Step::Ready);
    }

    fn pull(&mut self, pod: &PodId, instance: Instance, image: String, policy: PullPolicy) {
        let (present, at) = (self.images.contains(&image), self.now);
        let image_id = digest(&image);
        if self.goes_wrong(60) {
            let (failure, message) = (ImageFailure::Pull, "connection refused".to_owned());
            self.tell_soon(pod, Event::ImageFailed { instance, image, failure, message, at });
        } else if present && policy != PullPolicy::Always {
            self.tell_soon(pod, Event::ImageReady { instance, image, image_id, pulled: None, at });
        } else {
            self.told.push((pod.clone(), Event::Pulling { instance: instance.clone(), image: image.clone(), at }));
            let takes = self.luck.about(PULL);
            self.do_in(takes, Due::Pulled { pod: pod.clone(), instance, image });
        }
    }

    fn create(&mut self, pod: &PodId, instance: Instance, attempt: u32, launch: &Launch, ahead: bool) {
        if self.sandbox(&pod.uid).is_none_or(|sandbox| sandbox.attempt != attempt || !sandbox.alive) {
            return;
        }
        let at = self.now;
        if !self.images.contains(&launch.image) {
            let (failure, message) = (StartFailure::Create, "the image is not here any more".to_owned());
            let event = match ahead {
                true => Event::NotAhead { instance },
                false => Event::StartFailed { instance, failure, message, at },
            };
            return self.tell_soon(pod, event);
        }
        let refused = self.goes_wrong(30);
        let program = Program::read(&launch.command);
        let starts = ahead && self.flaw == Some(Flaw::StartsWhatIsAhead);
        self.ask(pod, Step::Create { instance: instance.clone(), image: launch.image.clone(), program, refused });
        if starts {
            self.ask_in(pod, Millis(200), Step::Start(instance));
        }
    }

    /// How long something takes that may take so long, and how it ends.
    fn outcome(&mut self, limit: Millis, per_mille: u64) -> (Millis, Result<(), String>) {
        if !self.goes_wrong(per_mille) {
            return (self.luck.about(Millis(20)).min(limit), Ok(()));
        }
        match self.luck.happens(300) {
            true => (limit, Err("timed out".to_owned())),
            false => (self.luck.about(Millis(20)).min(limit), Err("not well".to_owned())),
        }
    }

    fn goes_wrong(&mut self, per_mille: u64) -> bool {
        // Drawn in any case: calm changes what happens, not what is drawn after it.
        self.luck.happens(per_mille) && !self.calm
    }

    fn claim(&mut self, pod: &PodId) {
        self.pods.entry(pod.uid.clone()).or_insert_with(|| OnMachine { id: pod.clone(), sandbox: None });
    }

    fn sandbox(&self, uid: &str) -> Option<&Sandbox> {
        self.pods.get(uid)?.sandbox.as_ref()
    }

    fn tell_soon(&mut self, pod: &PodId, event: Event) {
        let takes = self.luck.about(HANDWORK);
        self.do_in(takes, Due::Tell(pod.clone(), event));
    }

    fn ask(&mut self, pod: &PodId, step: Step) {
        let takes = self.luck.about(STEP);
        self.ask_in(pod, takes, step);
    }

    /// A sandbox's process takes a step, if the pod has one that lives.
    fn ask_in(&mut self, pod: &PodId, takes: Millis, step: Step) {
        let sandbox = self.sandbox(&pod.uid).filter(|sandbox| sandbox.alive).map(|sandbox| sandbox.attempt);
        if let Some(sandbox) = sandbox {
            self.do_in(takes, Due::Step { uid: pod.uid.clone(), sandbox, step });
        }
    }

    fn do_in(&mut self, takes: Millis, due: Due) {
        self.order += 1;
        self.agenda.insert((self.now.plus(takes), self.order), due);
    }
}

fn digest(image: &str) -> String {
    format!("sha256:{image}")
}
