//! What the runtime would do: it answers whatever is asked after a while.

use super::World;
use firstlight_pod::action::{Do, Signal};
use firstlight_pod::event::{Exit, ImageFailure, Instance, StartFailure};
use firstlight_pod::spec::VolumeKind;
use firstlight_pod::{Event, Millis, Now};

impl World {
    /// Does what is asked: tells its outcome after a while.
    pub(super) fn perform(&mut self, what: &Do) {
        let delay = self.manners.delay;
        let at = self.now.plus(Millis(delay));
        let event = match what.clone() {
            Do::PrepareVolumes { .. } => match self.manners.volumes.clone() {
                Some((volume, message)) => {
                    let of = self.spec.volumes.iter().find(|known| known.name == volume).map(|volume| &volume.kind);
                    let image = matches!(of, Some(VolumeKind::Image { .. })).then_some(ImageFailure::Pull);
                    Event::VolumesFailed { volume, message, image, at }
                }
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
                    _ => {
                        Event::Created { id: id(&instance), instance, image_id: digest(&launch.image), user: None, at }
                    }
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
            // The sandbox's own process writes down that it starts something before it does.
            Do::Start { instance } => {
                let starting = Event::Starting { instance: instance.clone(), at: self.now };
                self.seen.fold(&starting);
                self.journal.push(starting);
                return self.start(instance);
            }
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
            Do::RestartAll { walk, because } => Event::RestartAll { walk, because, at },
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

    fn start(&mut self, instance: Instance) {
        let delay = self.manners.starts.get(&instance.container).copied().unwrap_or(self.manners.delay);
        let at = self.now.plus(Millis(delay));
        let event = match self.manners.refused.get(&instance.container).cloned() {
            Some((StartFailure::Run, message)) => {
                Event::StartFailed { instance, failure: StartFailure::Run, message, at }
            }
            _ => Event::Started { instance, at },
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

    /// Doing again what is under way changes nothing: it is told once.
    pub(super) fn tell_in(&mut self, delay: u64, event: Event) {
        if self.queue.values().any(|known| answers_the_same(known, &event)) {
            return;
        }
        self.order += 1;
        self.queue.insert((self.now.plus(Millis(delay)), self.order), event);
    }

    pub(super) fn exit_of(&self, instance: &Instance, started_at: Now, finished_at: Now, code: i32) -> Exit {
        Exit { code, id: id(instance), started_at, finished_at, ..Exit::default() }
    }
}

pub(super) fn id(instance: &Instance) -> String {
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
        (Event::RestartAll { walk: a, .. }, Event::RestartAll { walk: b, .. }) => a == b,
        (Event::HookDone { instance: a, hook: which_a, .. }, Event::HookDone { instance: b, hook: which_b, .. }) => {
            a == b && which_a == which_b
        }
        _ => false,
    }
}
