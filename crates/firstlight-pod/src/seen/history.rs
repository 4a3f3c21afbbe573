//! One container through all its instances.
//!
//! ```text
//!            asked                    Started                 Exited
//!  (none) ─────────► Next::Coming ───────────────► Next::Live ───────► Past ─┐
//!     ▲              Idle ⇄ Pulling → Pulled → Creating → Created → Starting │
//!     └──────────────────────────── the next attempt ◄──────────────────────┘
//! ```
//!
//! What the API said when the worker began is taken as past: a container said to be running counts as lost until
//! the sandbox's journal proves that it runs or tells its true end.

use super::streaks::Streaks;
use crate::action::{Launch, Signal};
use crate::event::{Exit, Hook, ProbeKind, StartFailure};
use crate::status::{ContainerStatus, State, Terminated};
use crate::time::Now;

/// How a container id reads in the API.
const ID_SCHEME: &str = "firstlight://";

/// Everything known about one container of the pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct History {
    /// The instance that is being made or lives.
    pub(crate) next: Option<Next>,
    /// The newest instance that ended.
    pub(crate) past: Option<Past>,
    /// How the instance before `past` ended.
    pub(crate) before: Option<Terminated>,
    pub(crate) crashes: Option<Crashes>,
    /// What the API said of an instance that ran when the worker began.
    kept: Option<Kept>,
}

/// The newest instance, before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    Coming(Coming),
    Live(Box<Live>),
}

/// An instance on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coming {
    pub(crate) attempt: u32,
    /// Since when it is its turn; `None` while everything for it is done ahead.
    pub(crate) turn: Option<Now>,
    pub(crate) stage: Stage,
    /// With what it was asked to be created; unknown if another engine asked.
    pub(crate) launch: Option<Box<Launch>>,
    /// Why the last try failed.
    pub(crate) tried: Option<Tried>,
    /// Creating it ahead was refused or failed: no second try before its turn.
    pub(crate) not_ahead: bool,
    pub(crate) image_id: String,
}

/// How far an instance has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    Pulling { since: Now, transfer: bool },
    Pulled,
    Creating { since: Now, ahead: bool },
    Created { id: String, ahead: bool },
    Discarding { since: Now },
    Starting { since: Now, id: String },
}

/// A try to create a container that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) failure: StartFailure,
    pub(crate) message: String,
    pub(crate) at: Now,
}

/// An instance whose process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) attempt: u32,
    pub(crate) sandbox: Option<u32>,
    pub(crate) id: String,
    pub(crate) image_id: String,
    /// The reference it was created from; unknown if another engine created it and the API never said.
    pub(crate) image: Option<String>,
    pub(crate) since: Now,
    pub(crate) post_start: HookRun,
    pub(crate) pre_stop: HookRun,
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

/// An instance that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) attempt: u32,
    /// The sandbox generation it ran in; unknown if only the API told of it.
    pub(crate) sandbox: Option<u32>,
    pub(crate) image_id: String,
    pub(crate) terminated: Terminated,
    /// Its end was not observed; the journal may still tell it.
    pub(crate) lost: bool,
    /// The instance as it was when it ended, if this worker saw it live: why it was stopped.
    pub(crate) live: Option<Box<Live>>,
}

/// The memory of crash back-off (section 1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crashes {
    /// Restarts counted so far; the delay doubles with each.
    pub(crate) restarts: u32,
    /// When the last restart was made.
    pub(crate) at: Now,
    /// The image this count is about (BKF-5); unknown if another engine restarted it.
    pub(crate) image: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    attempt: u32,
    id: String,
    image: String,
    image_id: String,
    ready: bool,
    started: bool,
}

impl History {
    /// The history of a container nothing is known of.
    pub(crate) const NONE: History = History { next: None, past: None, before: None, crashes: None, kept: None };

    /// The number the next instance has: a number is used again only if nothing ever ran under it.
    pub(crate) fn next_attempt(&self) -> u32 {
        match (&self.next, &self.past) {
            (Some(Next::Coming(coming)), _) => coming.attempt,
            (Some(Next::Live(live)), _) => live.attempt.saturating_add(1),
            (None, Some(past)) => past.attempt.saturating_add(1),
            (None, None) => 0,
        }
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.next {
            Some(Next::Live(live)) => Some(live),
            Some(Next::Coming(_)) | None => None,
        }
    }

    pub(crate) fn coming(&self) -> Option<&Coming> {
        match &self.next {
            Some(Next::Coming(coming)) => Some(coming),
            Some(Next::Live(_)) | None => None,
        }
    }

    /// Whether its process runs, or may.
    pub(crate) fn may_run(&self) -> bool {
        match &self.next {
            Some(Next::Live(_)) => true,
            Some(Next::Coming(coming)) => matches!(coming.stage, Stage::Starting { .. }),
            None => false,
        }
    }

    /// Whether its turn has come in this sandbox: durable evidence, not leftovers (B1).
    pub(crate) fn had_turn_in(&self, sandbox: Option<u32>) -> bool {
        let now = match &self.next {
            Some(Next::Coming(coming)) => coming.turn.is_some(),
            Some(Next::Live(_)) => true,
            None => false,
        };
        now || self.past_in(sandbox).is_some()
    }

    /// The newest instance that ended in this sandbox.
    pub(crate) fn past_in(&self, sandbox: Option<u32>) -> Option<&Past> {
        self.past.as_ref().filter(|past| past.sandbox.is_some() && past.sandbox == sandbox)
    }

    // What was said before this worker began.

    pub(super) fn told(&mut self, told: &ContainerStatus, now: Now) {
        let past = |terminated: Terminated, lost: bool| Past {
            attempt: told.restart_count,
            sandbox: None,
            image_id: told.image_id.clone(),
            terminated,
            lost,
            live: None,
        };
        match &told.state {
            State::Waiting { .. } => {
                let last_id = told.last.as_ref().map_or("", |last| last.container_id.as_str());
                if told.container_id.is_empty() || told.container_id == last_id {
                    self.past = told.last.clone().map(|last| past(last, false));
                } else {
                    // It had started, and its post-start hook was not over.
                    self.past = Some(past(lost(now, now, &told.container_id), true));
                    self.before.clone_from(&told.last);
                }
            }
            State::Terminated(terminated) => {
                self.past = Some(past(terminated.clone(), false));
                self.before.clone_from(&told.last);
            }
            State::Running { since } => {
                self.past = Some(past(lost(*since, now, &told.container_id), true));
                self.before.clone_from(&told.last);
                self.kept = Some(Kept {
                    attempt: told.restart_count,
                    id: told.container_id.trim_start_matches(ID_SCHEME).to_owned(),
                    image: told.image.clone(),
                    image_id: told.image_id.clone(),
                    ready: told.ready,
                    started: told.started == Some(true),
                });
            }
        }
    }

    // What was asked.

    fn coming_mut(&mut self, attempt: u32) -> Option<&mut Coming> {
        match &mut self.next {
            Some(Next::Coming(coming)) if coming.attempt == attempt => Some(coming),
            Some(Next::Coming(_) | Next::Live(_)) | None => None,
        }
    }

    fn live_mut(&mut self, attempt: u32) -> Option<&mut Live> {
        match &mut self.next {
            Some(Next::Live(live)) if live.attempt == attempt => Some(live),
            Some(Next::Coming(_) | Next::Live(_)) | None => None,
        }
    }

    /// The coming instance of this number, made if it is news; `None` if a newer one or its end is known.
    fn enter(&mut self, attempt: u32) -> Option<&mut Coming> {
        let known = match &self.next {
            Some(Next::Coming(coming)) => coming.attempt >= attempt,
            Some(Next::Live(live)) => live.attempt >= attempt,
            None => false,
        };
        let over = self.past.as_ref().is_some_and(|past| past.attempt >= attempt);
        if !known && !over {
            self.next = Some(Next::Coming(Coming {
                attempt,
                turn: None,
                stage: Stage::Idle,
                launch: None,
                tried: None,
                not_ahead: false,
                image_id: String::new(),
            }));
        }
        self.coming_mut(attempt)
    }

    /// Its turn begins: from here on a restart is counted (BKF-2).
    fn take_turn(&mut self, attempt: u32, image: Option<&str>, at: Now) {
        let Some(coming) = self.enter(attempt) else { return };
        if coming.turn.is_none() {
            coming.turn = Some(at);
            self.count_restart(image, at);
        }
    }

    fn count_restart(&mut self, image: Option<&str>, at: Now) {
        if let Some(past) = &self.past {
            self.crashes = Some(Crashes::after(self.crashes.take(), past.terminated.finished_at, image, at));
        }
    }

    pub(super) fn pull_asked(&mut self, attempt: u32, image: &str, at: Now) {
        self.take_turn(attempt, Some(image), at);
        if let Some(coming) = self.coming_mut(attempt) {
            coming.stage = Stage::Pulling { since: at, transfer: false };
        }
    }

    pub(super) fn create_asked(&mut self, attempt: u32, launch: &Launch, ahead: bool, at: Now) {
        if !ahead {
            self.take_turn(attempt, Some(&launch.image), at);
        }
        if let Some(coming) = self.enter(attempt) {
            coming.launch = Some(Box::new(launch.clone()));
            coming.stage = Stage::Creating { since: at, ahead };
        }
    }

    pub(super) fn discard_asked(&mut self, attempt: u32, at: Now) {
        if let Some(coming) = self.coming_mut(attempt) {
            coming.stage = Stage::Discarding { since: at };
        }
    }

    pub(super) fn start_asked(&mut self, attempt: u32, at: Now) {
        let image = self.coming().and_then(|coming| coming.launch.as_ref()).map(|launch| launch.image.clone());
        self.take_turn(attempt, image.as_deref(), at);
        if let Some(coming) = self.coming_mut(attempt) {
            let id = match &coming.stage {
                Stage::Created { id, .. } => id.clone(),
                Stage::Idle
                | Stage::Pulling { .. }
                | Stage::Pulled
                | Stage::Creating { .. }
                | Stage::Discarding { .. }
                | Stage::Starting { .. } => String::new(),
            };
            coming.stage = Stage::Starting { since: at, id };
        }
    }

    pub(super) fn hook_asked(&mut self, attempt: u32, hook: Hook, at: Now) {
        let Some(live) = self.live_mut(attempt) else { return };
        match hook {
            Hook::PostStart => live.post_start = HookRun::Asked(at),
            Hook::PreStop => {
                live.stop_asked.get_or_insert(at);
                live.pre_stop = HookRun::Asked(at);
            }
        }
    }

    pub(super) fn signal_asked(&mut self, attempt: u32, signal: &Signal, at: Now) {
        let Some(live) = self.live_mut(attempt) else { return };
        live.stop_asked.get_or_insert(at);
        match signal {
            Signal::Stop => live.stop_signal.get_or_insert(at),
            Signal::Kill => live.kill_signal.get_or_insert(at),
        };
    }

    pub(super) fn probe_asked(&mut self, attempt: u32, probe: ProbeKind, at: Now) {
        if let Some(live) = self.live_mut(attempt) {
            let tries = live.tries_mut(probe);
            tries.under_way = true;
            tries.last_asked = Some(at);
        }
    }

    // What happened.

    pub(super) fn transfer_begins(&mut self, attempt: u32) {
        if let Some(Coming { stage: Stage::Pulling { transfer, .. }, .. }) = self.coming_mut(attempt) {
            *transfer = true;
        }
    }

    pub(super) fn image_ready(&mut self, attempt: u32, image_id: &str) {
        if let Some(coming) = self.coming_mut(attempt)
            && matches!(coming.stage, Stage::Pulling { .. })
        {
            coming.image_id = image_id.to_owned();
            coming.stage = Stage::Pulled;
        }
    }

    pub(super) fn image_failed(&mut self, attempt: u32) {
        if let Some(coming) = self.coming_mut(attempt)
            && matches!(coming.stage, Stage::Pulling { .. })
        {
            coming.stage = Stage::Idle;
        }
    }

    pub(super) fn created(&mut self, attempt: u32, id: &str, image_id: &str) {
        let Some(coming) = self.enter(attempt) else { return };
        let ahead = matches!(coming.stage, Stage::Creating { ahead: true, .. });
        coming.tried = None;
        coming.image_id = image_id.to_owned();
        coming.stage = Stage::Created { id: id.to_owned(), ahead };
    }

    pub(super) fn not_ahead(&mut self, attempt: u32) {
        if let Some(coming) = self.coming_mut(attempt)
            && matches!(coming.stage, Stage::Creating { .. })
        {
            coming.not_ahead = true;
            coming.stage = Stage::Idle;
        }
    }

    pub(super) fn discarded(&mut self, attempt: u32) {
        if let Some(coming) = self.coming_mut(attempt) {
            coming.stage = Stage::Idle;
            coming.launch = None;
        }
    }

    pub(super) fn start_failed(
        &mut self,
        attempt: u32,
        sandbox: Option<u32>,
        failure: StartFailure,
        message: &str,
        at: Now,
    ) {
        match failure {
            StartFailure::Config | StartFailure::Create => {
                let Some(coming) = self.coming_mut(attempt) else { return };
                match coming.stage {
                    Stage::Creating { ahead: true, .. } => coming.not_ahead = true,
                    Stage::Idle
                    | Stage::Pulling { .. }
                    | Stage::Pulled
                    | Stage::Creating { .. }
                    | Stage::Created { .. }
                    | Stage::Discarding { .. }
                    | Stage::Starting { .. } => {
                        coming.tried = Some(Tried { failure, message: message.to_owned(), at });
                    }
                }
                coming.stage = Stage::Idle;
            }
            StartFailure::Run => {
                let id = self.id_of(attempt);
                let terminated = Terminated {
                    code: 128,
                    reason: "StartError".to_owned(),
                    message: message.to_owned(),
                    started_at: at,
                    finished_at: at,
                    container_id: with_scheme(&id),
                };
                self.end(attempt, sandbox, terminated, false);
            }
        }
    }

    pub(super) fn started(&mut self, attempt: u32, sandbox: Option<u32>, at: Now) {
        if let Some(past) = self.past.as_ref().filter(|past| past.attempt >= attempt) {
            if past.attempt > attempt || !past.lost {
                return;
            }
            // Said to run, and the journal proves it: the instance lives on.
            self.past = self.before.take().map(|terminated| Past {
                attempt: attempt.saturating_sub(1),
                sandbox: None,
                image_id: String::new(),
                terminated,
                lost: false,
                live: None,
            });
        }
        if self.live().is_some_and(|live| live.attempt >= attempt) {
            return;
        }
        let kept = self.kept.take().filter(|kept| kept.attempt == attempt);
        let Some(coming) = self.enter(attempt) else { return };
        let unturned = coming.turn.is_none();
        let live = Live::new(coming, sandbox, at, kept.as_ref());
        if unturned {
            self.count_restart(None, at);
        }
        self.next = Some(Next::Live(Box::new(live)));
    }

    pub(super) fn exited(&mut self, attempt: u32, sandbox: Option<u32>, exit: &Exit) {
        let terminated = Terminated {
            code: exit.code,
            reason: exit_reason(exit).to_owned(),
            message: exit.message.clone(),
            started_at: exit.started_at,
            finished_at: exit.finished_at,
            container_id: with_scheme(&exit.id),
        };
        self.end(attempt, sandbox, terminated, false);
    }

    pub(super) fn hook_done(&mut self, attempt: u32, hook: Hook, outcome: &Result<(), String>, _at: Now) {
        let Some(live) = self.live_mut(attempt) else { return };
        let run = match outcome {
            Ok(()) => HookRun::Done,
            Err(message) => HookRun::Failed(message.clone()),
        };
        match hook {
            Hook::PostStart => live.post_start = run,
            Hook::PreStop => live.pre_stop = run,
        }
    }

    pub(super) fn probed(&mut self, attempt: u32, probe: ProbeKind, success: bool) {
        if let Some(live) = self.live_mut(attempt) {
            let tries = live.tries_mut(probe);
            tries.under_way = false;
            tries.streaks.push(success);
        }
    }

    /// The sandbox ended, and with it whatever ran in it; what was only created leaves no trace.
    pub(super) fn lost(&mut self, at: Now) {
        let (attempt, sandbox, since, id) = match &self.next {
            Some(Next::Live(live)) => (live.attempt, live.sandbox, live.since, live.id.clone()),
            Some(Next::Coming(Coming { attempt, stage: Stage::Starting { since, id }, .. })) => {
                (*attempt, None, *since, id.clone())
            }
            Some(Next::Coming(_)) => {
                self.next = None;
                return;
            }
            None => return,
        };
        self.end(attempt, sandbox, lost(since, at, &with_scheme(&id)), true);
    }

    /// What ended did so in no sandbox that is still there.
    pub(super) fn past_is_elsewhere(&mut self) {
        if let Some(past) = &mut self.past {
            past.sandbox = None;
        }
    }

    fn id_of(&self, attempt: u32) -> String {
        match &self.next {
            Some(Next::Coming(Coming { attempt: known, stage, .. })) if *known == attempt => match stage {
                Stage::Created { id, .. } | Stage::Starting { id, .. } => id.clone(),
                Stage::Idle
                | Stage::Pulling { .. }
                | Stage::Pulled
                | Stage::Creating { .. }
                | Stage::Discarding { .. } => String::new(),
            },
            Some(Next::Live(live)) if live.attempt == attempt => live.id.clone(),
            Some(Next::Coming(_) | Next::Live(_)) | None => String::new(),
        }
    }

    fn end(&mut self, attempt: u32, sandbox: Option<u32>, terminated: Terminated, lost: bool) {
        if let Some(past) = self.past.as_mut().filter(|past| past.attempt >= attempt) {
            if past.attempt == attempt {
                past.sandbox = sandbox.or(past.sandbox);
                past.terminated = terminated;
                past.lost = lost;
            }
            return;
        }
        let newer = match &self.next {
            Some(Next::Coming(coming)) => coming.attempt > attempt,
            Some(Next::Live(live)) => live.attempt > attempt,
            None => false,
        };
        if newer {
            return;
        }
        let (image_id, live) = match self.next.take() {
            Some(Next::Live(live)) => (live.image_id.clone(), Some(live)),
            Some(Next::Coming(coming)) => (coming.image_id, None),
            None => (String::new(), None),
        };
        self.before = self.past.take().map(|past| past.terminated);
        self.past = Some(Past { attempt, sandbox, image_id, terminated, lost, live });
    }
}

impl Live {
    fn new(coming: &Coming, sandbox: Option<u32>, since: Now, kept: Option<&Kept>) -> Live {
        let id = match &coming.stage {
            Stage::Created { id, .. } | Stage::Starting { id, .. } => Some(id.clone()),
            Stage::Idle | Stage::Pulling { .. } | Stage::Pulled | Stage::Creating { .. } | Stage::Discarding { .. } => {
                None
            }
        };
        Live {
            attempt: coming.attempt,
            sandbox,
            id: id.or_else(|| kept.map(|kept| kept.id.clone())).unwrap_or_default(),
            image_id: kept.map_or_else(|| coming.image_id.clone(), |kept| kept.image_id.clone()),
            image: coming
                .launch
                .as_ref()
                .map(|launch| launch.image.clone())
                .or_else(|| kept.map(|kept| kept.image.clone())),
            since,
            // Only a container whose post-start hook is over is ever said to run (SID-2).
            post_start: if kept.is_some() { HookRun::Done } else { HookRun::Idle },
            pre_stop: HookRun::Idle,
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

    fn tries_mut(&mut self, probe: ProbeKind) -> &mut Tries {
        match probe {
            ProbeKind::Startup => &mut self.startup,
            ProbeKind::Liveness => &mut self.liveness,
            ProbeKind::Readiness => &mut self.readiness,
        }
    }
}

/// A container id as the API shows it; empty if it is unknown.
pub(crate) fn with_scheme(id: &str) -> String {
    if id.is_empty() || id.starts_with(ID_SCHEME) { id.to_owned() } else { format!("{ID_SCHEME}{id}") }
}

/// STA-6.
fn exit_reason(exit: &Exit) -> &'static str {
    if exit.oom {
        "OOMKilled"
    } else if exit.unknown {
        "Unknown"
    } else if exit.code == 0 {
        "Completed"
    } else {
        "Error"
    }
}

/// STA-8: the words, blanks included, are Kubernetes'.
fn lost(started_at: Now, at: Now, container_id: &str) -> Terminated {
    Terminated {
        code: 137,
        reason: "ContainerStatusUnknown".to_owned(),
        message: "The container could not be located when the pod was deleted.  The container used to be Running"
            .to_owned(),
        started_at,
        finished_at: at,
        container_id: container_id.to_owned(),
    }
}
