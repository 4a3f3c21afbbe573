//! Strategic merge patch (`application/strategic-merge-patch+json`): what `kubectl apply`, `edit`, `set` and `label`
//! send.
//!
//! Objects are merged, and so are the lists whose field has a merge key in the schema; four directives say more:
//!
//! | directive | where | what it does |
//! | --- | --- | --- |
//! | `$patch: replace`, `$patch: delete` | in an object, or in an element of a keyed list | replaces or empties it; removes the element |
//! | `$setElementOrder/F` | beside list `F` | gives the order of all its elements |
//! | `$deleteFromPrimitiveList/F` | beside list `F` | removes these values |
//! | `$retainKeys` | in an object | removes every other key |
//!
//! Rules and refusals are those of `k8s.io/apimachinery/pkg/util/strategicpatch/patch.go` (`mergeMap`, `mergeSlice`,
//! `mergePatchIntoOriginal`, `applyRetainKeysDirective`).

use super::order::{Places, identity, ordered};
use crate::decode::Path;
use crate::schema::{Field, Of, PatchStrategy, Shape, Type};
use crate::status_error::StatusError;
use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_VALUES: &str = "$deleteFromPrimitiveList/";

type Object = Map<String, Value>;

/// The object after a strategic merge patch.
///
/// # Errors
/// 400 if the patch is malformed, naming the place; then nothing is done.
pub fn strategic(ty: &'static Type, doc: &Value, patch: &Value) -> Result<Value, StatusError> {
    let (Value::Object(doc), Value::Object(patch)) = (doc, patch) else {
        return Err(StatusError::bad_request("a strategic merge patch must be an object"));
    };
    let mut result = doc.clone();
    merge_object(&mut result, patch.clone(), Holds::Fields(ty), &Path::Root).map_err(StatusError::bad_request)?;
    Ok(Value::Object(result))
}

/// What the keys of an object stand for.
#[derive(Clone, Copy)]
enum Holds {
    /// The fields of a type.
    Fields(&'static Type),
    /// The free keys of a map, each value of this type.
    Values(&'static Type),
    /// Nothing the schema knows.
    Anything,
}

impl Holds {
    fn field(self, name: &str) -> Option<&'static Field> {
        match self {
            Holds::Fields(ty) => ty.field(name),
            Holds::Values(_) | Holds::Anything => None,
        }
    }

    /// What the object at this key, or each element of the list at it, holds.
    fn below(self, name: &str) -> Holds {
        let known = |of: Of| of.message().map(Holds::Fields);
        let found = match self {
            Holds::Fields(ty) => match ty.field(name).map(|f| f.shape) {
                Some(Shape::One(of) | Shape::List(of)) => known(of),
                Some(Shape::Map(of)) => of.message().map(Holds::Values),
                None => None,
            },
            Holds::Values(ty) => Some(Holds::Fields(ty)),
            Holds::Anything => None,
        };
        found.unwrap_or(Holds::Anything)
    }
}

fn merge_object(live: &mut Object, mut patch: Object, holds: Holds, at: &Path<'_>) -> Result<(), String> {
    match patch.remove(DIRECTIVE) {
        None => {}
        Some(Value::String(word)) if word == "replace" => {
            *live = without_directives(patch);
            return Ok(());
        }
        Some(Value::String(word)) if word == "delete" => {
            live.clear();
            return Ok(());
        }
        Some(other) => return Err(refusal(at, &format!("unknown patch type: {other}"))),
    }
    retain_keys(live, &mut patch, at)?;
    set_orders(live, &mut patch, holds, at)?;
    for (key, value) in patch {
        match key.strip_prefix(DELETE_VALUES) {
            Some(name) => delete_values(live, name, value, &Path::Key(at, name))?,
            None if key.starts_with("$deleteFromPrimitiveList") => {
                return Err(refusal(at, "invalid patch format of primitive list"));
            }
            None => merge_value(live, &key, value, holds, &Path::Key(at, &key))?,
        }
    }
    Ok(())
}

fn merge_value(live: &mut Object, key: &str, patch: Value, holds: Holds, at: &Path<'_>) -> Result<(), String> {
    if patch.is_null() {
        live.remove(key);
        return Ok(());
    }
    match (live.get_mut(key), patch) {
        (Some(Value::Object(live)), Value::Object(patch)) => merge_object(live, patch, holds.below(key), at),
        (Some(Value::Array(live)), Value::Array(patch)) => {
            let list = ListField::of(holds, key);
            *live = list.merge(std::mem::take(live), patch, at)?;
            Ok(())
        }
        (_, patch) => {
            match without_directive(patch) {
                Some(value) => live.insert(key.to_owned(), value),
                None => live.remove(key),
            };
            Ok(())
        }
    }
}

/// `$retainKeys`: what it does not name goes; what the patch sets must be named.
fn retain_keys(live: &mut Object, patch: &mut Object, at: &Path<'_>) -> Result<(), String> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let malformed = || refusal(at, "invalid patch format of retainKeys");
    let keep: Vec<&str> = directive.as_array().ok_or_else(malformed)?.iter().filter_map(Value::as_str).collect();
    let sets =
        |key: &str, value: &Value| !value.is_null() && !key.starts_with(SET_ORDER) && !key.starts_with(DELETE_VALUES);
    if patch.iter().any(|(key, value)| sets(key, value) && !keep.contains(&key.as_str())) {
        return Err(malformed());
    }
    live.retain(|key, _| keep.contains(&key.as_str()));
    Ok(())
}

/// `$deleteFromPrimitiveList/NAME`: these values go, whatever the field's strategy.
fn delete_values(live: &mut Object, name: &str, patch: Value, at: &Path<'_>) -> Result<(), String> {
    let (Some(Value::Array(live)), Value::Array(gone)) = (live.get_mut(name), patch) else { return Ok(()) };
    if live.iter().chain(&gone).any(|e| e.is_object() || e.is_array()) {
        return Err(refusal(at, "invalid patch format of primitive list"));
    }
    let gone = Places::of(&gone, None);
    live.retain(|element| identity(element, None).is_none_or(|id| gone.get(&id).is_none()));
    Ok(())
}

/// `$setElementOrder/NAME`: merges that list and gives it this order. What is done is taken out of the patch.
fn set_orders(live: &mut Object, patch: &mut Object, holds: Holds, at: &Path<'_>) -> Result<(), String> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with("$setElementOrder")).cloned().collect();
    for directive in directives {
        let order = patch.remove(&directive).unwrap_or_default();
        let malformed = || refusal(at, "invalid patch format of setElementOrder list");
        let name = directive.strip_prefix(SET_ORDER).ok_or_else(malformed)?;
        let at = Path::Key(at, name);
        let Value::Array(order) = order else { return Err(malformed()) };
        let before = take_list(live, name).map_err(|e| refusal(&at, e))?;
        let changes = take_list(patch, name).map_err(|e| refusal(&at, e))?;
        let list = ListField::of(holds, name);
        list.check_order(changes.as_deref().unwrap_or_default(), &order, &at)?;
        let places = Places::of(before.as_deref().unwrap_or_default(), list.key());
        let merged = match (before, changes) {
            (None, None) => continue,
            (Some(before), None) => before,
            (None, Some(changes)) => changes.into_iter().filter_map(without_directive).collect(),
            (Some(before), Some(changes)) => list.merge(before, changes, &at)?,
        };
        list.check_keys(&merged, &at)?;
        let merged = ordered(merged, &Places::of(&order, list.key()), &places, list.key());
        live.insert(name.to_owned(), Value::Array(merged));
    }
    Ok(())
}

fn take_list(object: &mut Object, name: &str) -> Result<Option<Vec<Value>>, &'static str> {
    match object.remove(name) {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err("expected a list beside $setElementOrder"),
    }
}

/// A list and how the schema says it is merged.
#[derive(Clone, Copy)]
struct ListField {
    strategy: PatchStrategy,
    elements: Holds,
}

impl ListField {
    fn of(holds: Holds, name: &str) -> ListField {
        ListField { strategy: holds.field(name).map(|f| f.patch).unwrap_or_default(), elements: holds.below(name) }
    }

    fn key(self) -> Option<&'static str> {
        match self.strategy {
            PatchStrategy::MergeBy(key) => Some(key),
            PatchStrategy::Merge | PatchStrategy::Replace => None,
        }
    }

    fn merge(self, live: Vec<Value>, patch: Vec<Value>, at: &Path<'_>) -> Result<Vec<Value>, String> {
        match self.strategy {
            PatchStrategy::Replace => Ok(patch.into_iter().filter_map(without_directive).collect()),
            PatchStrategy::Merge => merge_values(live, patch, at),
            PatchStrategy::MergeBy(key) => self.merge_elements(live, patch, key, at),
        }
    }

    /// Elements with the same key are merged; the others of both lists stay.
    fn merge_elements(
        self,
        live: Vec<Value>,
        patch: Vec<Value>,
        key: &str,
        at: &Path<'_>,
    ) -> Result<Vec<Value>, String> {
        let (live, patch) = element_directives(live, patch, key, at)?;
        let before = Places::of(&live, Some(key));
        let wanted = Places::of(&patch, Some(key));
        let (mut merged, mut places) = (live, before.clone());
        for (index, element) in patch.into_iter().enumerate() {
            let at = Path::Index(at, index);
            let id = identity(&element, Some(key)).ok_or_else(|| no_key(&element, key, &at))?;
            let Value::Object(element) = element else { return Err(no_key(&element, key, &at)) };
            match places.get(&id).and_then(|place| merged.get_mut(place)) {
                Some(Value::Object(live)) => merge_object(live, element, self.elements, &at)?,
                Some(_) | None => {
                    places.add(id, merged.len());
                    merged.push(Value::Object(without_directives(element)));
                }
            }
        }
        self.check_keys(&merged, at)?;
        Ok(ordered(merged, &wanted, &before, Some(key)))
    }

    /// Every element of a keyed list has its key, in the object too.
    fn check_keys(self, list: &[Value], at: &Path<'_>) -> Result<(), String> {
        let Some(key) = self.key() else { return Ok(()) };
        match list.iter().enumerate().find(|(_, element)| element.get(key).is_none()) {
            Some((index, element)) => Err(no_key(element, key, &Path::Index(at, index))),
            None => Ok(()),
        }
    }

    /// What the patch adds or changes appears in the given order, in that order.
    fn check_order(self, patch: &[Value], order: &[Value], at: &Path<'_>) -> Result<(), String> {
        if patch.is_empty() || order.is_empty() {
            return Ok(());
        }
        let mut places = order.iter().map(|element| identity(element, self.key()));
        let stays = |element: &&Value| element.get(DIRECTIVE).is_none();
        for element in patch.iter().filter(stays) {
            let id = identity(element, self.key());
            if id.is_none() || !places.any(|place| place == id) {
                return Err(refusal(at, &format!("the order in the patch's list does not match {SET_ORDER}{at}")));
            }
        }
        Ok(())
    }
}

/// A list of scalars is a set: values are added once.
fn merge_values(live: Vec<Value>, patch: Vec<Value>, at: &Path<'_>) -> Result<Vec<Value>, String> {
    if live.iter().chain(&patch).any(Value::is_array) {
        return Err(refusal(at, "lists of lists are not supported"));
    }
    if live.iter().chain(&patch).any(Value::is_object) {
        return Err(refusal(at, "cannot merge lists without merge key"));
    }
    let (before, wanted) = (Places::of(&live, None), Places::of(&patch, None));
    let mut seen = Places::of(&[], None);
    let mut merged = Vec::new();
    for element in live.into_iter().chain(patch) {
        let id = identity(&element, None).unwrap_or_default();
        if seen.get(&id).is_none() {
            seen.add(id, merged.len());
            merged.push(element);
        }
    }
    Ok(ordered(merged, &wanted, &before, None))
}

/// Follows `$patch` in the elements of a keyed list: what is left of the object's list, and of the patch's.
fn element_directives(
    mut live: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    at: &Path<'_>,
) -> Result<(Vec<Value>, Vec<Value>), String> {
    let mut rest = Vec::with_capacity(patch.len());
    let mut replace = false;
    let mut gone = Places::of(&[], None);
    for (index, element) in patch.into_iter().enumerate() {
        let at = Path::Index(at, index);
        match element.get(DIRECTIVE).map(|word| word.as_str().unwrap_or_default()) {
            None => rest.push(element),
            Some("delete") => gone.add(identity(&element, Some(key)).ok_or_else(|| no_key(&element, key, &at))?, index),
            Some("replace") => replace = true,
            Some("merge") => return Err(refusal(&at, "merging lists cannot yet be specified in the patch")),
            Some(other) => return Err(refusal(&at, &format!("unknown patch type: {other}"))),
        }
    }
    if replace {
        return Ok((rest.into_iter().filter_map(without_directive).collect(), Vec::new()));
    }
    live.retain(|element| identity(element, Some(key)).is_none_or(|id| gone.get(&id).is_none()));
    Ok((live, rest))
}

/// A value that is new to the object: nulls and directives in it have nothing to act on. Nothing is left of an object
/// that is itself a directive.
fn without_directive(value: Value) -> Option<Value> {
    match value {
        Value::Object(object) if object.contains_key(DIRECTIVE) => None,
        Value::Object(object) => Some(Value::Object(without_directives(object))),
        Value::Array(list) => Some(Value::Array(list.into_iter().filter_map(without_directive).collect())),
        scalar => Some(scalar),
    }
}

fn without_directives(object: Object) -> Object {
    let directive = |key: &str| {
        key == DIRECTIVE || key == RETAIN_KEYS || key.starts_with(SET_ORDER) || key.starts_with(DELETE_VALUES)
    };
    let keep = object.into_iter().filter(|(key, value)| !value.is_null() && !directive(key));
    keep.filter_map(|(key, value)| Some((key, without_directive(value)?))).collect()
}

fn no_key(element: &Value, key: &str, at: &Path<'_>) -> String {
    refusal(at, &format!("map: {element} does not contain declared merge key: {key}"))
}

fn refusal(at: &Path<'_>, why: &str) -> String {
    match at {
        Path::Root => why.to_owned(),
        Path::Key(..) | Path::Index(..) => format!("{at}: {why}"),
    }
}
