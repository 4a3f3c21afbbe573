//! Facts about a sandbox: the lines of its journal, and what its shim tells the engine.

use firstlight_pod::event::{Exit, Hook, Instance, ProbeKind, StartFailure, StopReason};
use firstlight_pod::status::User;
use firstlight_pod::{Event, Now, PodId};
use serde::{Deserialize, Serialize};

/// A fact. Once one is told to the engine it is in the journal; an [`Record::Exited`] is on the disk (E2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The shim is about to make the sandbox: written before anything else, so that recovery finds all of it.
    Begun {
        /// [`super::VERSION`] of the shim.
        version: u32,
        /// Whose sandbox.
        #[serde(with = "PodIdDef")]
        pod: PodId,
        /// Which generation.
        attempt: u32,
        /// The pod's cgroup.
        cgroup: String,
        /// When, in milliseconds since the Unix epoch as everywhere below.
        at: u64,
    },
    /// The sandbox is up.
    Ready {
        /// The pod's address.
        pod_ip: String,
        /// The node's address as pods see it.
        host_ip: String,
        /// When.
        at: u64,
    },
    /// A container is about to be created: from here on a process of it may exist.
    Creating {
        /// Which.
        #[serde(with = "InstanceDef")]
        instance: Instance,
        /// Its id.
        id: String,
    },
    /// A container is created.
    Created {
        /// Which.
        #[serde(with = "InstanceDef")]
        instance: Instance,
        /// Its id.
        id: String,
        /// Digest of its image.
        image_id: String,
        /// Who it will run as: user, group, further groups. Since version 3.
        #[serde(default)]
        user: Option<(u32, u32, Vec<u32>)>,
        /// When.
        at: u64,
    },
    /// A container could not be created or started.
    StartFailed {
        /// Which.
        #[serde(with = "InstanceDef")]
        instance: Instance,
        /// Which step failed.
        #[serde(with = "StartFailureDef")]
        failure: StartFailure,
        /// Why.
        message: String,
        /// When.
        at: u64,
    },
    /// A created container is about to be started: from here on its program may have run.
    Starting {
        /// Which.
        #[serde(with = "InstanceDef")]
        instance: Instance,
        /// When.
        at: u64,
    },
    /// A container's program runs.
    Started {
        /// Which.
        #[serde(with = "InstanceDef")]
        instance: Instance,
        /// When.
        at: u64,
    },
    /// A container's program ended.
    Exited {
        /// Which.
        #[serde(with = "InstanceDef")]
        instance: Instance,
        /// How.
        #[serde(with = "ExitDef")]
        exit: Exit,
    },
    /// A created container is gone without having run.
    Discarded {
        /// Which.
        #[serde(with = "InstanceDef")]
        instance: Instance,
    },
    /// A running container is to end although its pod lives on: written before anything is done to end it.
    Retired {
        /// Which.
        #[serde(with = "InstanceDef")]
        instance: Instance,
        /// Why.
        #[serde(with = "StopReasonDef")]
        reason: StopReason,
        /// When.
        at: u64,
    },
    /// Every container is to run again, from the first init step on: written before anything is done to end those that
    /// run.
    RestartAll {
        /// Which walk through the steps begins.
        walk: u32,
        /// Whose end asked for it.
        #[serde(with = "InstanceDef")]
        because: Instance,
        /// When.
        at: u64,
    },
    /// A hook ended.
    HookDone {
        /// Whose.
        #[serde(with = "InstanceDef")]
        instance: Instance,
        /// Which.
        #[serde(with = "HookDef")]
        hook: Hook,
        /// `Err` carries the cause.
        outcome: Result<(), String>,
        /// When.
        at: u64,
    },
    /// Nothing runs in the sandbox any more, and nothing will.
    Gone {
        /// When.
        at: u64,
    },
}

impl Record {
    /// The instance whose creation this announces.
    pub(crate) fn creating(&self) -> Option<&Instance> {
        match self {
            Record::Creating { instance, .. } => Some(instance),
            Record::Begun { .. }
            | Record::Ready { .. }
            | Record::Created { .. }
            | Record::StartFailed { .. }
            | Record::Starting { .. }
            | Record::Started { .. }
            | Record::Exited { .. }
            | Record::Discarded { .. }
            | Record::Retired { .. }
            | Record::RestartAll { .. }
            | Record::HookDone { .. }
            | Record::Gone { .. } => None,
        }
    }

    /// The event that says this to the worker; none for what is written for recovery's sake alone.
    pub(crate) fn event(&self, attempt: u32) -> Option<Event> {
        Some(match self.clone() {
            Record::Begun { .. } | Record::Creating { .. } => return None,
            Record::Ready { pod_ip, host_ip, at } => Event::SandboxReady { attempt, pod_ip, host_ip, at: Now(at) },
            Record::Created { instance, id, image_id, user, at } => {
                let user = user.map(|(uid, gid, groups)| User { uid, gid, groups });
                Event::Created { instance, id, image_id, user, at: Now(at) }
            }
            Record::StartFailed { instance, failure, message, at } => {
                Event::StartFailed { instance, failure, message, at: Now(at) }
            }
            Record::Starting { instance, at } => Event::Starting { instance, at: Now(at) },
            Record::Started { instance, at } => Event::Started { instance, at: Now(at) },
            Record::Exited { instance, exit } => Event::Exited { instance, exit },
            Record::Discarded { instance } => Event::Discarded { instance },
            Record::Retired { instance, reason, at } => Event::Retired { instance, reason, at: Now(at) },
            Record::RestartAll { walk, because, at } => Event::RestartAll { walk, because, at: Now(at) },
            Record::HookDone { instance, hook, outcome, at } => {
                Event::HookDone { instance, hook, outcome, at: Now(at) }
            }
            Record::Gone { at } => Event::SandboxGone { attempt, at: Now(at) },
        })
    }
}

// The pod's words in serialised form: the pure crate knows no serialisation.

#[derive(Serialize, Deserialize)]
#[serde(remote = "PodId")]
pub(crate) struct PodIdDef {
    namespace: String,
    name: String,
    uid: String,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Instance")]
pub(crate) struct InstanceDef {
    container: String,
    attempt: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Hook")]
pub(crate) enum HookDef {
    PostStart,
    PreStop,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ProbeKind")]
pub(crate) enum ProbeKindDef {
    Startup,
    Liveness,
    Readiness,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "StartFailure")]
pub(crate) enum StartFailureDef {
    Config,
    Create,
    Run,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "StopReason")]
pub(crate) enum StopReasonDef {
    PostStart,
    Changed,
    Startup,
    Liveness,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Now")]
struct NowDef(u64);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Exit")]
pub(crate) struct ExitDef {
    code: i32,
    oom: bool,
    unknown: bool,
    id: String,
    message: String,
    #[serde(with = "NowDef")]
    started_at: Now,
    #[serde(with = "NowDef")]
    finished_at: Now,
}
