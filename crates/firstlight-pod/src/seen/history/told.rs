//! What the API said of a container when the worker began.

use super::{Again, History, Past};
use crate::status::{ContainerStatus, STATUS_UNKNOWN, State, Terminated, User};
use crate::time::Now;

/// How a container id reads in the API.
pub(super) const ID_SCHEME: &str = "firstlight://";

/// What the API said of a container's newest instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The newest that ran; lost, if it was said to run.
    pub(super) past: Past,
    /// The one before it.
    pub(super) before: Option<Past>,
    /// How the newest was shown, if it was said to run.
    pub(super) kept: Option<Kept>,
}

/// What watchers know of an instance that ran when the worker began, and that no event tells again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) since: Now,
    pub(super) id: String,
    pub(super) image: String,
    pub(super) image_id: String,
    pub(super) user: Option<User>,
    pub(super) ready: bool,
    pub(super) started: bool,
}

impl History {
    pub(in crate::seen) fn told(&mut self, told: &ContainerStatus, now: Now) {
        self.told = Told::of(told, now);
    }
}

impl Told {
    /// Nothing, if no instance is said to have run.
    fn of(told: &ContainerStatus, now: Now) -> Option<Told> {
        let ended = |terminated: Terminated| {
            let lost = terminated.reason == STATUS_UNKNOWN;
            past(told.restart_count, &told.image_id, terminated, lost)
        };
        let unseen = |since: Now| past(told.restart_count, &told.image_id, lost(since, now, &told.container_id), true);
        let last = told.last.clone();
        let before = last.clone().map(|last| past(told.restart_count.saturating_sub(1), "", last, false));
        match &told.state {
            State::Waiting { .. } => {
                let last_id = last.as_ref().map_or("", |last| last.container_id.as_str());
                if told.container_id.is_empty() || told.container_id == last_id {
                    // What has ended and is said to wait was said to come again, whatever its end alone means.
                    let last = last?;
                    // What left no record is counted already.
                    let attempt = told.restart_count.saturating_sub(u32::from(last.leaves_no_record()));
                    let past = Past { attempt, again: Again::Told, ..ended(last) };
                    return Some(Told { past, before: None, kept: None });
                }
                // It had started, and its post-start hook was not over.
                Some(Told { past: unseen(now), before, kept: None })
            }
            State::Terminated(terminated) => Some(Told { past: ended(terminated.clone()), before, kept: None }),
            State::Running { since } => {
                let kept = Kept {
                    since: *since,
                    id: told.container_id.trim_start_matches(ID_SCHEME).to_owned(),
                    image: told.image.clone(),
                    image_id: told.image_id.clone(),
                    user: told.user.clone(),
                    ready: told.ready,
                    started: told.started == Some(true),
                };
                Some(Told { past: unseen(*since), before, kept: Some(kept) })
            }
        }
    }
}

/// In which sandbox it ran, the API does not tell.
fn past(attempt: u32, image_id: &str, terminated: Terminated, lost: bool) -> Past {
    Past {
        attempt,
        walk: None,
        image_id: image_id.to_owned(),
        user: None,
        terminated,
        lost,
        retired: None,
        again: Again::Judged,
    }
}

/// A container id as the API shows it; empty if it is unknown.
pub(crate) fn with_scheme(id: &str) -> String {
    if id.is_empty() || id.starts_with(ID_SCHEME) { id.to_owned() } else { format!("{ID_SCHEME}{id}") }
}

/// STA-8: the words, blanks included, are Kubernetes'.
pub(super) fn lost(started_at: Now, at: Now, container_id: &str) -> Terminated {
    Terminated {
        code: 137,
        reason: STATUS_UNKNOWN.to_owned(),
        message: "The container could not be located when the pod was deleted.  The container used to be Running"
            .to_owned(),
        started_at,
        finished_at: at,
        container_id: container_id.to_owned(),
    }
}
