//! `pods/binding`: puts a pod on a node, for schedulers other than the built-in one.
//!
//! Source: `pkg/registry/core/pod/storage/storage.go`, `BindingREST`.

use crate::admission::{assign, gates};
use crate::body::Body;
use crate::change::ATTEMPTS;
use crate::failure::Failure;
use crate::metadata::{is_deleting, of};
use crate::payload::Payload;
use crate::request::WriteOptions;
use crate::router::Ask;
use crate::verbs::get;
use firstlight_api::object::{at, resources, text};
use firstlight_api::status_error::{FieldError, MODIFIED, StatusError};
use firstlight_store::{Expect, Object, Refused, Write};
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// Binds the pod.
pub(crate) async fn bind(ask: &mut Ask<'_>, payload: &Payload) -> Result<Response<Body>, Failure> {
    let options = WriteOptions::read(ask.query, "CreateOptions")?;
    let binding = payload.spoken(("", "v1", "Binding"), options.validation, &mut ask.warnings)?;
    let node = text(&binding, &["target", "name"]);
    checked_target(ask, &binding, node)?;
    for _ in 0..ATTEMPTS {
        let old = get::find(ask.api, ask.target)?;
        let next = bound(ask, &old, &binding, node)?;
        if !options.dry_run {
            let write = Write { key: old.key.clone(), expect: Expect::At(old.revision), value: Some(next) };
            match ask.api.store.commit(write).await {
                Ok(_) => {}
                Err(Refused::Stale(_)) => continue,
                Err(refused) => return Err(Failure::refused(resources::PODS, ask.target.name(), &refused)),
            }
        }
        let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
        return Ok(ask.respond_value(StatusCode::CREATED, &done));
    }
    Err(StatusError::conflict(resources::PODS, ask.target.name(), MODIFIED).into())
}

fn checked_target(ask: &Ask<'_>, binding: &Value, node: &str) -> Result<(), StatusError> {
    let refuse = |error: FieldError| {
        let message = format!("Binding {:?} is invalid: {error}", ask.target.name());
        Err(StatusError::unprocessable(message).because(error.kind.reason(), error.to_string(), error.field.clone()))
    };
    match text(binding, &["target", "kind"]) {
        "" | "Node" => {}
        other => return refuse(FieldError::not_supported("target.kind", other, &["Node", "<empty>"])),
    }
    if node.is_empty() { refuse(FieldError::required("target.name", "")) } else { Ok(()) }
}

fn bound(ask: &Ask<'_>, old: &Object, binding: &Value, node: &str) -> Result<Value, StatusError> {
    let (pod, name) = (&old.value, ask.target.name());
    let conflict = |why: String| Err(StatusError::conflict(resources::PODS, name, &why));
    let uid = text(binding, &["metadata", "uid"]);
    if !uid.is_empty() && uid != text(pod, &["metadata", "uid"]) {
        return conflict(format!("Precondition failed: UID in precondition: {uid}"));
    }
    if is_deleting(pod) {
        return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let assigned = text(pod, &["spec", "nodeName"]);
    if !assigned.is_empty() {
        return conflict(format!("pod {name} is already assigned to node {assigned:?}"));
    }
    if !gates(pod).is_empty() {
        return conflict(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let mut next = pod.clone();
    for field in ["annotations", "labels"] {
        let added = at(binding, &["metadata", field]).and_then(Value::as_object).into_iter().flatten();
        for (key, value) in added {
            let map = of(&mut next).entry(field).or_insert_with(|| json!({}));
            map[key] = value.clone();
        }
    }
    assign(&mut next, node, ask.now);
    Ok(next)
}
