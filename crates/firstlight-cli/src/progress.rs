//! How a run comes up, step by step: pods as they are watched, folded into lines worth saying.
//!
//! The board is pure: it is told each pod and the time, and answers with what changed. How that is shown is
//! the business of [`show`].

pub(crate) mod show;

use crate::manifest::text;
use crate::readiness::{self, Readiness};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything seen so far. Times are lengths since the run began.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pods: BTreeMap<String, PodView>,
}

#[derive(Debug, Default)]
struct PodView {
    uid: String,
    first_seen: Duration,
    steps: Vec<Step>,
    ip: String,
    readiness: Option<Readiness>,
    ready_after: Option<Duration>,
}

/// A pod as the summary shows it.
pub(crate) struct Summary<'a> {
    /// `namespace/name`.
    pub(crate) pod: &'a str,
    /// Its address.
    pub(crate) ip: &'a str,
    /// Its containers, inits first.
    pub(crate) steps: &'a [Step],
    /// When it became ready, counted from when it was first seen.
    pub(crate) ready: Option<Duration>,
}

/// One container of a pod, as a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The container's name.
    pub(crate) name: String,
    /// Which of how many inits it is; `None` for a main container.
    pub(crate) position: Option<(usize, usize)>,
    state: StepState,
    /// When it became what it is.
    since: Duration,
    /// How long it took to finish (an init) or, from when its turn came, to become ready (a main). Not known of what was
    /// over when it was first seen.
    pub(crate) took: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum StepState {
    Untouched,
    Waiting(String),
    Running,
    Ready,
    Done,
    Ended(String),
}

/// Something worth saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// `namespace/name`.
    pub(crate) pod: String,
    /// The container, or `None` for the pod as a whole.
    pub(crate) step: Option<String>,
    /// Which of how many inits.
    pub(crate) position: Option<(usize, usize)>,
    /// What happened.
    pub(crate) what: What,
    /// When.
    pub(crate) at: Duration,
}

/// What happened to a step or a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// It runs.
    Running,
    /// An init finished, after so long if that was seen.
    Done(Option<Duration>),
    /// It became ready, after so long if that was seen.
    Ready(Option<Duration>),
    /// It waits: why.
    Waiting(String),
    /// It ended when it should not have: how.
    Ended(String),
    /// The pod will not come up: why.
    Failed(String),
    /// The pod is gone.
    Gone,
}

impl Board {
    /// Takes a pod in and says what changed.
    pub(crate) fn fold(&mut self, pod: &Value, now: Duration) -> Vec<Line> {
        let title = format!("{}/{}", text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
        let uid = text(pod, "/metadata/uid");
        let view = self.pods.entry(title.clone()).or_default();
        if view.uid != uid {
            *view = PodView { uid: uid.to_owned(), first_seen: now, ..PodView::default() };
        }
        text(pod, "/status/podIP").clone_into(&mut view.ip);
        let mut lines = Vec::new();
        let first = view.readiness.is_none();
        // A step that is seen only when it is over began, at the earliest, when the one before it was over.
        let mut before = view.first_seen;
        for (index, status) in steps_of(pod).into_iter().enumerate() {
            if view.steps.len() <= index {
                view.steps.push(Step::new(&status, pod, view.first_seen));
            }
            let Some(step) = view.steps.get_mut(index) else { continue };
            if let Some(what) = step.advance(&status, before, first, now) {
                let (name, position) = (Some(step.name.clone()), step.position);
                lines.push(Line { pod: title.clone(), step: name, position, what, at: now });
            }
            before = step.over().map_or(before, |over| over.max(before));
        }
        lines.extend(view.settle(pod, now).map(|what| Line { pod: title, step: None, position: None, what, at: now }));
        lines
    }

    /// A pod was deleted.
    pub(crate) fn gone(&mut self, title: &str, now: Duration) -> Option<Line> {
        self.pods.remove(title)?;
        Some(Line { pod: title.to_owned(), step: None, position: None, what: What::Gone, at: now })
    }

    /// Every pod with its steps and how long each took, for the summary.
    pub(crate) fn summary(&self) -> impl Iterator<Item = Summary<'_>> {
        self.pods.iter().map(|(pod, view)| Summary { pod, ip: &view.ip, steps: &view.steps, ready: view.ready_after })
    }
}

impl PodView {
    /// What the pod as a whole has come to, if that is news.
    fn settle(&mut self, pod: &Value, now: Duration) -> Option<What> {
        let readiness = readiness::of(&with_kind(pod));
        if self.readiness.as_ref() == Some(&readiness) {
            return None;
        }
        let before = self.readiness.replace(readiness.clone());
        match readiness {
            Readiness::Ready => {
                let took = before.is_some().then(|| now.saturating_sub(self.first_seen));
                self.ready_after = self.ready_after.or(took);
                Some(What::Ready(took))
            }
            Readiness::Failed(why) => Some(What::Failed(why)),
            Readiness::Waiting(_) if before == Some(Readiness::Ready) => Some(What::Waiting("no longer ready".into())),
            Readiness::Waiting(_) => None,
        }
    }
}

impl Step {
    fn new(status: &Value, pod: &Value, first_seen: Duration) -> Step {
        let name = text(status, "/name").to_owned();
        let inits = pod.pointer("/spec/initContainers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let position = inits.iter().position(|c| text(c, "/name") == name).map(|i| (i + 1, inits.len()));
        Step { name, position, state: StepState::Untouched, since: first_seen, took: None }
    }

    /// When an init finished, or a sidecar let the next step begin.
    fn over(&self) -> Option<Duration> {
        match self.state {
            StepState::Done => Some(self.since),
            StepState::Ready => self.position.and(self.took).map(|took| self.since + took),
            StepState::Untouched | StepState::Waiting(_) | StepState::Running | StepState::Ended(_) => None,
        }
    }

    /// Takes the step's status in; news if its state changed. `before`: when the step before it was over. `first`:
    /// whether the pod is seen for the first time.
    fn advance(&mut self, status: &Value, before: Duration, first: bool, now: Duration) -> Option<What> {
        if self.state == StepState::Untouched {
            self.since = self.since.max(before);
        }
        let state = state_of(status, self.position.is_some());
        if state == self.state {
            return None;
        }
        let lasted = (!first).then(|| now.saturating_sub(self.since));
        let news = match &state {
            StepState::Untouched => None,
            StepState::Waiting(why) => Some(What::Waiting(why.clone())),
            StepState::Running => Some(What::Running),
            StepState::Ready => Some(What::Ready(lasted)),
            StepState::Done => Some(What::Done(lasted)),
            StepState::Ended(how) => Some(What::Ended(how.clone())),
        };
        if matches!(state, StepState::Done | StepState::Ready) {
            self.took = lasted;
        }
        // A main's turn begins when the inits are over: while its postStart hook runs, its status says that it waits.
        let turn_goes_on = self.position.is_none() && self.state == StepState::Untouched;
        if !matches!(state, StepState::Ready) && !turn_goes_on {
            self.since = now;
        }
        self.state = state;
        news
    }
}

fn state_of(status: &Value, init: bool) -> StepState {
    let ready = status.get("ready").and_then(Value::as_bool) == Some(true);
    if let Some(ended) = status.pointer("/state/terminated") {
        let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or(-1);
        return if code == 0 && init {
            StepState::Done
        } else {
            StepState::Ended(format!("exit code {code}, {}", text(ended, "/reason")))
        };
    }
    if status.pointer("/state/running").is_some() {
        return if ready && !(init && status.get("started").is_none()) { StepState::Ready } else { StepState::Running };
    }
    match text(status, "/state/waiting/reason") {
        "" | "PodInitializing" | "ContainerCreating" => StepState::Untouched,
        reason => match text(status, "/state/waiting/message") {
            "" => StepState::Waiting(reason.to_owned()),
            message => StepState::Waiting(format!("{reason}: {message}")),
        },
    }
}

/// Container statuses in the order of the steps.
fn steps_of(pod: &Value) -> Vec<Value> {
    ["/status/initContainerStatuses", "/status/containerStatuses"]
        .iter()
        .filter_map(|pointer| pod.pointer(pointer).and_then(Value::as_array))
        .flatten()
        .cloned()
        .collect()
}

/// Items of a list carry no kind.
fn with_kind(pod: &Value) -> Value {
    let mut pod = pod.clone();
    if let Some(map) = pod.as_object_mut() {
        map.insert("kind".to_owned(), Value::String("Pod".to_owned()));
    }
    pod
}

#[cfg(test)]
mod tests;
