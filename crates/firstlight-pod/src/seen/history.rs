//! One container through all its instances.
//!
//! ```text
//!            asked                    Started                 Exited
//!  (none) ─────────► Next::Coming ───────────────► Next::Live ───────► Past ─┐
//!     ▲              Idle ⇄ Pulling → Pulled → Creating → Created → Starting │
//!     └──────────────────────────── the next attempt ◄──────────────────────┘
//! ```
//!
//! Two sources tell of it, each of its own authority. Events, and first of all those of the sandbox's journal, say what
//! happened: folded from the first on they come to the same, whether heard live or replayed after a restart. The API
//! says what watchers were told, also of instances in sandboxes that are gone. So what the API told lies beside the
//! fold, not in its way, and counts only until an event tells of the same instance or a later one.
//!
//! | file | what it takes in |
//! | --- | --- |
//! | `told.rs` | what the API said when the worker began |
//! | `asked.rs` | what was asked of the runtime |
//! | `happened.rs` | what happened |
//! | `live.rs` | an instance while its process runs |

mod asked;
mod happened;
mod live;
mod told;

use crate::action::Launch;
use crate::event::{StartFailure, StopReason};
use crate::seen::walk::Walk;
use crate::status::{REMOVED, RESTARTING_ALL, Terminated, User};
use crate::time::Now;
pub(crate) use live::{HookRun, Live};
pub(crate) use told::with_scheme;
use told::{ID_SCHEME, Told};

/// Everything known about one container of the pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct History {
    next: Option<Next>,
    past: Option<Past>,
    before: Option<Terminated>,
    pub(crate) crashes: Option<Crashes>,
    /// What the API said when the worker began, while no event told of that instance or a later one.
    told: Option<Told>,
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
    /// The back-off as it was before this restart was counted: one that never comes to anything does not count.
    counted_from: Option<Box<Option<Crashes>>>,
    /// With what it was asked to be created; unknown if another engine asked.
    pub(crate) launch: Option<Box<Launch>>,
    /// Why the last try failed.
    pub(crate) tried: Option<Tried>,
    /// Creating it ahead was refused or failed: no second try before its turn.
    pub(crate) not_ahead: bool,
    /// The container's id, since it was created last.
    pub(crate) id: String,
    pub(crate) image_id: String,
    pub(crate) user: Option<User>,
    /// The walk it was about to start in, if that is over: whatever comes of it belongs there.
    pub(crate) left: Option<Walk>,
}

/// How far an instance has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    Pulling {
        since: Now,
        transfer: bool,
    },
    /// The image asked for is here.
    Pulled {
        image: String,
    },
    Creating {
        since: Now,
        ahead: bool,
    },
    Created {
        ahead: bool,
    },
    Discarding {
        since: Now,
    },
    Starting {
        since: Now,
    },
}

/// A try to create a container that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) failure: StartFailure,
    pub(crate) message: String,
    pub(crate) at: Now,
}

/// An instance that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) attempt: u32,
    /// The walk it ran in; unknown if only the API told of it.
    pub(crate) walk: Option<Walk>,
    pub(crate) image_id: String,
    pub(crate) user: Option<User>,
    pub(crate) terminated: Terminated,
    /// Its end was not observed; the journal may still tell it.
    pub(crate) lost: bool,
    /// Why it was stopped, if it was for a reason of its own.
    pub(crate) retired: Option<StopReason>,
    /// Whether another instance comes after it.
    pub(crate) again: Again,
}

/// Whether another instance comes after one that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Again {
    /// As its end decides.
    #[default]
    Judged,
    /// Whatever its end alone says: watchers were told so.
    Told,
    /// Whatever its end alone says: all containers were restarted, because of its end or of another's.
    WithAll {
        /// Its end is the reason.
        its_own: bool,
    },
    /// As the last: it ran until it was ended by a restart of all containers.
    Removed,
}

impl Again {
    /// Whether the next instance comes because another container's end asked for it: that is no crash of its own.
    pub(crate) fn is_for_anothers_sake(self) -> bool {
        matches!(self, Again::WithAll { its_own: false } | Again::Removed)
    }
}

impl Past {
    /// Its end, as watchers are told it: one that a restart of all containers made leaves no other trace (RST-12).
    pub(crate) fn told_end(&self) -> Terminated {
        match self.again {
            Again::Removed => Terminated {
                code: 137,
                reason: RESTARTING_ALL.to_owned(),
                message: REMOVED.to_owned(),
                ..self.terminated.clone()
            },
            Again::Judged | Again::Told | Again::WithAll { .. } => self.terminated.clone(),
        }
    }
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

impl History {
    /// The history of a container nothing is known of.
    pub(crate) const NONE: History = History { next: None, past: None, before: None, crashes: None, told: None };

    /// The instance that is being made or lives. One that was only being made when the API tells of a later one is long
    /// gone; one that lives does so whatever the API tells.
    pub(crate) fn next(&self) -> Option<&Next> {
        let told = self.told.as_ref().map(|told| told.past.attempt);
        self.next.as_ref().filter(|next| match next {
            Next::Coming(coming) => told.is_none_or(|told| told < coming.attempt),
            Next::Live(_) => true,
        })
    }

    /// The newest instance that ended.
    pub(crate) fn past(&self) -> Option<&Past> {
        self.told.as_ref().map(|told| &told.past).or(self.past.as_ref())
    }

    /// How the instance before [`History::past`] ended.
    pub(crate) fn before(&self) -> Option<&Terminated> {
        match &self.told {
            Some(told) => told.before.as_ref().map(|before| &before.terminated),
            None => self.before.as_ref(),
        }
    }

    /// The number the next instance has: a number is used again only if nothing ever ran under it.
    pub(crate) fn next_attempt(&self) -> u32 {
        match (self.next(), self.past()) {
            (Some(Next::Coming(coming)), _) => coming.attempt,
            (Some(Next::Live(live)), past) => live.attempt.max(past.map_or(0, |past| past.attempt)).saturating_add(1),
            (None, Some(past)) => past.attempt.saturating_add(1),
            (None, None) => 0,
        }
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        match self.next() {
            Some(Next::Live(live)) => Some(live),
            Some(Next::Coming(_)) | None => None,
        }
    }

    pub(crate) fn coming(&self) -> Option<&Coming> {
        match self.next() {
            Some(Next::Coming(coming)) => Some(coming),
            Some(Next::Live(_)) | None => None,
        }
    }

    /// The ids of its newest instances; some may be empty.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        let next = self.next().map(|next| match next {
            Next::Coming(coming) => coming.id.as_str(),
            Next::Live(live) => live.id.as_str(),
        });
        let past = self.past().map(|past| past.terminated.container_id.trim_start_matches(ID_SCHEME));
        next.into_iter().chain(past)
    }

    /// Whether its process runs, or may.
    pub(crate) fn may_run(&self) -> bool {
        match self.next() {
            Some(Next::Live(_)) => true,
            Some(Next::Coming(coming)) => matches!(coming.stage, Stage::Starting { .. }),
            None => false,
        }
    }

    /// Whether its turn has come in this walk: durable evidence, not leftovers (B1).
    pub(crate) fn had_turn_in(&self, walk: Option<Walk>) -> bool {
        let now = match self.next() {
            Some(Next::Coming(coming)) => coming.turn.is_some() && coming.left.is_none(),
            Some(Next::Live(_)) => self.live_in(walk).is_some(),
            None => false,
        };
        now || self.past_in(walk).is_some()
    }

    /// The newest instance, if it ended in this walk.
    pub(crate) fn past_in(&self, walk: Option<Walk>) -> Option<&Past> {
        self.past().filter(|past| past.walk.is_some() && past.walk == walk)
    }

    /// The instance that runs, if it belongs to this walk.
    pub(crate) fn live_in(&self, walk: Option<Walk>) -> Option<&Live> {
        self.live().filter(|live| !Walk::is_over(live.walk, walk))
    }

    /// Whether what may run belongs to a walk that is over.
    pub(crate) fn is_left_from(&self, walk: Option<Walk>) -> bool {
        match self.next() {
            Some(Next::Coming(coming)) => coming.left.is_some(),
            Some(Next::Live(live)) => Walk::is_over(live.walk, walk),
            None => false,
        }
    }

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
                counted_from: None,
                launch: None,
                tried: None,
                not_ahead: false,
                id: String::new(),
                image_id: String::new(),
                user: None,
                left: None,
            }));
        }
        self.coming_mut(attempt)
    }

    /// Its turn begins: from here on a restart is counted (BKF-2).
    fn take_turn(&mut self, attempt: u32, image: Option<&str>, at: Now) {
        let Some(coming) = self.enter(attempt) else { return };
        if coming.turn.is_none() {
            coming.turn = Some(at);
            let before = self.crashes.clone();
            if let Some(coming) = self.coming_mut(attempt) {
                coming.counted_from = Some(Box::new(before));
            }
            self.count_restart(attempt, image, at);
        }
    }

    fn count_restart(&mut self, attempt: u32, image: Option<&str>, at: Now) {
        // A first instance is no restart.
        if attempt > 0 {
            let told = self.told.as_ref().map(|told| &told.past);
            let earlier = [told, self.past.as_ref()].into_iter().flatten().filter(|past| past.attempt < attempt);
            let newest = earlier.max_by_key(|past| past.attempt);
            // It did not crash: another's end is why it runs again.
            if newest.is_some_and(|past| past.again.is_for_anothers_sake()) {
                return;
            }
            let finished = newest.map_or(at, |past| past.terminated.finished_at);
            self.crashes = Some(Crashes::after(self.crashes.take(), finished, image, at));
        }
    }
}
