//! A settled status as the Pod's `.status`, and back.
//!
//! The node writes with [`apply`] whenever a decision changed what watchers are told, and reads with [`read()`] what the
//! API holds when it begins with a pod it did not start (a restarted engine).
//!
//! The node owns some fields and conditions; everything else in `.status` belongs to others and is kept. Field shapes
//! are those of a kubelet (sections 1.10 and 1.11 of the pod rules; upstream `pkg/kubelet/status`).

mod read;

pub use read::read;

use crate::time;
use crate::view::View;
use firstlight_pod::status::{Condition, ContainerStatus, State, Status, Terminated, User};
use serde_json::{Map, Value, json};

/// Condition types that only the node says: one of these that the status no longer has is dropped.
///
/// `PodScheduled` and `DisruptionTarget` are also written by others (binding, eviction), so they are replaced by the
/// node's word and kept without it. Upstream: `PodConditionByKubelet`, `PodConditionSharedByKubelet`.
const OWN_CONDITIONS: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "AllContainersRestarting"];

/// The new `.status` of `pod`, which is the Pod as the API holds it now.
#[must_use]
pub fn apply(status: &Status, pod: &Value) -> Value {
    let Status {
        observed_generation,
        phase,
        reason,
        message,
        host_ip,
        pod_ip,
        start_time,
        conditions,
        inits,
        mains,
        ephemerals,
    } = status;
    let old = pod.object("status");
    let spec = pod.object("spec");
    let mut new = old.as_object().cloned().unwrap_or_default();
    new.insert("observedGeneration".to_owned(), json!(observed_generation));
    new.insert("phase".to_owned(), json!(phase.as_str()));
    set_text(&mut new, "reason", reason);
    set_text(&mut new, "message", message);
    set_address(&mut new, "hostIP", "hostIPs", host_ip.as_deref());
    set_address(&mut new, "podIP", "podIPs", pod_ip.as_deref());
    set(&mut new, "startTime", start_time.map(|at| json!(time::write(at))));
    set(&mut new, "conditions", some_list(merge_conditions(conditions, *observed_generation, old.list("conditions"))));
    set(&mut new, "initContainerStatuses", some_list(containers(inits, spec.list("initContainers"))));
    set(&mut new, "containerStatuses", some_list(containers(mains, spec.list("containers"))));
    let ephemerals = some_list(containers(ephemerals, spec.list("ephemeralContainers")));
    set(&mut new, "ephemeralContainerStatuses", ephemerals);
    Value::Object(new)
}

fn merge_conditions(ours: &[Condition], generation: i64, theirs: &[Value]) -> Vec<Value> {
    let said = |kind: &str| ours.iter().any(|c| c.kind == kind);
    let held = |kind: &str| theirs.iter().any(|t| t.text("type") == kind);
    let ours = ours.iter().filter(|c| is_ours(&c.kind) || !held(&c.kind)).map(|c| condition(c, generation));
    let theirs = theirs.iter().filter(|t| {
        let kind = t.text("type");
        !(OWN_CONDITIONS.contains(&kind) || is_ours(kind) && said(kind))
    });
    ours.chain(theirs.cloned()).collect()
}

/// Whether the node's word replaces what somebody else wrote for this type.
fn is_ours(kind: &str) -> bool {
    OWN_CONDITIONS.contains(&kind) || matches!(kind, "PodScheduled" | "DisruptionTarget")
}

fn condition(condition: &Condition, generation: i64) -> Value {
    let Condition { kind, holds, reason, message, since } = condition;
    let mut out = Map::new();
    out.insert("type".to_owned(), json!(kind));
    out.insert("status".to_owned(), json!(if *holds { "True" } else { "False" }));
    out.insert("observedGeneration".to_owned(), json!(generation));
    out.insert("lastProbeTime".to_owned(), Value::Null);
    out.insert("lastTransitionTime".to_owned(), json!(time::write(*since)));
    set_text(&mut out, "reason", reason);
    set_text(&mut out, "message", message);
    Value::Object(out)
}

fn containers(statuses: &[ContainerStatus], specs: &[Value]) -> Vec<Value> {
    statuses.iter().map(|s| container(s, specs.iter().find(|c| c.text("name") == s.name))).collect()
}

fn container(status: &ContainerStatus, spec: Option<&Value>) -> Value {
    let ContainerStatus { name, image, image_id, container_id, state, last, ready, started, restart_count, user } =
        status;
    let mut out = Map::new();
    out.insert("name".to_owned(), json!(name));
    out.insert("image".to_owned(), json!(image));
    out.insert("imageID".to_owned(), json!(image_id));
    set_text(&mut out, "containerID", container_id);
    out.insert("state".to_owned(), write_state(state));
    out.insert("lastState".to_owned(), last.as_ref().map_or(json!({}), |t| json!({ "terminated": terminated(t) })));
    out.insert("ready".to_owned(), json!(ready));
    set(&mut out, "started", started.map(Value::Bool));
    out.insert("restartCount".to_owned(), json!(restart_count));
    let linux =
        |user: &User| json!({ "linux": { "uid": user.uid, "gid": user.gid, "supplementalGroups": user.groups } });
    set(&mut out, "user", user.as_ref().map(linux));
    // STA-20: what the image names is the runtime's to know.
    set(&mut out, "stopSignal", spec.and_then(|c| c.object("lifecycle").get_some("stopSignal")).cloned());
    let requests = spec.and_then(|c| c.object("resources").get_some("requests")).cloned();
    set(&mut out, "allocatedResources", requests);
    let resources =
        spec.map(|c| c.object("resources").clone()).filter(|r| r.as_object().is_some_and(|r| !r.is_empty()));
    set(&mut out, "resources", resources);
    set(
        &mut out,
        "volumeMounts",
        some_list(spec.map_or(Vec::new(), |c| c.list("volumeMounts").iter().map(mount).collect())),
    );
    Value::Object(out)
}

/// What a container's status says of a mount: upstream leaves out `readOnly: false` and names `recursiveReadOnly` only
/// for read-only mounts. What is asked for if possible is possible (VOL-14).
fn mount(mount: &Value) -> Value {
    let mut out = Map::new();
    out.insert("name".to_owned(), json!(mount.text("name")));
    out.insert("mountPath".to_owned(), json!(mount.text("mountPath")));
    if mount.flag("readOnly") {
        out.insert("readOnly".to_owned(), json!(true));
        let recursive = matches!(mount.text("recursiveReadOnly"), "Enabled" | "IfPossible");
        out.insert("recursiveReadOnly".to_owned(), json!(if recursive { "Enabled" } else { "Disabled" }));
    }
    Value::Object(out)
}

fn write_state(state: &State) -> Value {
    match state {
        State::Waiting { reason, message } => {
            let mut out = Map::new();
            set_text(&mut out, "reason", reason);
            set_text(&mut out, "message", message);
            json!({ "waiting": out })
        }
        State::Running { since } => json!({ "running": { "startedAt": time::write(*since) } }),
        State::Terminated(end) => json!({ "terminated": terminated(end) }),
    }
}

fn terminated(end: &Terminated) -> Value {
    let Terminated { code, reason, message, started_at, finished_at, container_id } = end;
    let mut out = Map::new();
    out.insert("exitCode".to_owned(), json!(code));
    set_text(&mut out, "reason", reason);
    set_text(&mut out, "message", message);
    out.insert("startedAt".to_owned(), json!(time::write(*started_at)));
    out.insert("finishedAt".to_owned(), json!(time::write(*finished_at)));
    set_text(&mut out, "containerID", container_id);
    Value::Object(out)
}

fn set_address(out: &mut Map<String, Value>, one: &str, all: &str, address: Option<&str>) {
    set(out, one, address.map(|ip| json!(ip)));
    set(out, all, address.map(|ip| json!([{ "ip": ip }])));
}

fn set_text(out: &mut Map<String, Value>, key: &str, text: &str) {
    set(out, key, Some(text).filter(|t| !t.is_empty()).map(|t| json!(t)));
}

fn some_list(items: Vec<Value>) -> Option<Value> {
    Some(items).filter(|items| !items.is_empty()).map(Value::Array)
}

fn set(out: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => out.insert(key.to_owned(), value),
        None => out.remove(key),
    };
}

#[cfg(test)]
mod tests;
