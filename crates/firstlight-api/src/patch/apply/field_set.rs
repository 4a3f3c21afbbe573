//! A set of fields, as `managedFields` writes it (`fieldsV1`): a tree whose keys name fields (`f:spec`), elements by
//! their keys (`k:{"name":"web"}`) and values of sets (`v:"a"`).
//!
//! A node is a member or only on the way to one. Members without members below are written `{}`, those with some
//! carry a `.` beside them.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::mem::take;

/// A set of fields below one place. Of the root only what is below counts: nobody owns a whole object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    member: bool,
    below: BTreeMap<String, FieldSet>,
}

const MEMBER: &str = ".";

impl FieldSet {
    /// Reads `fieldsV1`, or nothing if it is not one.
    pub(super) fn from_value(value: &Value) -> Option<FieldSet> {
        let mut set = FieldSet::default();
        for (step, below) in value.as_object()? {
            if step == MEMBER {
                set.member = true;
                continue;
            }
            let known = step.get(..2).is_some_and(|prefix| matches!(prefix, "f:" | "k:" | "v:" | "i:"));
            let mut below = FieldSet::from_value(below).filter(|_| known)?;
            below.member |= below.below.is_empty();
            set.below.insert(step.clone(), below);
        }
        Some(set)
    }

    /// Writes `fieldsV1`.
    pub(super) fn into_value(self) -> Value {
        let FieldSet { member, below } = self;
        let mut map: Map<String, Value> = below.into_iter().map(|(step, set)| (step, set.into_value())).collect();
        if member && !map.is_empty() {
            map.insert(MEMBER.to_owned(), Value::Object(Map::new()));
        }
        Value::Object(map)
    }

    /// Makes the field at a path a member.
    pub(super) fn insert(&mut self, path: &[&str]) {
        let mut node = self;
        for step in path {
            node = node.below.entry((*step).to_owned()).or_default();
        }
        node.member = !path.is_empty();
    }

    /// Puts a set below a step at which there is nothing yet.
    pub(super) fn put(&mut self, step: String, below: FieldSet) {
        if !below.is_empty() {
            self.below.insert(step, below);
        }
    }

    /// No node below is ever without a member.
    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }

    /// Whether the field one step below is a member.
    pub(super) fn has(&self, step: &str) -> bool {
        self.below.get(step).is_some_and(|set| set.member)
    }

    /// What is below a step, if anything is.
    pub(super) fn below(&self, step: &str) -> Option<&FieldSet> {
        self.below.get(step).filter(|set| !set.below.is_empty())
    }

    /// Changes the nodes below with what is done to each, which is told its step.
    pub(super) fn map_below(&self, mut change: impl FnMut(&str, &FieldSet) -> FieldSet) -> FieldSet {
        let below = self.below.iter().map(|(step, set)| (step.clone(), change(step, set))).collect();
        FieldSet { member: self.member, below }
    }

    /// The same, itself a member.
    pub(super) fn joined(mut self) -> FieldSet {
        self.member = true;
        self
    }

    /// The same, as the set of a whole object.
    pub(super) fn of_root(mut self) -> FieldSet {
        self.member = false;
        self
    }

    /// Members of either.
    pub(super) fn union(mut self, other: &FieldSet) -> FieldSet {
        self.member |= other.member;
        for (step, set) in &other.below {
            match self.below.get_mut(step) {
                Some(mine) => *mine = take(mine).union(set),
                None => self.put(step.clone(), set.clone()),
            }
        }
        self
    }

    /// Members of both.
    pub(super) fn intersection(&self, other: &FieldSet) -> FieldSet {
        let both = self.below.iter().filter_map(|(step, set)| {
            let set = set.intersection(other.below.get(step)?);
            (!set.is_empty()).then(|| (step.clone(), set))
        });
        FieldSet { member: self.member && other.member, below: both.collect() }
    }

    /// Members that are not members of the other. What is below a removed member stays.
    pub(super) fn difference(mut self, other: &FieldSet) -> FieldSet {
        self.member &= !other.member;
        for (step, theirs) in &other.below {
            if let Some((step, mine)) = self.below.remove_entry(step) {
                self.put(step, mine.difference(theirs));
            }
        }
        self
    }

    /// Members that are neither members of the other nor below one.
    pub(super) fn without(mut self, other: &FieldSet) -> FieldSet {
        for (step, theirs) in &other.below {
            if let Some((step, mine)) = self.below.remove_entry(step)
                && !theirs.member
            {
                self.put(step, mine.without(theirs));
            }
        }
        self
    }

    /// Every member as people read it: `.spec.containers[name="web"].image`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_paths("", &mut found);
        found
    }

    fn collect_paths(&self, at: &str, found: &mut Vec<String>) {
        if self.member {
            found.push(at.to_owned());
        }
        for (step, set) in &self.below {
            set.collect_paths(&format!("{at}{}", readable(step)), found);
        }
    }
}

/// One step as people read it.
pub(super) fn readable(step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("v", value)) => format!("[={value}]"),
        Some(("k", keys)) => match serde_json::from_str::<BTreeMap<String, Value>>(keys) {
            Ok(keys) => {
                let pairs: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", pairs.join(","))
            }
            Err(_) => format!("[{keys}]"),
        },
        Some((_, index)) => format!("[{index}]"),
        None => step.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::FieldSet;
    use serde_json::json;

    fn set(value: &serde_json::Value) -> FieldSet {
        FieldSet::from_value(value).expect("a field set")
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        let value = json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}, "f:finalizers": {"v:\"x\"": {}}}});
        assert_eq!(set(&value).into_value(), value);
        assert_eq!(
            set(&value).paths(),
            [
                ".metadata.labels",
                ".metadata.labels.a",
                ".spec.containers[name=\"a\"]",
                ".spec.containers[name=\"a\"].image",
                ".spec.finalizers[=\"x\"]"
            ]
        );
        assert_eq!(FieldSet::from_value(&json!({"spec": true})), None);
        assert_eq!(FieldSet::from_value(&json!({"spec": {}})), None);
    }

    #[test]
    fn sets_are_joined_and_parted_by_member() {
        let (a, b) = (set(&json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}})), set(&json!({"f:a": {}, "f:d": {}})));
        assert_eq!(a.clone().union(&b), set(&json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}, "f:d": {}})));
        assert_eq!(a.intersection(&b), set(&json!({"f:a": {}})));
        assert_eq!(a.clone().difference(&b).paths(), [".a.b", ".c"]);
        assert_eq!(a.clone().without(&b), set(&json!({"f:c": {}})));
        assert!(a.clone().difference(&a).is_empty());
    }
}
