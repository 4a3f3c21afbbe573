//! DELETE of one object: at once, after its grace, or when its finalizers agree.
//!
//! ```text
//!  grace > 0 (a pod that may run) ──► deletionTimestamp = now + grace; gone by a deletion with grace 0
//!  finalizers ──────────────────────► deletionTimestamp = now, grace 0; gone when the last one is removed
//!  namespace ───────────────────────► Terminating; gone when spec.finalizers is emptied through /finalize
//!  else ────────────────────────────► gone
//! ```
//!
//! Source: `k8s.io/apiserver/pkg/registry/{rest/delete.go,generic/registry/store.go}`, and the strategies of Pod and
//! Namespace.

use crate::admission;
use crate::api::Api;
use crate::body::Body;
use crate::change::ATTEMPTS;
use crate::failure::Failure;
use crate::metadata::{self, finalizers, grace, instant, is_deleting};
use crate::payload::Payload;
use crate::representation::success;
use crate::request::{DeleteOptions, Propagation};
use crate::router::Ask;
use firstlight_api::admit;
use firstlight_api::object::{Key, Resource, at, resources, text};
use firstlight_api::status_error::{MODIFIED, StatusError};
use firstlight_store::{Expect, Object, Refused, Write};
use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// The finalizers that say what becomes of dependents.
const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// What became of a deletion.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// It is gone, or would be; this was the last of it.
    Gone(Arc<Object>),
    /// It will be.
    Pending(Arc<Object>),
    /// It would be, and would look like this until then.
    WouldPend(Value),
}

/// Deletes the object.
pub(crate) async fn delete(ask: &mut Ask<'_>, payload: &Payload) -> Result<Response<Body>, Failure> {
    let options = DeleteOptions::read(ask.query, payload.delete_options()?.as_ref())?;
    let resource = ask.target.kind.resource;
    let deleted = delete_object(ask.api, ask.target.key(), &options, ask.now).await?;
    // Upstream's compatible half-truth: 202 only for who asked that dependents be looked after.
    let pending = match options.propagation {
        Some(Propagation::Foreground) => StatusCode::ACCEPTED,
        Some(Propagation::Background | Propagation::Orphan) | None => StatusCode::OK,
    };
    Ok(match deleted {
        Deleted::Pending(object) => ask.respond(pending, ask.face.object(&object)),
        Deleted::WouldPend(value) => ask.respond(pending, ask.face.value(&value)),
        Deleted::Gone(object) if returns_object(resource) => ask.respond(StatusCode::OK, ask.face.object(&object)),
        Deleted::Gone(object) => {
            let uid = text(&object.value, &["metadata", "uid"]);
            ask.respond_value(StatusCode::OK, &success(resource, ask.target.name(), uid))
        }
    })
}

/// Kinds whose deletion answers with the object (`ReturnDeletedObject`).
fn returns_object(resource: Resource) -> bool {
    matches!(resource, resources::PODS | resources::SERVICES | resources::SERVICEACCOUNTS)
}

/// Deletes one object as the options say.
pub(crate) async fn delete_object(
    api: &Api,
    key: Key,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Deleted, Failure> {
    let (resource, name) = (key.resource, key.name.clone());
    admission::may_go(resource, &name)?;
    for _ in 0..ATTEMPTS {
        let old = api.store.get(&key).ok_or_else(|| StatusError::not_found(resource, &name))?;
        preconditions(&old, options)?;
        let (value, gone) = match next(&old, options, now) {
            Next::Nothing => return Ok(Deleted::Pending(old)),
            Next::Marked(value) if options.dry_run => return Ok(Deleted::WouldPend(value)),
            Next::Gone if options.dry_run => return Ok(Deleted::Gone(old)),
            Next::Marked(value) => (Some(value), false),
            Next::Gone => (None, true),
        };
        match api.store.commit(Write { key: key.clone(), expect: Expect::At(old.revision), value }).await {
            Ok(object) if gone => return Ok(Deleted::Gone(object)),
            Ok(object) => return Ok(Deleted::Pending(object)),
            Err(Refused::Stale(_)) => {}
            Err(refused) => return Err(Failure::refused(resource, &name, &refused)),
        }
    }
    Err(StatusError::conflict(resource, &name, MODIFIED).into())
}

fn preconditions(old: &Object, options: &DeleteOptions) -> Result<(), StatusError> {
    let conflict = |why: &str| Err(StatusError::conflict(old.key.resource, &old.key.name, why));
    let (uid, version) = (text(&old.value, &["metadata", "uid"]), old.revision.0.to_string());
    if let Some(asked) = options.uid.as_deref().filter(|asked| *asked != uid) {
        return conflict(&format!(
            "the UID in the precondition ({asked}) does not match the UID in record ({uid}). The object might have been \
             deleted and then recreated"
        ));
    }
    if let Some(asked) = options.version.as_deref().filter(|asked| *asked != version) {
        return conflict(&format!(
            "the ResourceVersion in the precondition ({asked}) does not match the ResourceVersion in record ({version}). \
             The object might have been modified"
        ));
    }
    Ok(())
}

/// What a deletion does to an object.
enum Next {
    /// It is on its way already.
    Nothing,
    /// It is on its way from now on, or sooner.
    Marked(Value),
    /// It goes.
    Gone,
}

fn next(old: &Object, options: &DeleteOptions, now: Timestamp) -> Next {
    let mut value = old.value.clone();
    let swayed = set_propagation(&mut value, options.propagation);
    let asked = if old.key.resource == resources::PODS { pod_grace(&value, options.grace) } else { 0 };
    let held = !finalizers(&value).is_empty();
    match old.key.resource {
        resources::NAMESPACES if !is_deleting(&value) => {
            mark(&mut value, now, 0);
            if let Some(metadata) = value["metadata"].as_object_mut() {
                metadata.remove("deletionGracePeriodSeconds");
            }
            value["status"]["phase"] = "Terminating".into();
            Next::Marked(value)
        }
        resources::NAMESPACES if has_spec_finalizers(&value) => Next::Nothing,
        _ if is_deleting(&value) => match grace(&value).unwrap_or(0) {
            // It may only be hastened, and who names no grace does not.
            left if left > 0 && options.grace.is_none_or(|_| asked >= left) => Next::Nothing,
            left if left > 0 && (asked > 0 || held) => {
                hasten(&mut value, left, asked);
                Next::Marked(value)
            }
            _ if held && swayed => Next::Marked(value),
            _ if held => Next::Nothing,
            _ => Next::Gone,
        },
        _ if asked > 0 || held => {
            mark(&mut value, now, asked);
            Next::Marked(value)
        }
        _ => Next::Gone,
    }
}

/// How long a pod gets: what the client says, else what the pod says; nothing if it cannot be running.
fn pod_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let own = at(pod, &["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_i64);
    let period = asked.or(own).unwrap_or(0);
    let ended = matches!(text(pod, &["status", "phase"]), "Failed" | "Succeeded");
    match period {
        _ if ended || text(pod, &["spec", "nodeName"]).is_empty() => 0,
        // Upstream's meaning of a negative period.
        ..0 => 1,
        period => period,
    }
}

/// Begins the object's way out.
fn mark(value: &mut Value, now: Timestamp, grace: i64) {
    let at = now.checked_add(SignedDuration::from_secs(grace)).unwrap_or(Timestamp::MAX);
    let counted =
        firstlight_api::object::at(value, &["metadata", "generation"]).and_then(Value::as_i64).unwrap_or(0) > 0;
    let metadata = metadata::of(value);
    metadata.insert("deletionTimestamp".to_owned(), instant(at).into());
    metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
    if counted {
        admit::next_generation(value);
    }
}

/// Makes the way out shorter: its end moves by as much as the grace shrinks.
fn hasten(value: &mut Value, from: i64, to: i64) {
    let end = text(value, &["metadata", "deletionTimestamp"]).parse::<Timestamp>();
    let metadata = metadata::of(value);
    if let Some(end) = end.ok().and_then(|end| end.checked_sub(SignedDuration::from_secs(from.saturating_sub(to))).ok())
    {
        metadata.insert("deletionTimestamp".to_owned(), instant(end).into());
    }
    metadata.insert("deletionGracePeriodSeconds".to_owned(), to.into());
}

/// Leaves the finalizer that says what becomes of dependents. Whether it changed anything.
fn set_propagation(value: &mut Value, propagation: Option<Propagation>) -> bool {
    let Some(propagation) = propagation else { return false };
    let before: Vec<String> = finalizers(value).into_iter().map(str::to_owned).collect();
    let mut after: Vec<String> = before.iter().filter(|f| *f != ORPHAN && *f != FOREGROUND).cloned().collect();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => after.push(FOREGROUND.to_owned()),
        Propagation::Orphan => after.push(ORPHAN.to_owned()),
    }
    let same = before.len() == after.len() && after.iter().all(|finalizer| before.contains(finalizer));
    if !same {
        let metadata = metadata::of(value);
        if after.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".to_owned(), json!(after));
        }
    }
    !same
}

fn has_spec_finalizers(namespace: &Value) -> bool {
    at(namespace, &["spec", "finalizers"]).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}
