//! Why a pod is not Ready: the step that waits, the reason in the API's words, the last lines of its log.

use crate::manifest::text;
use kube::Client;
use serde_json::Value;

/// The step a pod is stuck at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stuck {
    /// The container.
    pub(crate) container: String,
    /// `init step 1 of 2`, `container`.
    pub(crate) role: String,
    /// The reason and message.
    pub(crate) reason: String,
    /// Whether the log to show is that of the instance before.
    pub(crate) previous: bool,
}

/// The first step of a pod that holds it back; `None` if all is well.
pub(crate) fn stuck(pod: &Value) -> Option<Stuck> {
    let statuses = |field: &str| pod.pointer(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let inits = statuses("/status/initContainerStatuses");
    for (index, status) in inits.iter().enumerate() {
        let done = status.pointer("/state/terminated/exitCode").and_then(Value::as_i64) == Some(0);
        let started =
            status.get("started").and_then(Value::as_bool) == Some(true) && restarts_always(pod, text(status, "/name"));
        if !done && !started {
            return Some(explain(status, format!("init step {} of {}", index + 1, inits.len())));
        }
    }
    let mains = statuses("/status/containerStatuses");
    let unready = mains.iter().find(|status| status.get("ready").and_then(Value::as_bool) != Some(true))?;
    Some(explain(unready, "container".to_owned()))
}

fn restarts_always(pod: &Value, name: &str) -> bool {
    let inits = pod.pointer("/spec/initContainers").and_then(Value::as_array);
    inits.into_iter().flatten().any(|c| text(c, "/name") == name && text(c, "/restartPolicy") == "Always")
}

fn explain(status: &Value, role: String) -> Stuck {
    let container = text(status, "/name").to_owned();
    let mut reason = match status.get("state").and_then(Value::as_object).and_then(|s| s.iter().next()) {
        Some((state, detail)) if state == "waiting" => worded(detail, "waiting"),
        Some((state, detail)) if state == "terminated" => ended(detail),
        Some((_, detail)) => format!("running since {}, not ready", text(detail, "/startedAt")),
        None => "not started".to_owned(),
    };
    let last = status.pointer("/lastState/terminated");
    if let Some(last) = last {
        reason.push_str(&format!("; its last run {}", ended(last)));
    }
    let running = status.pointer("/state/running").is_some() || status.pointer("/state/terminated").is_some();
    Stuck { container, role, reason, previous: last.is_some() && !running }
}

fn worded(detail: &Value, fallback: &str) -> String {
    match (text(detail, "/reason"), text(detail, "/message")) {
        ("", "") => fallback.to_owned(),
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

fn ended(detail: &Value) -> String {
    let code = detail.get("exitCode").and_then(Value::as_i64).unwrap_or(-1);
    format!("ended with exit code {code} ({})", worded(detail, "no reason given"))
}

/// The last lines of a container's log; empty if there is none.
pub(crate) async fn log_tail(client: &Client, pod: &Value, stuck: &Stuck, lines: u32) -> String {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{name}/log?container={}&tailLines={lines}&previous={}",
        stuck.container, stuck.previous
    );
    let Ok(request) = http::Request::get(path).body(Vec::new()) else { return String::new() };
    client.request_text(request).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_unfinished_init_is_named_with_its_reason_and_last_end() {
        let pod = json!({"status": {"initContainerStatuses": [
            {"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
            {"name": "b", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
             "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}},
            {"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}}]}});
        let stuck = stuck(&pod).unwrap();
        assert_eq!((stuck.container.as_str(), stuck.role.as_str()), ("b", "init step 2 of 3"));
        assert_eq!(stuck.reason, "CrashLoopBackOff: back-off 10s; its last run ended with exit code 3 (Error)");
        assert!(stuck.previous);
    }

    #[test]
    fn a_started_sidecar_is_not_what_holds_a_pod_back() {
        let pod = json!({"spec": {"initContainers": [{"name": "s", "restartPolicy": "Always"}]}, "status": {
            "initContainerStatuses": [{"name": "s", "started": true, "ready": true, "state": {"running": {}}}],
            "containerStatuses": [{"name": "m", "ready": false, "state": {"running": {"startedAt": "T"}}}]}});
        let stuck = stuck(&pod).unwrap();
        assert_eq!((stuck.container.as_str(), stuck.role.as_str()), ("m", "container"));
        assert_eq!(stuck.reason, "running since T, not ready");
    }
}
