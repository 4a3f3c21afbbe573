//! Which container of a pod is meant, and which of its logs (LOG-2, LOG-3, LOG-4). Pure.
//!
//! Words of the errors: Kubernetes, `pkg/registry/core/pod/strategy.go` (choice) and
//! `pkg/kubelet/kubelet_pods.go` (log states).

use firstlight_api::object::{at, text};
use firstlight_api::status_error::StatusError;
use serde_json::Value;

/// In the order in which they are listed to a client who must choose.
const SPECS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];
const STATUSES: [&str; 3] = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];

/// The container meant by `asked`, or by saying nothing.
pub(super) fn choose(pod: &Value, asked: Option<&str>) -> Result<String, StatusError> {
    let name = text(pod, &["metadata", "name"]);
    match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) if names(pod, &SPECS).any(|known| known == asked) => Ok(asked.to_owned()),
        Some(asked) => Err(StatusError::bad_request(format!("container {asked} is not valid for pod {name}"))),
        None => {
            let mut mains = names(pod, &SPECS[1..2]);
            match (mains.next(), mains.next()) {
                (Some(only), None) => Ok(only.to_owned()),
                (None, _) => {
                    Err(StatusError::bad_request(format!("a container name must be specified for pod {name}")))
                }
                (Some(_), Some(_)) => {
                    let all: Vec<&str> = names(pod, &SPECS).collect();
                    let all = all.join(" ");
                    let message = format!("a container name must be specified for pod {name}, choose one of: [{all}]");
                    Err(StatusError::bad_request(message))
                }
            }
        }
    }
}

fn names<'a>(pod: &'a Value, lists: &[&'static str]) -> impl Iterator<Item = &'a str> {
    let lists: Vec<&Value> = lists.iter().filter_map(|list| at(pod, &["spec", list])).collect();
    lists.into_iter().filter_map(Value::as_array).flatten().map(|container| text(container, &["name"]))
}

/// Which run of a container a log is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// The last that was started.
    Latest,
    /// The one before it.
    Before,
}

/// The run whose log is wanted, by what the pod's status says of the container.
pub(super) fn logged_run(pod: &Value, container: &str, previous: bool) -> Result<Run, StatusError> {
    let pod_name = text(pod, &["metadata", "name"]);
    let refuse = |what: String| Err(StatusError::bad_request(what));
    let statuses = STATUSES.iter().filter_map(|list| at(pod, &["status", list]).and_then(Value::as_array)).flatten();
    let Some(status) = statuses.into_iter().find(|status| text(status, &["name"]) == container) else {
        return refuse(format!("container {container:?} in pod {pod_name:?} is not available"));
    };
    let started = |state: &str| !text(status, &[state, "terminated", "containerID"]).is_empty();
    let waiting = at(status, &["state", "waiting"]);
    let terminated = at(status, &["state", "terminated"]);
    let running = at(status, &["state", "running"]);
    let before = at(status, &["lastState", "terminated"]);
    let ended = format!("container {container:?} in pod {pod_name:?} is terminated");
    if previous {
        return match (started("lastState"), running.is_some() || started("state")) {
            (false, _) => refuse(format!("previous terminated container {container:?} in pod {pod_name:?} not found")),
            (true, true) => Ok(Run::Before),
            // The run that is waiting to start has no log yet: the last that was started is the previous one.
            (true, false) => Ok(Run::Latest),
        };
    }
    if running.is_some() || (terminated.is_some() && (started("state") || started("lastState"))) {
        return Ok(Run::Latest);
    }
    if terminated.is_some() {
        return refuse(ended);
    }
    if before.is_some() {
        return if started("lastState") { Ok(Run::Latest) } else { refuse(ended) };
    }
    let why = match waiting.map(|waiting| text(waiting, &["reason"])) {
        None => " - no logs yet".to_owned(),
        Some("ErrImagePull") => ": image can't be pulled".to_owned(),
        Some("ImagePullBackOff") => ": trying and failing to pull image".to_owned(),
        Some(reason) => format!(": {reason}"),
    };
    refuse(format!("container {container:?} in pod {pod_name:?} is waiting to start{why}"))
}

#[cfg(test)]
mod tests;
