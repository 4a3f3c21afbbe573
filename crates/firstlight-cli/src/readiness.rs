//! Whether an object has come up: pure, for every kind that `up` waits for, on any cluster.

use crate::manifest::text;
use serde_json::Value;

/// How far an object has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// As asked.
    Ready,
    /// Not yet: what is missing.
    Waiting(String),
    /// It ended and will not come up by itself: why.
    Failed(String),
}

/// The readiness of an object; kinds that have no notion of it are ready when they exist.
pub(crate) fn of(object: &Value) -> Readiness {
    match text(object, "/kind") {
        "Pod" => pod(object),
        "StatefulSet" => replicas(object, "/status/readyReplicas"),
        "Deployment" => replicas(object, "/status/availableReplicas"),
        "ReplicaSet" => replicas(object, "/status/readyReplicas"),
        "DaemonSet" => daemons(object),
        "Job" => job(object),
        _ => Readiness::Ready,
    }
}

fn pod(object: &Value) -> Readiness {
    match text(object, "/status/phase") {
        "Succeeded" => Readiness::Ready,
        "Failed" => Readiness::Failed(first_of(&[
            text(object, "/status/message"),
            text(object, "/status/reason"),
            "the pod failed, and its restart policy forbids another try",
        ])),
        _ if condition(object, "Ready") == Some("True") => Readiness::Ready,
        phase => Readiness::Waiting(format!("Pod is {phase}")),
    }
}

fn replicas(object: &Value, pointer: &str) -> Readiness {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let have = number(pointer);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        Readiness::Waiting("not yet seen by its controller".to_owned())
    } else if have < wanted {
        Readiness::Waiting(format!("{have} of {wanted} ready"))
    } else {
        Readiness::Ready
    }
}

fn daemons(object: &Value) -> Readiness {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let (have, wanted) = (number("/status/numberReady"), number("/status/desiredNumberScheduled"));
    if number("/status/observedGeneration") < number("/metadata/generation") || have < wanted {
        Readiness::Waiting(format!("{have} of {wanted} ready"))
    } else {
        Readiness::Ready
    }
}

fn job(object: &Value) -> Readiness {
    if condition(object, "Complete") == Some("True") {
        Readiness::Ready
    } else if condition(object, "Failed") == Some("True") {
        Readiness::Failed("the job failed".to_owned())
    } else {
        Readiness::Waiting("not complete".to_owned())
    }
}

/// The status of a condition.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|c| text(c, "/type") == kind).map(|c| text(c, "/status"))
}

fn first_of(texts: &[&str]) -> String {
    texts.iter().find(|t| !t.is_empty()).copied().unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_ready_by_its_condition_and_failed_by_its_phase() {
        let pod = |status: Value| of(&json!({"kind": "Pod", "status": status}));
        assert_eq!(pod(json!({"phase": "Pending"})), Readiness::Waiting("Pod is Pending".into()));
        let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(pod(ready), Readiness::Ready);
        assert_eq!(pod(json!({"phase": "Succeeded"})), Readiness::Ready);
        let failed = json!({"phase": "Failed", "reason": "DeadlineExceeded"});
        assert_eq!(pod(failed), Readiness::Failed("DeadlineExceeded".into()));
    }

    #[test]
    fn a_set_is_ready_when_its_controller_has_seen_the_spec_and_every_replica_is() {
        let set = |seen: i64, ready: i64| {
            of(&json!({"kind": "StatefulSet", "metadata": {"generation": 2}, "spec": {"replicas": 3},
                       "status": {"observedGeneration": seen, "readyReplicas": ready}}))
        };
        assert_eq!(set(1, 3), Readiness::Waiting("not yet seen by its controller".into()));
        assert_eq!(set(2, 2), Readiness::Waiting("2 of 3 ready".into()));
        assert_eq!(set(2, 3), Readiness::Ready);
    }
}
