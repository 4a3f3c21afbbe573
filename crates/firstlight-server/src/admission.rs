//! What a request must meet beyond its own object: its namespace, its account, its node.
//!
//! Sources: the admission plug-ins NamespaceLifecycle and ServiceAccount; the scheduler's binding, which is no
//! choice where there is one node.

use crate::api::Api;
use crate::metadata::instant;
use crate::router::Ask;
use firstlight_api::object::{Key, Resource, at, resources, text};
use firstlight_api::status_error::StatusError;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The scheduler that is built in.
const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// Namespaces that stay (`k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle`).
const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

/// Whether something new may come into the namespace.
pub(crate) fn namespace(api: &Api, resource: Resource, namespace: &str, name: &str) -> Result<(), StatusError> {
    if namespace.is_empty() {
        return Ok(());
    }
    let found = api.store.get(&Key::new(resources::NAMESPACES, "", namespace));
    let found = found.ok_or_else(|| StatusError::not_found(resources::NAMESPACES, namespace))?;
    let leaving =
        crate::metadata::is_deleting(&found.value) || text(&found.value, &["status", "phase"]) == "Terminating";
    if leaving { Err(StatusError::namespace_terminating(resource, name, namespace)) } else { Ok(()) }
}

/// Whether the namespace may go.
pub(crate) fn may_go(resource: Resource, name: &str) -> Result<(), StatusError> {
    if resource == resources::NAMESPACES && IMMORTAL.contains(&name) {
        return Err(StatusError::forbidden(resource, name, "this namespace may not be deleted"));
    }
    Ok(())
}

/// Admits an object that is about to be created.
pub(crate) fn create(ask: &Ask<'_>, object: &mut Value) -> Result<(), StatusError> {
    if ask.target.kind.resource == resources::PODS {
        service_account(ask, object)?;
    }
    Ok(())
}

/// Binds a pod that waits for nobody's decision, on creation or when its last gate went.
pub(crate) fn bind(ask: &Ask<'_>, object: &mut Value) {
    if ask.target.kind.resource != resources::PODS || !text(object, &["spec", "nodeName"]).is_empty() {
        return;
    }
    if !gates(object).is_empty() {
        condition(
            object,
            ("False", "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"),
            ask.now,
        );
    } else if matches!(text(object, &["spec", "schedulerName"]), "" | DEFAULT_SCHEDULER) {
        assign(object, &ask.api.node, ask.now);
    }
}

/// Puts a pod on a node.
pub(crate) fn assign(pod: &mut Value, node: &str, now: Timestamp) {
    pod["spec"]["nodeName"] = node.into();
    condition(pod, ("True", "", ""), now);
}

/// The gates a pod waits behind.
pub(crate) fn gates(pod: &Value) -> &[Value] {
    at(pod, &["spec", "schedulingGates"]).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An account that is named must be there; `default` needs no object, since no token is handed out.
fn service_account(ask: &Ask<'_>, pod: &Value) -> Result<(), StatusError> {
    let account = text(pod, &["spec", "serviceAccountName"]);
    if matches!(account, "" | "default") {
        return Ok(());
    }
    let key = Key::new(resources::SERVICEACCOUNTS, ask.target.namespace.clone(), account);
    if ask.api.store.get(&key).is_some() {
        return Ok(());
    }
    let why = format!(
        "error looking up service account {}/{account}: serviceaccount {account:?} not found",
        ask.target.namespace
    );
    Err(StatusError::forbidden(resources::PODS, text(pod, &["metadata", "name"]), &why))
}

/// Sets the condition `PodScheduled`.
fn condition(pod: &mut Value, (status, reason, message): (&str, &str, &str), now: Timestamp) {
    let mut scheduled = json!({
        "type": "PodScheduled", "status": status, "lastProbeTime": null, "lastTransitionTime": instant(now),
    });
    if !reason.is_empty() {
        scheduled["reason"] = reason.into();
        scheduled["message"] = message.into();
    }
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = pod["status"]["conditions"].as_array_mut() else { return };
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(scheduled);
}
