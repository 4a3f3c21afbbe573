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
    /// Whether that says why; a probe that fails and a volume that cannot be had are told by events only.
    pub(crate) says_why: bool,
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
    let waiting = status.pointer("/state/waiting");
    let says_why = match waiting {
        Some(waiting) => !text(waiting, "/message").is_empty(),
        None => status.pointer("/state/terminated").is_some(),
    };
    Stuck { container, role, reason, says_why, previous: last.is_some() && !running }
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

/// What the latest warning about this container, or about the pod as a whole, says.
pub(crate) async fn last_warning(client: &Client, pod: &Value, stuck: &Stuck) -> Option<String> {
    let (namespace, uid) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/uid"));
    let path = format!("/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.uid%3D{uid},type%3DWarning");
    let request = http::Request::get(path).body(Vec::new()).ok()?;
    let list: Value = client.request(request).await.ok()?;
    latest(list.get("items")?.as_array()?, &stuck.container).map(str::to_owned)
}

/// The message of the latest event that concerns the container or no container.
fn latest<'a>(events: &'a [Value], container: &str) -> Option<&'a str> {
    let here = format!("{{{container}}}");
    let concerns = |event: &&Value| {
        let field = text(event, "/involvedObject/fieldPath");
        field.is_empty() || field.ends_with(&here)
    };
    let last = events.iter().filter(concerns).max_by_key(|event| text(event, "/lastTimestamp"))?;
    Some(text(last, "/message").trim_end())
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
        assert!(stuck.previous && stuck.says_why);
    }

    #[test]
    fn what_a_status_does_not_say_the_latest_warning_about_the_container_or_the_pod_does() {
        let event = |field: &str, at: &str, message: &str| json!({"involvedObject": {"fieldPath": field}, "lastTimestamp": at, "message": message});
        let events = [
            event("spec.containers{a}", "2026-01-01T00:00:09Z", "of another"),
            event("spec.containers{main}", "2026-01-01T00:00:01Z", "then"),
            event("spec.containers{main}", "2026-01-01T00:00:05Z", "Readiness probe failed: not yet"),
            event("", "2026-01-01T00:00:02Z", "no volume"),
        ];
        assert_eq!(latest(&events, "main"), Some("Readiness probe failed: not yet"));
        assert_eq!(latest(&events, "b"), Some("no volume"));
        assert_eq!(latest(&events[..1], "b"), None);
    }

    #[test]
    fn a_started_sidecar_is_not_what_holds_a_pod_back() {
        let pod = json!({"spec": {"initContainers": [{"name": "s", "restartPolicy": "Always"}]}, "status": {
            "initContainerStatuses": [{"name": "s", "started": true, "ready": true, "state": {"running": {}}}],
            "containerStatuses": [{"name": "m", "ready": false, "state": {"running": {"startedAt": "T"}}}]}});
        let stuck = stuck(&pod).unwrap();
        assert_eq!((stuck.container.as_str(), stuck.role.as_str()), ("m", "container"));
        assert_eq!(stuck.reason, "running since T, not ready");
        assert!(!stuck.says_why);
    }
}
