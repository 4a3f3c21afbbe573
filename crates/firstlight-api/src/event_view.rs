//! Which kinds are a second view of what is stored as another, and how one is turned into the other: `v1` and
//! `events.k8s.io/v1` name the fields of one Event differently.
//!
//! Events are stored in the form of `v1`; the server turns a body or answer of the other view around. The pairs are
//! those of `pkg/apis/events/v1/conversion.go`.

use crate::schema::Kind;
use serde_json::Value;
use std::borrow::Cow;

/// Each pair: the name in `v1`, the name in `events.k8s.io/v1`. All other fields have one name.
const PAIRS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// Whether a kind is a second view.
#[must_use]
pub fn is_view(kind: &Kind) -> bool {
    kind.group != kind.resource.group
}

/// What a client sent as this kind, in the form that is stored.
#[must_use]
pub fn stored(kind: &Kind, value: Value) -> Value {
    if is_view(kind) { turned(value, "v1", |(core, view)| (view, core)) } else { value }
}

/// What is stored, as this kind shows it.
#[must_use]
pub fn shown<'a>(kind: &Kind, value: &'a Value) -> Cow<'a, Value> {
    if is_view(kind) {
        Cow::Owned(turned(value.clone(), "events.k8s.io/v1", |pair| pair))
    } else {
        Cow::Borrowed(value)
    }
}

fn turned<'a>(mut event: Value, api_version: &str, direction: fn((&'a str, &'a str)) -> (&'a str, &'a str)) -> Value {
    if let Some(object) = event.as_object_mut() {
        for (from, to) in PAIRS.map(direction) {
            if let Some(value) = object.remove(from) {
                object.insert(to.to_owned(), value);
            }
        }
        object.insert("apiVersion".to_owned(), api_version.into());
    }
    event
}

#[cfg(test)]
mod tests {
    use super::{shown, stored};
    use crate::fields::unknown;
    use crate::object::resources;
    use crate::schema::{Kind, by_gvk};
    use serde_json::json;

    #[test]
    fn both_views_hold_the_same_and_fit_their_types() {
        let core = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "m", "count": 2,
            "involvedObject": {"name": "p"}, "source": {"component": "c"}, "reportingComponent": "r", "type": "Normal",
            "firstTimestamp": "2024-01-01T00:00:00Z", "lastTimestamp": "2024-01-01T00:00:00Z", "reason": "Started"});
        let kind = by_gvk("events.k8s.io", "v1", "Event").expect("served");
        let view = shown(kind, &core).into_owned();
        assert_eq!(unknown(kind.ty, &view), Vec::<String>::new());
        assert_eq!((&view["note"], &view["regarding"]["name"]), (&json!("m"), &json!("p")));
        assert_eq!(view["apiVersion"], "events.k8s.io/v1");
        assert_eq!(stored(kind, view), core);
    }

    #[test]
    fn what_is_stored_as_it_is_shown_stays_as_it_is() {
        let kind = Kind::of(resources::EVENTS).expect("served");
        let core = json!({"apiVersion": "v1", "kind": "Event", "message": "m"});
        assert_eq!(shown(kind, &core).as_ref(), &core);
        assert_eq!(stored(kind, core.clone()), core);
    }
}
