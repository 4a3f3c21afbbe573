//! What people are told as Kubernetes Events (section 1.12), derived from what happened.

use crate::event::Event;
use crate::plan::Wait;
use crate::seen::Seen;
use crate::spec::Spec;

/// A Kubernetes Event to record about the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `Warning` rather than `Normal`.
    pub warning: bool,
    /// CamelCase: `Pulled`, `BackOff`, ...
    pub reason: &'static str,
    /// The message, word for word as Kubernetes says it.
    pub message: String,
    /// The container it is about: becomes `spec.containers{NAME}` (EVT-1).
    pub container: Option<String>,
}

/// What an event is worth telling. Called once for each event, before it is folded into `seen`.
#[must_use]
pub fn of_event(spec: &Spec, seen: &Seen, event: &Event) -> Vec<Report> {
    let _ = (spec, seen, event);
    Vec::new()
}

/// What a wait is worth telling. Called when a wait begins that was not there before.
#[must_use]
pub fn of_wait(spec: &Spec, wait: &Wait) -> Vec<Report> {
    let _ = (spec, wait);
    Vec::new()
}
