//! Which kinds are a second view of what is stored as another: events.k8s.io/v1 shows core/v1 Events.

use firstlight_api::event_view::{from_core, to_core};
use firstlight_api::schema::Kind;
use serde_json::Value;
use std::borrow::Cow;

/// Whether a kind is a second view.
pub(crate) fn is_view(kind: &Kind) -> bool {
    kind.group != kind.resource.group
}

/// What a client sent as this kind, in the form that is stored.
pub(crate) fn stored(kind: &Kind, value: Value) -> Value {
    if is_view(kind) { to_core(value) } else { value }
}

/// What is stored, as this kind shows it.
pub(crate) fn shown<'a>(kind: &Kind, value: &'a Value) -> Cow<'a, Value> {
    if is_view(kind) { Cow::Owned(from_core(value.clone())) } else { Cow::Borrowed(value) }
}
