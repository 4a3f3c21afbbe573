//! Server-side apply (`application/apply-patch+yaml`), and who owns which field after any other write.
//!
//! An applied configuration is an intent: it sets its fields, takes back those its manager applied before and no
//! longer names, and conflicts with other managers over fields it would change. Who set what is kept in
//! `metadata.managedFields`. Every write goes through here, [`apply`] or [`track`], or the record is worth nothing.
//!
//! Rules: `merge/update.go` of `sigs.k8s.io/structured-merge-diff` and the managers of
//! `k8s.io/apimachinery/pkg/util/managedfields/internal`.

mod compare;
mod config;
mod field_set;
mod holds;
mod managers;
mod merge;

use crate::fields::{canonical, canonical_texts};
use crate::schema::Kind;
use crate::status_error::{Cause, Details, StatusError};
use compare::{Changes, fields_of};
use field_set::FieldSet;
use holds::Holds;
use managers::{Manager, Operation};
use serde_json::{Value, json};
use std::mem::take;

/// Who writes, and what.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The `fieldManager` of the request.
    pub manager: &'a str,
    /// The subresource written; empty for the object itself.
    pub subresource: &'a str,
    /// The time, RFC 3339 in whole seconds.
    pub now: &'a str,
}

impl Writer<'_> {
    fn as_manager(self, kind: &Kind, operation: Operation) -> Manager {
        Manager {
            name: self.manager.to_owned(),
            operation,
            api_version: kind.api_version(),
            subresource: self.subresource.to_owned(),
            time: Some(self.now.to_owned()),
            fields: FieldSet::default(),
        }
    }
}

/// Who is said to have set what nobody is known to have set.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// The manager whose earlier `kubectl apply` counts as its own, by the annotation it left.
const KUBECTL: &str = "kubectl";

/// The object after a configuration is applied to it; a new one if there is none. The caller fills in defaults and
/// validates, as after every patch.
///
/// # Errors
/// 400 if the configuration does not fit the kind, 409 naming every field that another manager owns and the
/// configuration would change (unless `force`).
pub fn apply(
    kind: &Kind,
    live: Option<&Value>,
    config: &Value,
    writer: Writer<'_>,
    force: bool,
) -> Result<Value, StatusError> {
    config::check(kind, config)?;
    let mut config = config.clone();
    canonical_texts(kind.ty, &mut config);
    let (before, mut managers) = known(kind, live, writer)?;
    let holds = Holds::of_type(kind.ty);
    let mut merged = merge::merge(holds, Some(&before), Some(&config)).unwrap_or_else(|| json!({}));
    let mut me = writer.as_manager(kind, Operation::Apply);
    let last = taken(&mut managers, &me);
    me.fields = fields_of(holds, &config).without(&reset_fields(kind, writer.subresource));
    managers.push(me.clone());
    if let Some(last) = &last {
        merged = pruned(holds, &merged, &last.fields, &managers);
    }
    let changes = Changes::between(holds, &before, &merged).without(&reset_fields(kind, writer.subresource));
    canonical(kind.ty, &mut merged);
    let mut conflicts = conflicts(&managers, &me, &changes);
    if writer.manager == KUBECTL {
        config::drop_own_conflicts(kind, &before, &mut conflicts);
    }
    if !force && !conflicts.is_empty() {
        return Err(conflict(&conflicts));
    }
    disown(&mut managers, &me, &changes);
    if let Some(me) = managers.iter_mut().find(|m| m.is(&me)) {
        me.fields = take(&mut me.fields).difference(&never_owned());
        // What changes nothing keeps its time, so that it is no write.
        if live.is_some() && merged == before {
            me.time = last.and_then(|last| last.time);
        }
    }
    if writer.manager == KUBECTL {
        config::renew_last_applied(&mut merged, &config);
    }
    managers::write(&mut merged, managers);
    Ok(merged)
}

/// The object without its managers, and the managers. What nobody is known to have set has a manager of its own.
fn known(kind: &Kind, live: Option<&Value>, writer: Writer<'_>) -> Result<(Value, Vec<Manager>), StatusError> {
    let Some(live) = live else { return Ok((json!({}), Vec::new())) };
    let managers = managers::read(live)
        .map_err(|()| StatusError::internal("failed to decode managed fields: metadata.managedFields is malformed"))?;
    let before = managers::without(live);
    if !managers.is_empty() {
        return Ok((before, managers));
    }
    let mut first = Writer { manager: BEFORE_FIRST_APPLY, ..writer }.as_manager(kind, Operation::Update);
    let changes = Changes::between(Holds::of_type(kind.ty), &config::zero(kind.ty), &before);
    first.fields = changes.written.without(&reset_fields(kind, writer.subresource)).difference(&never_owned());
    Ok((before, vec![first]))
}

/// After any write but an apply: gives what changed to the writer, takes it from everybody else. `live` is the object
/// before, `new` the object after defaulting; its `managedFields` are replaced.
pub fn track(kind: &Kind, live: Option<&Value>, new: &mut Value, writer: Writer<'_>) {
    let mut managers = asked_for(live, new, writer);
    managers::forget(new);
    // An object whose managers were never known stays so until it is applied to.
    if live.is_some() && managers.is_empty() {
        return;
    }
    let nothing = live.is_none().then(|| config::zero(kind.ty));
    let before = live.or(nothing.as_ref()).unwrap_or(&Value::Null);
    let changes = Changes::between(Holds::of_type(kind.ty), before, new);
    let changes = changes.without(&reset_fields(kind, writer.subresource));
    let nobody = Manager { name: String::new(), ..writer.as_manager(kind, Operation::Update) };
    disown(&mut managers, &nobody, &changes);
    let mut me = writer.as_manager(kind, Operation::Update);
    me.fields = changes.written.difference(&never_owned());
    if !me.fields.is_empty() {
        if let Some(earlier) = taken(&mut managers, &me) {
            me.fields = me.fields.union(&earlier.fields);
        }
        managers.push(me);
    }
    managers::cap(&mut managers);
    managers::write(new, managers);
}

/// The managers to start from: those the request sets, if it may and they are well formed, else those of the object.
fn asked_for(live: Option<&Value>, new: &Value, writer: Writer<'_>) -> Vec<Manager> {
    let kept = || live.map(|live| managers::read(live).unwrap_or_default()).unwrap_or_default();
    if !writer.subresource.is_empty() {
        return kept();
    }
    if managers::asks_to_forget(new) {
        return Vec::new();
    }
    managers::read(new).ok().filter(|managers| !managers.is_empty()).unwrap_or_else(kept)
}

/// Takes a manager's entry out of the list.
fn taken(managers: &mut Vec<Manager>, me: &Manager) -> Option<Manager> {
    let place = managers.iter().position(|m| m.is(me))?;
    Some(managers.remove(place))
}

/// What each other manager owns of what is written.
fn conflicts(managers: &[Manager], me: &Manager, changes: &Changes) -> Vec<(Manager, FieldSet)> {
    let others = managers.iter().filter(|m| !m.is(me));
    others
        .map(|m| (m, m.fields.intersection(&changes.written)))
        .filter(|(_, set)| !set.is_empty())
        .map(|(m, set)| (m.clone(), set))
        .collect()
}

/// Takes what is written or removed from every other manager, and what is left without a field from the list.
fn disown(managers: &mut Vec<Manager>, me: &Manager, changes: &Changes) {
    for manager in managers.iter_mut().filter(|m| !m.is(me)) {
        manager.fields = take(&mut manager.fields).difference(&changes.written).difference(&changes.removed);
    }
    managers.retain(|m| m.is(me) || !m.fields.is_empty());
}

/// The merged object without what this manager applied before, names no longer, and nobody else owns.
fn pruned(holds: Holds, merged: &Value, last: &FieldSet, managers: &[Manager]) -> Value {
    let with_parents = |set: &FieldSet| merge::with_parents(holds, set);
    let fields = |value: &Value| with_parents(&fields_of(holds, value));
    let last = with_parents(last);
    let all = fields(merged);
    let without_last = merge::remove(holds, merged, &last);
    let owned = managers.iter().fold(FieldSet::default(), |owned, manager| owned.union(&manager.fields));
    let kept = fields(&without_last).union(&with_parents(&owned));
    let owned_back = merge::remove(holds, merged, &all.clone().difference(&kept));
    // What was removed along with an owned parent, but was never this manager's, comes back.
    let gone = all.difference(&fields(&owned_back)).intersection(&last);
    merge::remove(holds, merged, &gone)
}

/// Fields that nobody owns: they say what the object is.
fn never_owned() -> FieldSet {
    let mut set = FieldSet::default();
    for name in ["f:apiVersion", "f:kind", "f:metadata"] {
        set.insert(&[name]);
    }
    for name in [
        "f:name",
        "f:namespace",
        "f:creationTimestamp",
        "f:selfLink",
        "f:uid",
        "f:clusterName",
        "f:generation",
        "f:managedFields",
        "f:resourceVersion",
    ] {
        set.insert(&["f:metadata", name]);
    }
    set
}

/// Fields that a write to this subresource cannot set, so that it never owns them (`GetResetFields` of the
/// registries' strategies).
fn reset_fields(kind: &Kind, subresource: &str) -> FieldSet {
    let mut set = FieldSet::default();
    match subresource {
        "" if kind.subresource("status").is_some() => set.insert(&["f:status"]),
        "status" => set.insert(&["f:spec"]),
        _ => {}
    }
    set
}

/// 409 in the words of `managedfields/internal/conflict.go`.
fn conflict(conflicts: &[(Manager, FieldSet)]) -> StatusError {
    let fields: Vec<(String, String)> = conflicts
        .iter()
        .flat_map(|(manager, set)| set.paths().into_iter().map(|path| (manager.describe(), path)))
        .collect();
    let message = match fields.as_slice() {
        [(manager, path)] => format!("Apply failed with 1 conflict: conflict with {manager}: {path}"),
        several => {
            let mut lines = Vec::new();
            for (manager, set) in conflicts {
                lines.push(format!("conflicts with {}:", manager.describe()));
                lines.extend(set.paths().into_iter().map(|path| format!("- {path}")));
            }
            format!("Apply failed with {} conflicts: {}", several.len(), lines.join("\n"))
        }
    };
    let cause = |(manager, field): (String, String)| Cause {
        reason: "FieldManagerConflict".to_owned(),
        message: format!("conflict with {manager}"),
        field,
    };
    let details = Details { causes: fields.into_iter().map(cause).collect(), ..Details::default() };
    StatusError { code: 409, reason: "Conflict", message, details: Box::new(details) }
}
