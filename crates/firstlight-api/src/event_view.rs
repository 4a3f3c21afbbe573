//! One Event, two views: `v1` and `events.k8s.io/v1` name the same fields differently.
//!
//! Events are stored in the form of `v1`; the server turns a body or answer of the other view around. The pairs are
//! those of `pkg/apis/events/v1/conversion.go`.

use serde_json::Value;

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

/// An Event of `events.k8s.io/v1` in the form it is stored.
#[must_use]
pub fn to_core(event: Value) -> Value {
    turned(event, "v1", |(core, view)| (view, core))
}

/// A stored Event as `events.k8s.io/v1` shows it.
#[must_use]
pub fn from_core(event: Value) -> Value {
    turned(event, "events.k8s.io/v1", |pair| pair)
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
    use super::{from_core, to_core};
    use crate::fields::unknown;
    use crate::schema::type_of;
    use serde_json::json;

    #[test]
    fn both_views_hold_the_same_and_fit_their_types() {
        let core = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "m", "count": 2,
            "involvedObject": {"name": "p"}, "source": {"component": "c"}, "reportingComponent": "r", "type": "Normal",
            "firstTimestamp": "2024-01-01T00:00:00Z", "lastTimestamp": "2024-01-01T00:00:00Z", "reason": "Started"});
        let view = from_core(core.clone());
        let ty = type_of("events.k8s.io", "v1", "Event").expect("a table");
        assert_eq!(unknown(ty, &view), Vec::<String>::new());
        assert_eq!((&view["note"], &view["regarding"]["name"]), (&json!("m"), &json!("p")));
        assert_eq!(view["apiVersion"], "events.k8s.io/v1");
        assert_eq!(to_core(view), core);
    }
}
