//! What has been seen of a pod: the fold of its events.
//!
//! ```text
//!  Seen ─┬─ said, gates       what the API holds
//!        ├─ deletion, sources what was asked from outside
//!        ├─ volumes, sandbox  the ground containers stand on
//!        ├─ restarted         the latest restart of all containers: which walk through the steps this is
//!        ├─ images            pulls that failed, by image
//!        └─ containers        per container: what is coming or live, what is past
//! ```

mod history;
mod sandbox;
mod streaks;
mod volumes;
mod walk;

use crate::action::Do;
use crate::event::{Event, ImageFailure};
use crate::spec::SourceRef;
use crate::status::{Phase, Status};
use crate::time::{Millis, Now};
pub(crate) use history::{Again, Coming, Crashes, History, HookRun, Live, Next, Past, Stage, Tried, with_scheme};
pub(crate) use sandbox::Sandbox;
use std::collections::BTreeMap;
pub(crate) use volumes::{VolumeTrouble, Volumes};
pub(crate) use walk::{Restarted, Walk};

/// Everything known about a pod's past and present. Changed by [`Seen::fold`] alone, and rebuilt after a restart
/// by folding the API's last status and the sandbox's journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// When this worker began: the first [`Event::Said`].
    pub(crate) began: Option<Now>,
    pub(crate) said: Option<Box<Status>>,
    /// Readiness gates: conditions of the pod that others write.
    pub(crate) gates: BTreeMap<String, bool>,
    pub(crate) deletion: Option<Deletion>,
    pub(crate) sources: BTreeMap<SourceRef, Option<BTreeMap<String, Vec<u8>>>>,
    pub(crate) volumes: Volumes,
    pub(crate) sandbox: Sandbox,
    /// The latest restart of all containers.
    pub(crate) restarted: Option<Restarted>,
    /// Which walk was asked to be begun, and when; nothing follows before that is told.
    pub(crate) restart_asked: Option<(Walk, Now)>,
    pub(crate) images: BTreeMap<String, ImageTrouble>,
    pub(crate) containers: BTreeMap<String, History>,
    pub(crate) forgetting: Option<Now>,
}

/// Deletion was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) at: Now,
    pub(crate) grace: Millis,
}

/// An image that could not be had, lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageTrouble {
    pub(crate) failure: ImageFailure,
    pub(crate) message: String,
    /// How often in a row.
    pub(crate) tries: u32,
    pub(crate) at: Now,
}

/// The conditions this crate writes, in the order of section 1.11; all others belong to others.
pub(crate) const OWN_CONDITIONS: [&str; 6] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", "AllContainersRestarting"];

impl Seen {
    /// Takes one event in. Total: an event that contradicts what is known is the newer truth.
    pub fn fold(&mut self, event: &Event) {
        match event {
            Event::Asked { what, at } => self.asked(what, *at),
            Event::Said { status, at } => self.said(status, *at),
            Event::Written => self.sandbox.written(),
            Event::Deletion { at, grace } => self.delete(*at, *grace),
            Event::Source { source, content } => {
                self.sources.insert(source.clone(), content.clone());
            }
            Event::VolumesReady { .. } => self.volumes.ready(),
            Event::VolumesFailed { volume, message, image, at } => self.volumes.failed(volume, message, *image, *at),
            Event::VolumeUsed { volume, bytes, at } => self.volumes.used(volume, *bytes, *at),
            Event::SandboxReady { attempt, pod_ip, host_ip, at } => {
                self.leave_sandboxes_but(*attempt, *at);
                self.sandbox = Sandbox::ready(*attempt, pod_ip, host_ip, *at);
            }
            Event::SandboxFailed { attempt, message, at } => self.sandbox.failed(*attempt, message, *at),
            Event::SandboxGone { attempt, at } => self.sandbox_gone(*attempt, *at),
            Event::Pulling { instance, .. } => self.of(&instance.container).transfer_begins(instance.attempt),
            Event::ImageReady { instance, image, image_id, .. } => {
                self.images.remove(image);
                self.of(&instance.container).image_ready(instance.attempt, image, image_id);
            }
            Event::ImageFailed { instance, image, failure, message, at } => {
                self.image_failed(image, *failure, message, *at);
                self.of(&instance.container).image_failed(instance.attempt);
            }
            Event::Created { instance, id, image_id, user, .. } => {
                self.of(&instance.container).created(instance.attempt, id, image_id, user.as_ref());
            }
            Event::NotAhead { instance } => self.of(&instance.container).not_ahead(instance.attempt),
            Event::StartFailed { instance, failure, message, at } => {
                let walk = self.walk();
                self.of(&instance.container).start_failed(instance.attempt, walk, *failure, message, *at);
            }
            Event::Starting { instance, at } => self.of(&instance.container).starting(instance.attempt, *at),
            Event::Started { instance, at } => {
                let walk = self.walk();
                self.of(&instance.container).started(instance.attempt, walk, *at);
            }
            Event::Exited { instance, exit } => {
                let walk = self.walk();
                self.of(&instance.container).exited(instance.attempt, walk, exit);
            }
            Event::Discarded { instance } => self.of(&instance.container).discarded(instance.attempt),
            Event::Retired { instance, reason, at } => {
                self.of(&instance.container).retired(instance.attempt, *reason, *at);
            }
            Event::RestartAll { walk, because, at } => self.restart_all(*walk, because, *at),
            Event::HookDone { instance, hook, outcome, .. } => {
                self.of(&instance.container).hook_done(instance.attempt, *hook, outcome);
            }
            // Only told.
            Event::ProbeWarned { .. } => {}
            Event::Probed { instance, probe, outcome, .. } => {
                self.of(&instance.container).probed(instance.attempt, *probe, outcome.is_ok());
            }
        }
    }

    /// The pod's address, while its sandbox is up.
    #[must_use]
    pub fn pod_ip(&self) -> Option<&str> {
        self.sandbox.is_ready().then(|| self.sandbox.pod_ip()).flatten()
    }

    /// Whether something waits for [`Event::Written`].
    #[must_use]
    pub fn waits_to_be_written(&self) -> bool {
        self.sandbox.unwritten_since().is_some()
    }

    /// What is known of a container; an empty history if nothing is.
    pub(crate) fn history(&self, container: &str) -> &History {
        self.containers.get(container).unwrap_or(&History::NONE)
    }

    fn of(&mut self, container: &str) -> &mut History {
        self.containers.entry(container.to_owned()).or_default()
    }

    fn asked(&mut self, what: &Do, at: Now) {
        match what {
            Do::PrepareVolumes { volumes, .. } => self.volumes.asked = Some((volumes.clone(), at)),
            Do::CreateSandbox { attempt, .. } => self.sandbox.creating(*attempt, at),
            Do::RemoveSandbox { .. } => self.sandbox.removing(at),
            Do::Forget => self.forgetting = Some(at),
            Do::Pull { instance, image, .. } => {
                self.of(&instance.container).pull_asked(instance.attempt, image, at);
            }
            Do::Create { instance, launch, ahead, .. } => {
                self.of(&instance.container).create_asked(instance.attempt, launch, *ahead, at);
            }
            Do::Discard { instance } => self.of(&instance.container).discard_asked(instance.attempt, at),
            Do::Start { instance } => self.of(&instance.container).start_asked(instance.attempt, at),
            Do::Hook { instance, hook, .. } => self.of(&instance.container).hook_asked(instance.attempt, *hook, at),
            Do::Probe { instance, probe, .. } => {
                self.of(&instance.container).probe_asked(instance.attempt, *probe, at);
            }
            Do::Retire { instance, .. } => self.of(&instance.container).retire_asked(instance.attempt, at),
            Do::RestartAll { walk: number, .. } => {
                self.restart_asked = self.walk().map(|walk| (Walk { number: *number, ..walk }, at));
            }
            Do::Signal { instance, signal } => {
                self.of(&instance.container).signal_asked(instance.attempt, signal, at);
            }
        }
    }

    fn said(&mut self, status: &Status, at: Now) {
        if self.began.is_none() {
            self.began = Some(at);
            for told in status.inits.iter().chain(&status.mains).chain(&status.ephemerals) {
                self.of(&told.name).told(told, at);
            }
        }
        for condition in &status.conditions {
            if !OWN_CONDITIONS.contains(&condition.kind.as_str()) {
                self.gates.insert(condition.kind.clone(), condition.holds);
            }
        }
        // A final phase stays final, whatever is said later (PHA-8).
        if !self.phase_said().is_terminal() || status.phase == self.phase_said() {
            self.said = Some(Box::new(status.clone()));
        }
    }

    /// The phase watchers were last told.
    pub(crate) fn phase_said(&self) -> Phase {
        self.said.as_ref().map_or(Phase::Pending, |status| status.phase)
    }

    /// The end of the grace only ever comes nearer (TRM-2).
    fn delete(&mut self, at: Now, grace: Millis) {
        self.deletion = Some(match self.deletion {
            None => Deletion { at, grace },
            Some(first) => {
                let end = at.plus(grace).min(first.at.plus(first.grace));
                Deletion { at: first.at, grace: end.since(first.at) }
            }
        });
    }

    fn image_failed(&mut self, image: &str, failure: ImageFailure, message: &str, at: Now) {
        let tries = self.images.get(image).map_or(0, |trouble| trouble.tries).saturating_add(1);
        self.images.insert(image.to_owned(), ImageTrouble { failure, message: message.to_owned(), tries, at });
    }

    fn sandbox_gone(&mut self, attempt: u32, at: Now) {
        if self.sandbox.attempt().is_none_or(|known| known == attempt) {
            let walk = self.walk();
            for history in self.containers.values_mut() {
                history.lost(walk, at);
            }
            self.sandbox.gone(attempt, at);
        }
    }

    /// A sandbox that is up is the only one: what others held ended with them, even if they had its number.
    fn leave_sandboxes_but(&mut self, attempt: u32, at: Now) {
        let other = match &self.sandbox {
            Sandbox::Never => false,
            Sandbox::Creating { attempt: known, .. } | Sandbox::Ready { attempt: known, .. } => *known != attempt,
            Sandbox::Failed { .. } | Sandbox::Gone { .. } => true,
        };
        if other {
            let walk = self.walk();
            self.restarted = None;
            for history in self.containers.values_mut() {
                history.lost(walk, at);
                history.past_is_elsewhere();
            }
        }
    }
}

#[cfg(test)]
mod tests;
