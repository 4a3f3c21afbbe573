//! An instance of a container while its process runs.

use super::told::Kept;
use super::{Coming, Stage};
use crate::event::{ProbeKind, StopReason};
use crate::seen::streaks::Streaks;
use crate::seen::walk::Walk;
use crate::status::User;
use crate::time::Now;

/// An instance whose process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) attempt: u32,
    /// The walk it runs in.
    pub(crate) walk: Option<Walk>,
    pub(crate) id: String,
    pub(crate) image_id: String,
    pub(crate) user: Option<User>,
    /// The reference it was created from; unknown if another engine created it and the API never said.
    pub(crate) image: Option<String>,
    pub(crate) since: Now,
    pub(crate) post_start: HookRun,
    pub(crate) pre_stop: HookRun,
    /// When it was asked to write down that it is to end although its pod lives on.
    pub(crate) retire_asked: Option<Now>,
    /// Why it is to end although its pod lives on, and since when, written down before anything was done.
    pub(crate) retired: Option<(StopReason, Now)>,
    /// When its end began: the pre-stop hook or the first signal.
    pub(crate) stop_asked: Option<Now>,
    pub(crate) stop_signal: Option<Now>,
    pub(crate) kill_signal: Option<Now>,
    pub(crate) startup: Tries,
    pub(crate) liveness: Tries,
    pub(crate) readiness: Tries,
    /// `ready` as said before this worker began; holds until a probe says otherwise (PRB-9).
    pub(crate) kept_ready: bool,
    /// `started` as said before this worker began.
    pub(crate) kept_started: bool,
}

/// How far a hook has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum HookRun {
    #[default]
    Idle,
    Asked(Now),
    Done,
    Failed(String),
}

/// The tries of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tries {
    pub(crate) under_way: bool,
    pub(crate) last_asked: Option<Now>,
    pub(crate) streaks: Streaks,
}

impl Live {
    pub(super) fn new(coming: &Coming, walk: Option<Walk>, since: Now, kept: Option<&Kept>) -> Live {
        let id = Some(coming.id.clone()).filter(|id| !id.is_empty());
        let asked = match &coming.stage {
            Stage::Starting { since } => Some(*since),
            Stage::Idle
            | Stage::Pulling { .. }
            | Stage::Pulled { .. }
            | Stage::Creating { .. }
            | Stage::Created { .. }
            | Stage::Discarding { .. } => None,
        };
        Live {
            attempt: coming.attempt,
            walk: coming.left.or(walk),
            id: id.or_else(|| kept.map(|kept| kept.id.clone())).unwrap_or_default(),
            user: coming.user.clone().or_else(|| kept.and_then(|kept| kept.user.clone())),
            image_id: kept.map_or_else(|| coming.image_id.clone(), |kept| kept.image_id.clone()),
            image: coming
                .launch
                .as_ref()
                .map(|launch| launch.image.clone())
                .or_else(|| kept.map(|kept| kept.image.clone())),
            // What watchers were told stays so; else no clock makes it start before that was asked.
            since: kept.map_or(since.max(asked.unwrap_or(since)), |kept| kept.since),
            // Only a container whose post-start hook is over is ever said to run (SID-2).
            post_start: if kept.is_some() { HookRun::Done } else { HookRun::Idle },
            pre_stop: HookRun::Idle,
            retire_asked: None,
            retired: None,
            stop_asked: None,
            stop_signal: None,
            kill_signal: None,
            startup: Tries::default(),
            liveness: Tries::default(),
            readiness: Tries::default(),
            kept_ready: kept.is_some_and(|kept| kept.ready),
            kept_started: kept.is_some_and(|kept| kept.started),
        }
    }

    pub(crate) fn tries(&self, probe: ProbeKind) -> &Tries {
        match probe {
            ProbeKind::Startup => &self.startup,
            ProbeKind::Liveness => &self.liveness,
            ProbeKind::Readiness => &self.readiness,
        }
    }

    pub(super) fn tries_mut(&mut self, probe: ProbeKind) -> &mut Tries {
        match probe {
            ProbeKind::Startup => &mut self.startup,
            ProbeKind::Liveness => &mut self.liveness,
            ProbeKind::Readiness => &mut self.readiness,
        }
    }
}
