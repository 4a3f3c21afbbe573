//! Who set which field: every write is told to `metadata.managedFields`, so that a later apply knows whom it overrides.

use crate::change::stored_kind;
use crate::metadata;
use crate::router::Ask;
use firstlight_api::event_view::is_view;
use firstlight_api::object::at;
use firstlight_api::patch::{self, Writer};
use firstlight_api::status_error::StatusError;
use http::header;
use serde_json::Value;

/// How long a manager's name may be (`metav1/validation.FieldManagerMaxLength`).
pub(crate) const NAME_MAX: usize = 128;

/// Who writes: the `fieldManager`, else the program's name by `User-Agent`
/// (`k8s.io/apiserver/pkg/endpoints/handlers/create.go`, `managerOrUserAgent`).
pub(crate) fn manager(ask: &Ask<'_>) -> String {
    if let Some(manager) = ask.query.text("fieldManager") {
        return manager.to_owned();
    }
    let agent = ask.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let program: String = agent.split('/').next().unwrap_or("").chars().take(NAME_MAX).collect();
    if program.is_empty() { "unknown".to_owned() } else { program }
}

/// The object after `config` is applied to it.
pub(crate) fn apply(ask: &Ask<'_>, live: Option<&Value>, config: &Value) -> Result<Value, StatusError> {
    let (manager, now) = (manager(ask), metadata::instant(ask.now));
    let writer = Writer { manager: &manager, subresource: below(ask), now: &now };
    let force = ask.query.flag("force") == Some(true);
    patch::apply(ask.target.kind, live, config, writer, force).map_err(|error| about(ask, error))
}

/// Gives what changed to who writes, after any write but an apply.
pub(crate) fn track(ask: &Ask<'_>, live: Option<&Value>, new: &mut Value) {
    if is_view(ask.target.kind) {
        // Fields of a view have other names; what the stored ones belonged to stays.
        let before = live.and_then(|live| at(live, &["metadata", "managedFields"])).cloned();
        let metadata = metadata::of(new);
        match before {
            Some(before) => metadata.insert("managedFields".to_owned(), before),
            None => metadata.remove("managedFields"),
        };
        return;
    }
    let (manager, now) = (manager(ask), metadata::instant(ask.now));
    let writer = Writer { manager: &manager, subresource: below(ask), now: &now };
    patch::track(stored_kind(ask), live, new, writer);
}

/// Whether a write changes nothing but when somebody set what: then it is none
/// (`k8s.io/apiserver/pkg/endpoints/handlers/fieldmanager/equality.go`).
pub(crate) fn same_but_for_times(old: &Value, new: &Value) -> bool {
    if old == new {
        return true;
    }
    let (Some(left), Some(right)) = (managers(old), managers(new)) else { return false };
    // Entries are in the order of their times.
    if left.len() != right.len() || !left.iter().all(|left| right.iter().any(|right| same_entry(left, right))) {
        return false;
    }
    same_but(old, new, "metadata", |old, new| same_but(old, new, "managedFields", |_, _| true))
}

fn managers(object: &Value) -> Option<&Vec<Value>> {
    at(object, &["metadata", "managedFields"]).and_then(Value::as_array)
}

fn same_entry(left: &Value, right: &Value) -> bool {
    same_but(left, right, "time", |_, _| true)
}

/// Whether two objects have the same fields with the same values, where one field is compared in its own way.
fn same_but(left: &Value, right: &Value, field: &str, same: impl Fn(&Value, &Value) -> bool) -> bool {
    let (Some(left), Some(right)) = (left.as_object(), right.as_object()) else { return left == right };
    left.len() == right.len()
        && left.iter().all(|(key, value)| {
            right.get(key).is_some_and(|other| if key == field { same(value, other) } else { value == other })
        })
}

fn below(ask: &Ask<'_>) -> &'static str {
    ask.target.subresource.map_or("", |subresource| subresource.name)
}

/// A conflict says of which object, as every other failure does.
fn about(ask: &Ask<'_>, mut error: StatusError) -> StatusError {
    if error.code == 409 {
        let resource = ask.target.kind.resource;
        error.details.name = ask.target.name().to_owned();
        error.details.group = resource.group.to_owned();
        error.details.kind = resource.plural.to_owned();
    }
    error
}

#[cfg(test)]
mod tests;
