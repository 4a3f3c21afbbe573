//! Events have two faces: core/v1 as they are stored, and events.k8s.io/v1, whose fields have other names.
//!
//! Source: `pkg/apis/events/v1/conversion.go`.

use firstlight_api::schema::Kind;
use serde_json::Value;
use std::borrow::Cow;

/// Field names: as stored, and as events.k8s.io/v1 calls them.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// Whether a kind is a second view of objects stored as another kind.
pub(crate) fn is_view(kind: &Kind) -> bool {
    kind.group != kind.resource.group
}

/// The object as it is stored.
pub(crate) fn stored(kind: &Kind, value: Value) -> Value {
    if is_view(kind) { renamed(value, "v1", |(stored, shown)| (shown, stored)) } else { value }
}

/// The object as this kind shows it.
pub(crate) fn shown<'a>(kind: &Kind, value: &'a Value) -> Cow<'a, Value> {
    if is_view(kind) {
        Cow::Owned(renamed(value.clone(), &kind.api_version(), |names| names))
    } else {
        Cow::Borrowed(value)
    }
}

fn renamed(
    mut value: Value,
    api_version: &str,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) -> Value {
    if let Some(object) = value.as_object_mut() {
        for (from, to) in NAMES.map(direction) {
            if let Some(field) = object.remove(from) {
                object.insert(to.to_owned(), field);
            }
        }
        object.insert("apiVersion".to_owned(), api_version.into());
    }
    value
}
