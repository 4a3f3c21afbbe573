//! What is written down by the sandbox's own process, and what runs by it.

use super::World;
use super::runtime::id;
use firstlight_pod::event::{Exit, Hook, Instance, StartFailure};
use firstlight_pod::spec::Handler;
use firstlight_pod::{Event, Millis};

impl World {
    pub(super) fn remember(&mut self, event: &Event) {
        match event {
            Event::SandboxReady { .. } => self.journal = vec![event.clone()],
            Event::Created { .. }
            | Event::Discarded { .. }
            | Event::Retired { .. }
            | Event::RestartAll { .. }
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
            // Nothing ends twice.
            self.queue.retain(|_, other| !matches!(other, Event::Exited { instance: of, .. } if of == instance));
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

    pub(crate) fn exited(&self, container: &str, exit: Exit) -> Option<Event> {
        let (attempt, since) = *self.processes.get(container)?;
        let instance = Instance { container: container.to_owned(), attempt };
        let exit = Exit { id: id(&instance), started_at: since, finished_at: self.now, ..exit };
        Some(Event::Exited { instance, exit })
    }
}
