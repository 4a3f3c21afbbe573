//! An object with a configuration laid over it, and an object with fields taken out of it.
//!
//! The order of merged lists is that of `typed/merge.go` of `sigs.k8s.io/structured-merge-diff`: what the
//! configuration lists keeps its order, the rest stays where it stood.

use super::field_set::FieldSet;
use super::holds::Holds;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Lays `config` over `live`.
pub(super) fn merge(holds: Holds, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    match ((holds.object(live), holds.object(config)), (holds.list(live), holds.list(config))) {
        ((None, None), (None, None)) => config.or(live).cloned(),
        ((Some(live), None), _) => Some(Value::Object(live.clone())),
        ((None, Some(config)), _) => Some(Value::Object(config.clone())),
        ((Some(live), Some(config)), _) => Some(Value::Object(merge_objects(holds, live, config))),
        (_, (Some(live), None)) => Some(Value::Array(live.to_vec())),
        (_, (None, Some(config))) => Some(Value::Array(config.to_vec())),
        (_, (Some(live), Some(config))) => Some(Value::Array(merge_lists(holds, live, config))),
    }
}

fn merge_objects(holds: Holds, live: &Map<String, Value>, config: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = live.clone();
    for (key, value) in config {
        if let Some(value) = merge(holds.at(key), live.get(key), Some(value)) {
            merged.insert(key.clone(), value);
        }
    }
    merged
}

fn merge_lists(holds: Holds, live: &[Value], config: &[Value]) -> Vec<Value> {
    Lists::new(holds, live, config).merged()
}

/// Two lists being merged, with each element's step.
struct Lists<'a> {
    holds: Holds,
    live: VecDeque<(String, &'a Value)>,
    config: VecDeque<(String, &'a Value)>,
    /// Elements of the object by step; repeated ones are not merged with, they are replaced.
    single: BTreeMap<String, Option<&'a Value>>,
    /// Steps of the configuration.
    wanted: BTreeSet<String>,
    /// Steps of both, in the configuration's order, as far as they are not yet placed.
    shared: VecDeque<String>,
}

impl<'a> Lists<'a> {
    fn new(holds: Holds, live: &'a [Value], config: &'a [Value]) -> Lists<'a> {
        let steps = |list: &'a [Value]| list.iter().map(|e| (holds.element_step(e), e)).collect::<VecDeque<_>>();
        let (live, config) = (steps(live), steps(config));
        let mut single = BTreeMap::new();
        for (step, element) in &live {
            single.entry(step.clone()).and_modify(|e| *e = None).or_insert(Some(*element));
        }
        let wanted = config.iter().map(|(step, _)| step.clone()).collect();
        let shared = config.iter().map(|(step, _)| step).filter(|step| single.contains_key(*step)).cloned().collect();
        Lists { holds, live, config, single, wanted, shared }
    }

    fn merged(mut self) -> Vec<Value> {
        let mut merged = Vec::with_capacity(self.live.len() + self.config.len());
        let mut placed = BTreeSet::new();
        loop {
            let (live, config) = (self.live.front(), self.config.front());
            match (live, config) {
                // An element of the object alone stays before what it stood before.
                (Some((step, element)), _) if !self.wanted.contains(step) => {
                    merged.push((*element).clone());
                    self.live.pop_front();
                }
                // One of both, but another is due first: it is placed when the configuration comes to it.
                (Some((step, _)), Some((due, _)))
                    if step != due && self.shared.front().is_some_and(|next| next != step) =>
                {
                    self.live.pop_front();
                }
                (Some((step, _)), _) if placed.contains(step) => {
                    self.live.pop_front();
                    self.place(&mut merged, &mut placed);
                }
                (_, Some(_)) => self.place(&mut merged, &mut placed),
                (Some(_), None) => {
                    self.live.pop_front();
                }
                (None, None) => return merged,
            }
        }
    }

    /// Places the configuration's next element, merged with the object's.
    fn place(&mut self, merged: &mut Vec<Value>, placed: &mut BTreeSet<String>) {
        let Some((step, element)) = self.config.pop_front() else { return };
        let live = self.single.get(&step).copied().flatten();
        merged.extend(merge(self.holds.element(), live, Some(element)));
        if self.live.front().is_some_and(|(live, _)| *live == step) {
            self.live.pop_front();
        }
        if self.shared.front() == Some(&step) {
            self.shared.pop_front();
        }
        placed.insert(step);
    }
}

/// Takes the members of a set out of a value. What loses everything is null, which the canonical form leaves out.
pub(super) fn remove(holds: Holds, value: &Value, gone: &FieldSet) -> Value {
    if let Some(map) = holds.object(Some(value)) {
        let mut left = Map::new();
        for (key, value) in map {
            let step = format!("f:{key}");
            if !gone.has(&step) {
                let value = gone.below(&step).map_or_else(|| value.clone(), |gone| remove(holds.at(key), value, gone));
                left.insert(key.clone(), value);
            }
        }
        return if left.is_empty() { Value::Null } else { Value::Object(left) };
    }
    if let Some(list) = holds.list(Some(value)) {
        let left = list.iter().filter_map(|element| {
            let step = holds.element_step(element);
            let below = |gone: &FieldSet| remove(holds.element(), element, gone);
            (!gone.has(&step)).then(|| gone.below(&step).map_or_else(|| element.clone(), below))
        });
        let left: Vec<Value> = left.collect();
        return if left.is_empty() { Value::Null } else { Value::Array(left) };
    }
    value.clone()
}

/// A set with the fields of types on the way to its members as members: what owns `spec.a` counts as owning `spec`
/// when the question is what may be removed. Elements and keys of maps are owned only where the set says so.
pub(super) fn with_parents(holds: Holds, set: &FieldSet) -> FieldSet {
    set.map_below(|step, below| {
        let named = step.strip_prefix("f:").is_some_and(|key| holds.names(key));
        let inner = with_parents(holds.step(step), below);
        if named { inner.joined() } else { inner }
    })
}
