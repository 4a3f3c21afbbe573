//! What this engine does with each field, and what it refuses by name (decision 14): nothing is ignored in silence.
//!
//! [`TABLE`] says for every field of a pod, a StatefulSet, a Service and a few others whether it is honoured, is
//! harmless here (and why), or is refused (and the way out). Validation asks [`check`] for every object; people can read the
//! table. A test holds it against the API's schema, so that no field is forgotten.

mod table;

use crate::refuse::Refusals;
use crate::schema::{Kind, Of, Shape, Type};
use crate::view::View;
use serde_json::Value;

pub use table::TABLE;

/// What is done with the fields of one type of the API.
#[derive(Debug)]
pub struct Entry {
    /// Group, version and name of the type: `core.v1.Container`.
    pub ty: &'static str,
    /// Fields that do what Kubernetes says they do. Where such a field is itself of a type with an entry, that counts.
    pub honoured: &'static [&'static str],
    /// Fields that are accepted and change nothing, each with the reason why nothing is lost.
    pub harmless: &'static [(&'static str, &'static str)],
    /// Fields that are refused unless they say what is done anyway, each with the way out.
    pub refused: &'static [(&'static str, Unless, &'static str)],
}

/// Which values of a refused field ask for nothing that is not done.
#[derive(Debug, Clone, Copy)]
pub enum Unless {
    /// None but those that say nothing: `false`, `0`, an empty text or list.
    Unsaid,
    /// Those that say nothing, the empty object included.
    Empty,
    /// `true`, or nothing.
    True,
    /// One of these texts, or nothing.
    Is(&'static [&'static str]),
    /// One of these texts; leaving it out is refused too.
    Must(&'static [&'static str]),
    /// Any text but these.
    IsNot(&'static [&'static str]),
    /// A list of nothing but these texts.
    Each(&'static [&'static str]),
    /// An object with no keys but these.
    Keys(&'static [&'static str]),
    /// An object with no pairs but these.
    Pairs(&'static [(&'static str, &'static str)]),
}

/// Refuses what is asked of the engine and not honoured.
pub(crate) fn check(kind: &Kind, object: &Value, refused: &mut Refusals) {
    walk(kind.ty, object, "", refused);
}

fn walk(ty: &Type, object: &Value, path: &str, refused: &mut Refusals) {
    let entry = TABLE.iter().find(|entry| entry.ty == ty.name);
    for (field, unless, way_out) in entry.map_or(&[][..], |entry| entry.refused) {
        let at = join(path, field);
        for place in unless.exceeded(object.object(field)) {
            refused.forbidden(&format!("{at}{place}"), &format!("not honoured by Firstlight: {way_out}"));
        }
    }
    for (key, value) in object.as_object().into_iter().flatten() {
        let closed = entry.is_some_and(|e| !e.honoured.contains(&key.as_str())) || (path.is_empty() && key == "status");
        let Some(field) = ty.field(key).filter(|_| !closed) else { continue };
        let at = join(path, key);
        match field.shape {
            Shape::One(Of::Message(ty)) => walk(ty, value, &at, refused),
            Shape::List(Of::Message(ty)) => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    walk(ty, item, &format!("{at}[{i}]"), refused);
                }
            }
            Shape::One(_) | Shape::List(_) | Shape::Map(_) => {}
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Unless {
    /// Where a value asks for more: the places inside it, `""` for the whole; none if it does not.
    fn exceeded(self, value: &Value) -> Vec<String> {
        let whole = |exceeds: bool| if exceeds { vec![String::new()] } else { Vec::new() };
        let text = value.as_str().unwrap_or("");
        match self {
            Unless::Unsaid => whole(!unsaid(value)),
            Unless::Empty => whole(!unsaid(value) && !value.as_object().is_some_and(serde_json::Map::is_empty)),
            Unless::True => whole(value.as_bool() == Some(false)),
            Unless::Is(words) => whole(!unsaid(value) && !words.contains(&text)),
            Unless::Must(words) => whole(!words.contains(&text)),
            Unless::IsNot(words) => whole(words.contains(&text)),
            Unless::Each(words) => {
                let items = value.as_array().into_iter().flatten().enumerate();
                let others = items.filter(|(_, item)| !words.contains(&item.as_str().unwrap_or("")));
                others.map(|(i, _)| format!("[{i}]")).collect()
            }
            Unless::Keys(words) => {
                let keys = value.as_object().into_iter().flatten().map(|(key, _)| key);
                keys.filter(|key| !words.contains(&key.as_str())).map(|key| format!("[{key}]")).collect()
            }
            Unless::Pairs(pairs) => {
                let members = value.as_object().into_iter().flatten();
                let others =
                    members.filter(|(key, value)| !pairs.contains(&(key.as_str(), value.as_str().unwrap_or(""))));
                others.map(|(key, _)| format!("[{key}]")).collect()
            }
        }
    }
}

/// Whether a value says no more than leaving it out would.
fn unsaid(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests;
