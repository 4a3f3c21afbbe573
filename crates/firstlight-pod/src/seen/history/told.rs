//! What the API said of a container when the worker began.

use super::{History, Past};
use crate::status::{ContainerStatus, State, Terminated};
use crate::time::Now;

/// How a container id reads in the API.
const ID_SCHEME: &str = "firstlight://";

/// What the API said of an instance that ran when the worker began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) attempt: u32,
    pub(super) since: Now,
    pub(super) id: String,
    pub(super) image: String,
    pub(super) image_id: String,
    pub(super) ready: bool,
    pub(super) started: bool,
}

impl History {
    pub(in crate::seen) fn told(&mut self, told: &ContainerStatus, now: Now) {
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
                    since: *since,
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
}

/// A container id as the API shows it; empty if it is unknown.
pub(crate) fn with_scheme(id: &str) -> String {
    if id.is_empty() || id.starts_with(ID_SCHEME) { id.to_owned() } else { format!("{ID_SCHEME}{id}") }
}

/// STA-8: the words, blanks included, are Kubernetes'.
pub(super) fn lost(started_at: Now, at: Now, container_id: &str) -> Terminated {
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
