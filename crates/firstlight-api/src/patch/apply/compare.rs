//! What a value consists of, and what one value changes of another: sets of fields.
//!
//! The rules for empty values, new parents and repeated elements are those of `typed/tofieldset.go` and
//! `typed/compare.go` of `sigs.k8s.io/structured-merge-diff`: `managedFields` written by one server must mean the
//! same to another.

use super::field_set::FieldSet;
use super::holds::Holds;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields a value sets.
pub(super) fn fields_of(holds: Holds, value: &Value) -> FieldSet {
    fields(holds, value).of_root()
}

/// What the step from one value to another does.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Fields that are there now and were not, or not so.
    pub(super) written: FieldSet,
    /// Fields that are there no longer.
    pub(super) removed: FieldSet,
}

impl Changes {
    pub(super) fn between(holds: Holds, before: &Value, after: &Value) -> Changes {
        let Changes { written, removed } = compare(holds, Some(before), Some(after));
        Changes { written: written.of_root(), removed: removed.of_root() }
    }

    /// The changes outside a set.
    pub(super) fn without(self, set: &FieldSet) -> Changes {
        let Changes { written, removed } = self;
        Changes { written: written.without(set), removed: removed.without(set) }
    }

    /// Puts the changes of what is below one step, which is asked for only where there are some.
    fn put(&mut self, step: impl Fn() -> String, below: Changes) {
        let Changes { written, removed } = below;
        for (set, below) in [(&mut self.written, written), (&mut self.removed, removed)] {
            if !below.is_empty() {
                set.put(step(), below);
            }
        }
    }
}

fn fields(holds: Holds, value: &Value) -> FieldSet {
    match (holds, value) {
        (Holds::Struct(_) | Holds::Map(_), Value::Object(map)) => {
            let mut found = FieldSet::default();
            for (key, value) in map {
                let hollow = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                let below = fields(holds.at(key), value);
                found.put(format!("f:{key}"), if hollow || !holds.names(key) { below.joined() } else { below });
            }
            found
        }
        (Holds::Set | Holds::Keyed(..), Value::Array(list)) => {
            let mut found = FieldSet::default();
            for (step, elements) in by_step(holds, list) {
                // Repeated elements are owned together, as one whole.
                let below = match elements.as_slice() {
                    [element] => fields(holds.element(), element),
                    _ => FieldSet::default(),
                };
                found.put(step, below.joined());
            }
            found
        }
        (Holds::Struct(_) | Holds::Map(_) | Holds::Set | Holds::Keyed(..), Value::Null) => FieldSet::default(),
        (Holds::Struct(_) | Holds::Map(_) | Holds::Set | Holds::Keyed(..) | Holds::Whole, _) => {
            FieldSet::default().joined()
        }
    }
}

/// The elements of a list by the step that names them.
fn by_step(holds: Holds, list: &[Value]) -> BTreeMap<String, Vec<&Value>> {
    let mut steps: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for element in list {
        steps.entry(holds.element_step(element)).or_default().push(element);
    }
    steps
}

fn compare(holds: Holds, before: Option<&Value>, after: Option<&Value>) -> Changes {
    if before == after {
        return Changes::default();
    }
    let objects = (holds.object(before), holds.object(after));
    let lists = (holds.list(before), holds.list(after));
    let changes = match (objects, lists) {
        ((None, None), (None, None)) => return whole(after),
        ((left, right), (None, None)) => parts(holds, left, right),
        (_, (left, right)) => elements(holds, left.unwrap_or_default(), right.unwrap_or_default()),
    };
    // A parent that comes or goes as a whole is owned itself, too.
    let Changes { written, removed } = changes;
    match (before, after) {
        (None, _) => Changes { written: written.joined(), removed },
        (_, None) => Changes { written, removed: removed.joined() },
        (Some(_), Some(_)) => Changes { written, removed },
    }
}

/// Of values that differ and have no parts with owners of their own.
fn whole(after: Option<&Value>) -> Changes {
    let this = FieldSet::default().joined();
    match after {
        None => Changes { removed: this, ..Changes::default() },
        Some(_) => Changes { written: this, ..Changes::default() },
    }
}

fn parts(holds: Holds, before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>) -> Changes {
    let mut changes = Changes::default();
    let only_after =
        after.into_iter().flatten().filter(|(key, _)| before.is_none_or(|before| !before.contains_key(*key)));
    for (key, _) in before.into_iter().flatten().chain(only_after) {
        let below = compare(holds.at(key), before.and_then(|map| map.get(key)), after.and_then(|map| map.get(key)));
        changes.put(|| format!("f:{key}"), below);
    }
    changes
}

fn elements(holds: Holds, before: &[Value], after: &[Value]) -> Changes {
    let mut changes = Changes::default();
    let (left, right) = (by_step(holds, before), by_step(holds, after));
    let only_right = right.keys().filter(|step| !left.contains_key(*step));
    let element = holds.element();
    for step in left.keys().chain(only_right) {
        let (left, right) =
            (left.get(step).map_or(&[][..], Vec::as_slice), right.get(step).map_or(&[][..], Vec::as_slice));
        // Repeated elements are owned together, as one whole.
        let below = match (left, right) {
            ([] | [_], [] | [_]) => compare(element, left.first().copied(), right.first().copied()),
            ([_, _, ..], [_, _, ..]) if left == right => Changes::default(),
            ([_, _, ..], [_, _, ..]) => Changes { written: FieldSet::default().joined(), ..Changes::default() },
            ([_, _, ..], _) => {
                let below = right.first().map_or_else(Changes::default, |right| compare(element, None, Some(right)));
                Changes { removed: below.removed.joined(), ..below }
            }
            (_, [_, _, ..]) => {
                let below = left.first().map_or_else(Changes::default, |left| compare(element, Some(left), None));
                Changes { written: below.written.joined(), ..below }
            }
        };
        changes.put(|| step.clone(), below);
    }
    changes
}
