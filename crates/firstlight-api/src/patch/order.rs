//! The order of a merged list: what the patch lists keeps the patch's order, the rest stays where it was.

use serde_json::Value;
use std::collections::BTreeMap;

/// What makes two elements the same one: the value of the merge key, or for scalars the value itself.
pub(super) fn identity(element: &Value, key: Option<&str>) -> Option<String> {
    match key {
        Some(key) => element.get(key).map(Value::to_string),
        None => Some(element.to_string()),
    }
}

/// Where each element stands in a list; the first place counts.
#[derive(Clone)]
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    pub(super) fn of(list: &[Value], key: Option<&str>) -> Places {
        let mut places = BTreeMap::new();
        for (place, identity) in list.iter().enumerate().filter_map(|(i, e)| identity(e, key).map(|id| (i, id))) {
            places.entry(identity).or_insert(place);
        }
        Places(places)
    }

    pub(super) fn get(&self, identity: &str) -> Option<usize> {
        self.0.get(identity).copied()
    }

    pub(super) fn add(&mut self, identity: String, place: usize) {
        self.0.entry(identity).or_insert(place);
    }
}

/// An element and what is asked about it again and again.
struct Item {
    value: Value,
    /// Its place in the list before the patch.
    live: Option<usize>,
}

/// Orders `merged`: elements of `wanted` in that list's order, the others in the order of `live`, interleaved so that
/// an element of `live` comes before the first wanted one it stood before (the design "preserve order in strategic
/// merge patch"; `mergeSortedSlice` of `k8s.io/apimachinery/pkg/util/strategicpatch`).
pub(super) fn ordered(merged: Vec<Value>, wanted: &Places, live: &Places, key: Option<&str>) -> Vec<Value> {
    let (mut listed, mut others) = (Vec::new(), Vec::new());
    for value in merged {
        let identity = identity(&value, key).unwrap_or_default();
        let item = Item { value, live: live.get(&identity) };
        match wanted.get(&identity) {
            Some(place) => listed.push((place, item)),
            None => others.push(item),
        }
    }
    listed.sort_by_key(|(place, _)| *place);
    others.sort_by_key(|item| item.live);
    let mut result = Vec::with_capacity(listed.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (_, item) in listed {
        while let Some(before) = others.next_if(|other| precedes(other, &item)) {
            result.push(before.value);
        }
        result.push(item.value);
    }
    result.extend(others.map(|item| item.value));
    result
}

/// Whether both stood in the live list, this one first.
fn precedes(left: &Item, right: &Item) -> bool {
    matches!((left.live, right.live), (Some(left), Some(right)) if left < right)
}
