//! How an object becomes another: the preconditions, the books, the rules, and the commit. Update, patch and the
//! subresources that write all end here.
//!
//! Source: `k8s.io/apiserver/pkg/registry/generic/registry/store.go`, `Update`.

use crate::admission;
use crate::failure::Failure;
use crate::metadata::{finalizers, grace, is_deleting, late_finalizers, update as keep_books};
use crate::ownership;
use crate::part::Part;
use crate::request::WriteOptions;
use crate::router::Ask;
use firstlight_api::object::{Resource, at, resources, text};
use firstlight_api::schema::Kind;
use firstlight_api::status_error::{FieldError, MODIFIED, StatusError};
use firstlight_api::{admit, defaults, fields, powers, validate};
use firstlight_store::{Expect, Object, Refused};
use serde_json::Value;
use std::sync::Arc;

/// How often a write that names no revision is tried again when others write in between: more than upstream's 5,
/// since a round costs microseconds here.
pub(crate) const ATTEMPTS: usize = 16;

/// What became of a write.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is stored, or nothing had to change.
    Stored(Arc<Object>),
    /// What would have been stored, or was the last of it.
    Unstored(Value),
    /// Somebody wrote in between: the next attempt sees their object.
    Raced,
}

/// How a client's write is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write {
    pub(crate) part: Part,
    pub(crate) options: WriteOptions,
    /// The client names no revision, so a lost race is ours to run again.
    pub(crate) retries: bool,
    /// It was applied: it says itself who set which field.
    pub(crate) applied: bool,
}

/// Puts what the client `sent` for a part of `old` in its place.
pub(crate) async fn replace(ask: &Ask<'_>, how: Write, old: &Arc<Object>, sent: Value) -> Result<Outcome, Failure> {
    let Write { part, options, retries, applied } = how;
    preconditions(ask, old, &sent)?;
    let next = next(ask, part, applied, old, sent)?;
    if ownership::same_but_for_times(&old.value, &next) {
        return Ok(Outcome::Stored(old.clone()));
    }
    if options.dry_run {
        return Ok(Outcome::Unstored(next));
    }
    let key = old.key.clone();
    let gone = departs(&old.value, &next);
    let shown = gone.then(|| next.clone());
    let write = firstlight_store::Write { key, expect: Expect::At(old.revision), value: (!gone).then_some(next) };
    match ask.api.store.commit(write).await {
        // Who let go of it sees what they wrote, as upstream answers.
        Ok(stored) => Ok(shown.map_or(Outcome::Stored(stored), Outcome::Unstored)),
        Err(Refused::Stale(_)) if retries => Ok(Outcome::Raced),
        Err(refused) => Err(Failure::refused(ask.target.kind.resource, ask.target.name(), &refused)),
    }
}

/// What the client says it replaces is what is there.
fn preconditions(ask: &Ask<'_>, old: &Object, sent: &Value) -> Result<(), StatusError> {
    let resource = ask.target.kind.resource;
    let conflict = |why: &str| Err(StatusError::conflict(resource, ask.target.name(), why));
    let (uid, current) = (text(sent, &["metadata", "uid"]), text(&old.value, &["metadata", "uid"]));
    if !uid.is_empty() && uid != current {
        return conflict(&format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {current}"));
    }
    match text(sent, &["metadata", "resourceVersion"]) {
        "" | "0" if needs_version(resource) => {
            let problem = FieldError::invalid("metadata.resourceVersion", "", "must be specified for an update");
            Err(StatusError::invalid(ask.target.kind, ask.target.name(), vec![problem]))
        }
        "" | "0" => Ok(()),
        version if version == old.revision.0.to_string() => Ok(()),
        _ => conflict(MODIFIED),
    }
}

/// Kinds whose updates must say which revision they replace (`AllowUnconditionalUpdate`).
fn needs_version(resource: Resource) -> bool {
    matches!(resource, resources::LEASES | resources::SERVICEACCOUNTS)
}

/// The next state, if the rules allow it.
fn next(ask: &Ask<'_>, part: Part, applied: bool, old: &Object, sent: Value) -> Result<Value, StatusError> {
    let kind = ask.target.kind;
    let mut next = part.merge(kind, &old.value, sent);
    keep_books(&old.value, &mut next);
    match part {
        Part::Whole | Part::Scale | Part::Ephemeral => {
            defaults::apply(stored_kind(ask), &mut next);
            fields::canonical(stored_kind(ask).ty, &mut next);
            admit::update(stored_kind(ask), &old.value, &mut next);
        }
        Part::Status | Part::Finalize => fields::canonical(stored_kind(ask).ty, &mut next),
    }
    next["metadata"]["resourceVersion"] = old.revision.0.to_string().into();
    let problems = problems(ask, part, &old.value, &next);
    if !problems.is_empty() {
        return Err(StatusError::invalid(kind, ask.target.name(), problems));
    }
    if !applied {
        ownership::track(ask, Some(&old.value), &mut next);
    }
    // The API's own act, on which no rule for clients bears: the last gate went, so the pod gets its node.
    if part == Part::Whole && admission::gates(&next).is_empty() && !admission::gates(&old.value).is_empty() {
        admission::bind(ask, &mut next);
    }
    Ok(next)
}

/// What keeps the next state from being stored.
fn problems(ask: &Ask<'_>, part: Part, old: &Value, next: &Value) -> Vec<FieldError> {
    let mut problems: Vec<FieldError> = late_finalizers(old, next).into_iter().collect();
    if part == Part::Status {
        problems.extend(validate::status_update(stored_kind(ask), old, next));
    }
    // What did not change was valid before: most status writes touch nothing that has rules.
    if part == Part::Status && at(next, &["metadata"]) == at(old, &["metadata"]) {
        return problems;
    }
    problems.extend(match part {
        Part::Ephemeral => validate::ephemeral_update(stored_kind(ask), old, next),
        Part::Whole | Part::Status | Part::Scale | Part::Finalize => validate::update(stored_kind(ask), old, next),
    });
    // An object from when a power was on stays what it is; only asking anew is refused.
    if powers::refused(stored_kind(ask), old, ask.api.powers).is_empty() {
        problems.extend(powers::refused(stored_kind(ask), next, ask.api.powers));
    }
    problems
}

/// The kind an object is stored as, whichever view of it is asked for.
pub(crate) fn stored_kind(ask: &Ask<'_>) -> &'static Kind {
    Kind::of(ask.target.kind.resource).unwrap_or(ask.target.kind)
}

/// Whether this was the last thing an object on its way out waited for.
fn departs(old: &Value, next: &Value) -> bool {
    let finalized = at(next, &["spec", "finalizers"]).and_then(Value::as_array).is_none_or(Vec::is_empty);
    let namespace = text(next, &["kind"]) == "Namespace";
    is_deleting(old) && finalizers(next).is_empty() && grace(old).unwrap_or(0) == 0 && (finalized || !namespace)
}
