//! What happened. `Seen` changes by folding these, and by nothing else.
//!
//! Three parties tell events: the runtime (sandboxes, images, containers, exec probes and hooks), the worker
//! (what it handed out, what it published, deletion, sources, network probes and hooks) and, after a restart of
//! the engine, the sandbox's own durable journal, replayed as the same events in the same order.

use crate::action::Do;
use crate::spec::SourceRef;
use crate::status::{Status, User};
use crate::time::{Millis, Now};
use std::collections::BTreeMap;

/// One instance of a container: its name and how many came before it in this pod.
///
/// `attempt` never repeats for one pod UID and container, whatever sandbox it ran in; it is what Kubernetes
/// calls the restart count of that instance and the number of its log file (SBX-7, LOG-5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// The container's name.
    pub container: String,
    /// 0 for the first instance.
    pub attempt: u32,
}

/// Something that happened to a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The worker handed this out to be done. Its outcome is another event.
    Asked {
        /// What is being done now.
        what: Do,
        /// When it was handed out.
        at: Now,
    },
    /// This status is what the API holds, or will as soon as it is written: once when a worker begins (from the
    /// store), and whenever the worker hands one to be published.
    Said {
        /// The status.
        status: Box<Status>,
        /// When. The first tells when this worker began.
        at: Now,
    },
    /// The status that was said last is durable in the API, and says all that happened before this.
    Written,
    /// Deletion was asked for, or its grace was shortened (TRM-2).
    Deletion {
        /// When the grace began.
        at: Now,
        /// How long it is.
        grace: Millis,
    },
    /// The content of a ConfigMap or Secret, `None` if it does not exist.
    Source {
        /// Which object.
        source: SourceRef,
        /// Its data, decoded.
        content: Option<BTreeMap<String, Vec<u8>>>,
    },
    /// Every volume asked for by the latest [`Do::PrepareVolumes`] is in place.
    VolumesReady {
        /// When.
        at: Now,
    },
    /// A volume could not be set up.
    VolumesFailed {
        /// Which volume.
        volume: String,
        /// Why, in Kubernetes' words where it has them.
        message: String,
        /// Which kind of failure, if it is that the volume's image cannot be had.
        image: Option<ImageFailure>,
        /// When.
        at: Now,
    },
    /// How much a volume that must not grow without bounds holds now.
    VolumeUsed {
        /// Which volume.
        volume: String,
        /// Bytes on the disk.
        bytes: u64,
        /// When.
        at: Now,
    },
    /// The sandbox is up: its namespaces and address exist.
    SandboxReady {
        /// Which generation.
        attempt: u32,
        /// The pod's address.
        pod_ip: String,
        /// The node's address as pods see it.
        host_ip: String,
        /// When.
        at: Now,
    },
    /// The sandbox could not be made; what was made of it is gone.
    SandboxFailed {
        /// Which generation.
        attempt: u32,
        /// Why.
        message: String,
        /// When.
        at: Now,
    },
    /// The sandbox ended: removed as asked, or found dead. Nothing of it runs.
    SandboxGone {
        /// Which generation.
        attempt: u32,
        /// When.
        at: Now,
    },
    /// The image is not here and is being fetched from a registry. Told at most once for a pull; nothing but what
    /// people are told depends on it.
    Pulling {
        /// For whom.
        instance: Instance,
        /// The image reference asked for.
        image: String,
        /// When.
        at: Now,
    },
    /// The image for this instance is here.
    ImageReady {
        /// For whom.
        instance: Instance,
        /// The image reference asked for.
        image: String,
        /// Digest of the image's configuration or manifest: `sha256:...`.
        image_id: String,
        /// How long the pull took and how many bytes the image has; `None` if it was already present.
        pulled: Option<(Millis, u64)>,
        /// When.
        at: Now,
    },
    /// The image for this instance cannot be had.
    ImageFailed {
        /// For whom.
        instance: Instance,
        /// The image reference asked for.
        image: String,
        /// Which kind of failure.
        failure: ImageFailure,
        /// The cause, redacted.
        message: String,
        /// When.
        at: Now,
    },
    /// The container is created: everything but the start of its process.
    Created {
        /// Which.
        instance: Instance,
        /// The container's id: 64 hexadecimal digits.
        id: String,
        /// Digest of the image it was made from.
        image_id: String,
        /// Who it will run as, where that is told.
        user: Option<User>,
        /// When.
        at: Now,
    },
    /// The container asked for ahead of its turn was not made, because that would have needed a pull. Not a
    /// failure: it is asked for again when its turn comes.
    NotAhead {
        /// Which.
        instance: Instance,
    },
    /// The container could not be created or its process could not be started.
    StartFailed {
        /// Which.
        instance: Instance,
        /// Which step failed.
        failure: StartFailure,
        /// The cause.
        message: String,
        /// When.
        at: Now,
    },
    /// The container's process is about to be started, and that is durably recorded: from here on it may run.
    Starting {
        /// Which.
        instance: Instance,
        /// When.
        at: Now,
    },
    /// The container's process runs.
    Started {
        /// Which.
        instance: Instance,
        /// When.
        at: Now,
    },
    /// The container's process ended, and that is durably recorded.
    Exited {
        /// Which.
        instance: Instance,
        /// How.
        exit: Exit,
    },
    /// A created container that never ran is gone again, as asked by [`Do::Discard`].
    Discarded {
        /// Which.
        instance: Instance,
    },
    /// That the container is to end although its pod lives on is durably recorded, as asked by [`Do::Retire`].
    Retired {
        /// Which.
        instance: Instance,
        /// Why.
        reason: StopReason,
        /// When.
        at: Now,
    },
    /// That every container of the sandbox is to run again is durably recorded, as asked by [`Do::RestartAll`]. What has
    /// started before this does not count any more.
    RestartAll {
        /// Which walk through the steps of this sandbox begins.
        walk: u32,
        /// Whose end asked for it.
        because: Instance,
        /// When.
        at: Now,
    },
    /// A hook ended.
    HookDone {
        /// Whose.
        instance: Instance,
        /// Which.
        hook: Hook,
        /// `Err` carries the cause.
        outcome: Result<(), String>,
        /// When.
        at: Now,
    },
    /// A probe's try was a success that people should know about (PRB-5).
    ProbeWarned {
        /// Whose.
        instance: Instance,
        /// Which.
        probe: ProbeKind,
        /// What about.
        message: String,
    },
    /// A probe's try ended.
    Probed {
        /// Whose.
        instance: Instance,
        /// Which.
        probe: ProbeKind,
        /// `Err` carries the cause.
        outcome: Result<(), String>,
        /// When.
        at: Now,
    },
}

impl Event {
    /// Takes instants that are still to come for `now`: they are of a clock that runs ahead of the worker's, or that was
    /// set back since. Nothing may wait for them.
    pub fn not_after(&mut self, now: Now) {
        match self {
            Event::Asked { at, .. }
            | Event::Said { at, .. }
            | Event::Deletion { at, .. }
            | Event::VolumesReady { at }
            | Event::VolumesFailed { at, .. }
            | Event::VolumeUsed { at, .. }
            | Event::SandboxReady { at, .. }
            | Event::SandboxFailed { at, .. }
            | Event::SandboxGone { at, .. }
            | Event::Pulling { at, .. }
            | Event::ImageReady { at, .. }
            | Event::ImageFailed { at, .. }
            | Event::Created { at, .. }
            | Event::StartFailed { at, .. }
            | Event::Starting { at, .. }
            | Event::Started { at, .. }
            | Event::Retired { at, .. }
            | Event::RestartAll { at, .. }
            | Event::HookDone { at, .. }
            | Event::Probed { at, .. } => *at = now.min(*at),
            Event::Exited { exit, .. } => {
                exit.started_at = now.min(exit.started_at);
                exit.finished_at = now.min(exit.finished_at);
            }
            Event::Written
            | Event::Source { .. }
            | Event::NotAhead { .. }
            | Event::Discarded { .. }
            | Event::ProbeWarned { .. } => {}
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exit {
    /// Exit code; 128 + n for death by signal n (STA-7); 255 if unknown.
    pub code: i32,
    /// Whether the kernel's out-of-memory killer ended the main process.
    pub oom: bool,
    /// Whether the end was not observed: its parent died first. Code is then 255.
    pub unknown: bool,
    /// The container's id.
    pub id: String,
    /// Its termination message (MSG-1).
    pub message: String,
    /// When the process started.
    pub started_at: Now,
    /// When it ended.
    pub finished_at: Now,
}

/// Why an image is not to be had (section 1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFailure {
    /// `ErrImagePull`
    Pull,
    /// `ErrImageNeverPull`
    NeverPull,
    /// `InvalidImageName`
    InvalidName,
    /// `ImageInspectError`: present but unusable.
    Inspect,
}

/// Which step of starting a container failed (STA-14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFailure {
    /// `CreateContainerConfigError`: what was asked cannot be put together.
    Config,
    /// `CreateContainerError`: the kernel or the runtime refused.
    Create,
    /// `RunContainerError`, reported as an exit with code 128 and reason `StartError` where the process could
    /// not be executed.
    Run,
}

/// Which hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// After start.
    PostStart,
    /// Before the stop signal.
    PreStop,
}

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// `startupProbe`
    Startup,
    /// `livenessProbe`
    Liveness,
    /// `readinessProbe`
    Readiness,
}

/// Why a single running container must end although its pod lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopReason {
    /// Its post-start hook failed (HOK-2).
    PostStart,
    /// Its image is another one now (REG-3, SID-6).
    Changed,
    /// Its startup probe failed (SID-3, REG-4).
    Startup,
    /// Its liveness probe failed (REG-4, SID-7).
    Liveness,
}
