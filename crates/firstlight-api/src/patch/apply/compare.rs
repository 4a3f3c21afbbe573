//! What a value consists of, and what one value changes of another: sets of fields.
//!
//! The rules for empty values, new parents and repeated elements are those of `typed/tofieldset.go` and
//! `typed/compare.go` of `sigs.k8s.io/structured-merge-diff`: `managedFields` written by one server must mean the
//! same to another.

use super::field_set::FieldSet;
use super::holds::Holds;
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields a value sets.
pub(super) fn fields_of(holds: Holds, value: &Value) -> FieldSet {
    let mut walk = Walk::default();
    walk.fields(holds, value);
    walk.found
}

/// What the step from one value to another does.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) added: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) removed: FieldSet,
}

impl Changes {
    pub(super) fn between(holds: Holds, before: &Value, after: &Value) -> Changes {
        let mut walk = Comparing::default();
        walk.compare(holds, Some(before), Some(after));
        walk.changes
    }

    /// Fields that are there now and were not, or not so.
    pub(super) fn written(&self) -> FieldSet {
        self.modified.clone().union(&self.added)
    }

    /// The changes outside a set.
    pub(super) fn without(&self, set: &FieldSet) -> Changes {
        let Changes { added, modified, removed } = self;
        Changes { added: added.without(set), modified: modified.without(set), removed: removed.without(set) }
    }
}

#[derive(Default)]
struct Walk {
    path: Vec<String>,
    found: FieldSet,
}

impl Walk {
    fn fields(&mut self, holds: Holds, value: &Value) {
        match (holds, value) {
            (Holds::Struct(_) | Holds::Map(_), Value::Object(map)) => {
                for (key, value) in map {
                    self.path.push(format!("f:{key}"));
                    self.fields(holds.at(key), value);
                    let hollow = value.is_null() || value.as_object().is_some_and(|map| map.is_empty());
                    if hollow || !holds.names(key) {
                        self.found.insert(&self.path);
                    }
                    self.path.pop();
                }
            }
            (Holds::Set | Holds::Keyed(..), Value::Array(list)) => {
                for (step, elements) in by_step(holds, list) {
                    self.path.push(step);
                    // Repeated elements are owned together, as one whole.
                    if let [element] = elements.as_slice() {
                        self.fields(holds.element(), element);
                    }
                    self.found.insert(&self.path);
                    self.path.pop();
                }
            }
            (Holds::Struct(_) | Holds::Map(_) | Holds::Set | Holds::Keyed(..), Value::Null) => {}
            (Holds::Struct(_) | Holds::Map(_) | Holds::Set | Holds::Keyed(..) | Holds::Whole, _) => {
                self.found.insert(&self.path);
            }
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

#[derive(Default)]
struct Comparing {
    path: Vec<String>,
    changes: Changes,
}

impl Comparing {
    fn compare(&mut self, holds: Holds, before: Option<&Value>, after: Option<&Value>) {
        let objects = (holds.object(before), holds.object(after));
        let lists = (holds.list(before), holds.list(after));
        match (objects, lists) {
            ((None, None), (None, None)) => return self.whole(before, after),
            ((left, right), (None, None)) => {
                let keys = left.into_iter().flatten().chain(
                    right.into_iter().flatten().filter(|(key, _)| left.is_none_or(|left| !left.contains_key(*key))),
                );
                for (key, _) in keys {
                    self.path.push(format!("f:{key}"));
                    self.compare(holds.at(key), left.and_then(|map| map.get(key)), right.and_then(|map| map.get(key)));
                    self.path.pop();
                }
            }
            (_, (left, right)) => self.elements(holds, left.unwrap_or_default(), right.unwrap_or_default()),
        }
        // A parent that comes or goes as a whole is owned itself, too.
        match (before, after) {
            (None, _) => self.changes.added.insert(&self.path),
            (_, None) => self.changes.removed.insert(&self.path),
            (Some(_), Some(_)) => {}
        }
    }

    fn whole(&mut self, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (None, None) => {}
            (None, Some(_)) => self.changes.added.insert(&self.path),
            (Some(_), None) => self.changes.removed.insert(&self.path),
            (Some(before), Some(after)) if before != after => self.changes.modified.insert(&self.path),
            (Some(_), Some(_)) => {}
        }
    }

    fn elements(&mut self, holds: Holds, before: &[Value], after: &[Value]) {
        let (left, right) = (by_step(holds, before), by_step(holds, after));
        let only_right = right.keys().filter(|step| !left.contains_key(*step));
        for step in left.keys().chain(only_right) {
            self.path.push(step.clone());
            let (left, right) =
                (left.get(step).map_or(&[][..], Vec::as_slice), right.get(step).map_or(&[][..], Vec::as_slice));
            match (left, right) {
                ([] | [_], [] | [_]) => self.compare(holds.element(), left.first().copied(), right.first().copied()),
                ([_, _, ..], [_, _, ..]) => {
                    if left != right {
                        self.changes.modified.insert(&self.path);
                    }
                }
                ([_, _, ..], _) => {
                    if let Some(element) = right.first() {
                        self.compare(holds.element(), None, Some(element));
                    }
                    self.changes.removed.insert(&self.path);
                }
                (_, [_, _, ..]) => {
                    if let Some(element) = left.first() {
                        self.compare(holds.element(), Some(element), None);
                    }
                    self.changes.added.insert(&self.path);
                }
            }
            self.path.pop();
        }
    }
}
