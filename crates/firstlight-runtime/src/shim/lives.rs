//! What becomes of containers, as their parent learns it.

use super::container::{Container, Creator, Init, Life, Passed, Then, exit_code};
use super::turn::{Chore, Shim};
use crate::clock::now;
use crate::container::confine::Identity;
use crate::container::create::{Places, Report};
use crate::wire::{Record, Told};
use firstlight_pod::event::{Instance, StartFailure};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait, waitpid};

impl Shim {
    /// Starts a created container; one that is being created, as soon as it is.
    pub(super) fn start(&mut self, instance: &Instance) {
        let Some(container) = self.containers.get_mut(instance) else { return };
        match &container.life {
            Life::Creating(_) if container.then == Then::Wait => container.then = Then::Start,
            Life::Created(init) if !init.discarded && init.refusal().is_empty() => self.start_created(instance),
            Life::Creating(_) | Life::Created(_) | Life::Starting { .. } | Life::Running { .. } => {}
        }
    }

    fn start_created(&mut self, instance: &Instance) {
        let Some(mut container) = self.containers.remove(instance) else { return };
        let since = now();
        if let Life::Created(mut init) = container.life {
            if !self.facts.intend(Record::Starting { instance: instance.clone(), at: since }) {
                init.refuse("the sandbox's journal cannot be written; is the disk full?".to_owned());
            } else if let Err(error) = container.places.notify_start() {
                init.refuse(format!("{error:#}"));
            }
            container.life = Life::Starting { init, since };
        }
        self.containers.insert(instance.clone(), container);
    }

    /// A creator says something.
    pub(super) fn creator_reports(&mut self, instance: &Instance) {
        let Some(Container { life: Life::Creating(creator), .. }) = self.containers.get_mut(instance) else { return };
        match creator.listen() {
            Ok(None) => {}
            Ok(Some((Report::Made { pid, user, capabilities }, terminal))) => {
                self.made(instance, pid, Identity { user, capabilities }, terminal);
            }
            Ok(Some((Report::Failed { failure, message }, _))) => self.creation_failed(instance, failure, message),
            Err(error) => self.creation_failed(instance, StartFailure::Create, error.to_string()),
        }
    }

    /// A creator ended without a word, or so it seems: a last one may still be there to be read.
    pub(super) fn creator_ends(&mut self, instance: &Instance) {
        self.creator_reports(instance);
        if let Some(Container { life: Life::Creating(_), .. }) = self.containers.get(instance) {
            self.creation_failed(instance, StartFailure::Create, "the creating process died".to_owned());
        }
    }

    fn made(&mut self, instance: &Instance, pid: i32, identity: Identity, terminal: Option<OwnedFd>) {
        let Some(mut container) = self.containers.remove(instance) else { return };
        let Life::Creating(Creator { child, gate, .. }) = container.life else { return };
        self.leaving.push(child);
        let user = (identity.user.uid, identity.user.gid, identity.user.groups.clone());
        let init = match Init::new(pid, gate, identity) {
            Ok(init) => init,
            Err(error) => {
                let _ = self.cgroups.kill(&container.places.cgroup);
                self.not_made(instance, &container.places, StartFailure::Create, error.to_string());
                return;
            }
        };
        let then = container.then;
        container.life = Life::Created(init);
        if let Some(terminal) = terminal {
            // Without it the container would block on its first output.
            if let Err(error) = container.streams.connect_terminal(terminal) {
                container.init_mut().into_iter().for_each(|init| init.refuse(format!("its terminal: {error}")));
            }
        }
        let record = Record::Created {
            instance: instance.clone(),
            id: container.order.id.clone(),
            image_id: container.order.image_id.clone(),
            user: Some(user),
            at: now(),
        };
        self.containers.insert(instance.clone(), container);
        self.facts.add(record);
        match then {
            Then::Wait => {}
            Then::Start => self.start(instance),
            Then::Discard => self.discard_created(instance),
        }
    }

    fn discard_created(&mut self, instance: &Instance) {
        if let Some(init) = self.containers.get_mut(instance).and_then(Container::init_mut) {
            init.discarded = true;
            init.signal(libc::SIGKILL);
        }
    }

    /// A container could not be created: whatever its creator left is ended.
    fn creation_failed(&mut self, instance: &Instance, failure: StartFailure, message: String) {
        let Some(container) = self.containers.remove(instance) else { return };
        let discarded = container.then == Then::Discard;
        // The library may have cloned the first process already, and told nobody.
        let _ = self.cgroups.kill(&container.places.cgroup);
        if let Life::Creating(Creator { child, .. }) = container.life {
            self.leaving.push(child);
        }
        if discarded {
            self.discarded(instance, &container.places);
        } else {
            self.not_made(instance, &container.places, failure, message);
        }
    }

    /// A container that could not be made, or died before it was started, is gone. It is tried again under the same
    /// number.
    pub(super) fn not_made(&mut self, instance: &Instance, places: &Places, failure: StartFailure, message: String) {
        self.clear(places);
        self.facts.add(Record::StartFailed { instance: instance.clone(), failure, message, at: now() });
    }

    /// A gate has something to say.
    pub(super) fn gate(&mut self, instance: &Instance) {
        let Some(mut container) = self.containers.remove(instance) else { return };
        let passed = container.init_mut().map(Init::passed);
        container.life = match container.life {
            Life::Starting { init, since: _ } if passed == Some(Passed::Through) => {
                let since = now();
                self.facts.add(Record::Started { instance: instance.clone(), at: since });
                Life::Running { init, since }
            }
            // Its process died waiting, or could not become its program: its end tells.
            life => life,
        };
        self.containers.insert(instance.clone(), container);
    }

    /// A container's first process ended.
    pub(super) fn init_ends(&mut self, instance: &Instance) {
        let Some(pid) = self.containers.get(instance).and_then(Container::init).map(|init| init.pid) else { return };
        if let Ok(Some((_, status))) = waitpid(Some(pid), WaitOptions::NOHANG) {
            self.container_ended(instance, status);
        }
    }

    fn container_ended(&mut self, instance: &Instance, status: WaitStatus) {
        self.gate(instance);
        let Some(mut container) = self.containers.remove(instance) else { return };
        if self.holder.is_some() || container.order.target.is_some() {
            // Where it was the first process of its own, the kernel has ended the others with it.
            let _ = self.cgroups.kill(&container.places.cgroup);
        }
        container.streams.finish(&mut container.log);
        let ended = || instance.clone();
        match &container.life {
            Life::Creating(_) => {}
            Life::Created(init) if init.discarded => return self.discarded(instance, &container.places),
            Life::Created(_) => {
                let message = format!("it died before it was started, with exit code {}", exit_code(status));
                self.not_made(instance, &container.places, StartFailure::Create, message);
                return self.tell_attached(&container, status);
            }
            Life::Starting { init, since } => match init.refusal() {
                "" => {
                    self.facts.add(Record::Started { instance: ended(), at: *since });
                    let exit = container.exit(status, *since, &self.cgroups);
                    self.facts.add(Record::Exited { instance: ended(), exit });
                }
                refusal => {
                    let message = format!("unable to start container process: {refusal}");
                    let (failure, at) = (StartFailure::Run, now());
                    self.facts.add(Record::StartFailed { instance: ended(), failure, message, at });
                }
            },
            Life::Running { since, .. } => {
                let exit = container.exit(status, *since, &self.cgroups);
                self.facts.add(Record::Exited { instance: ended(), exit });
            }
        }
        self.tell_attached(&container, status);
        self.over(instance, &container.places);
    }

    fn tell_attached(&mut self, container: &Container, status: WaitStatus) {
        let attached: Vec<u64> = container.streams.peers().collect();
        attached.into_iter().for_each(|id| self.tell_last(id, &Told::Ended { code: exit_code(status) }));
    }

    /// A container that never ran is gone, as asked. It may be made anew under the same number at once.
    fn discarded(&mut self, instance: &Instance, places: &Places) {
        self.clear(places);
        self.facts.add(Record::Discarded { instance: instance.clone() });
    }

    /// Leaves nothing of a container that never ran, for it may be made again: not its writable layer either, because
    /// a volatile overlay cannot be mounted twice, and nothing has run on it.
    fn clear(&mut self, places: &Places) {
        self.take_away(&Chore { cgroup: places.cgroup.clone(), run: places.run.clone() });
        let _ = std::fs::remove_dir_all(&places.dir);
    }

    fn over(&mut self, instance: &Instance, places: &Places) {
        self.over.insert(instance.clone());
        self.chores.push_back(Chore { cgroup: places.cgroup.clone(), run: places.run.clone() });
    }

    /// Waits for creators that are done.
    pub(super) fn reap_leaving(&mut self) {
        self.leaving.retain(|child| matches!(waitpid(Some(child.pid), WaitOptions::NOHANG), Ok(None)));
        self.sweep();
    }

    /// Waits for children nobody told about: those the library uses in between, and orphans. Never while a process
    /// may be reported whose number would then already be free for another.
    pub(super) fn sweep(&mut self) {
        let creating = self.containers.values().any(|c| matches!(c.life, Life::Creating(_)));
        if creating || self.runs.values().any(|run| run.report.is_some()) {
            return;
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            self.ended(pid, status);
        }
    }

    fn ended(&mut self, pid: Pid, status: WaitStatus) {
        let container = self.containers.iter().find(|(_, c)| c.init().is_some_and(|init| init.pid == pid));
        if let Some(instance) = container.map(|(instance, _)| instance.clone()) {
            self.container_ended(&instance, status);
            return;
        }
        self.leaving.retain(|child| child.pid != pid);
        self.run_process_ended(pid, status);
    }
}
