//! Who set which field: every write is told to `metadata.managedFields`, so that a later apply knows whom it overrides.

use crate::change::stored_kind;
use crate::event_view::is_view;
use crate::metadata;
use crate::router::Ask;
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
