//! What a place of an object holds, as ownership sees it: parts with owners of their own, or one whole.

use crate::schema::{Field, ListType, Of, Shape, Type};
use serde_json::{Map, Value};

/// What a place holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    /// The fields of a type, each with its owners.
    Struct(&'static Type),
    /// Free keys, each with its owners.
    Map(Of),
    /// Scalars, each with its owners.
    Set,
    /// Elements known by these fields, each with its owners.
    Keyed(&'static Type, &'static [&'static str]),
    /// One whole: a scalar, an atomic list or map, or what the schema does not know.
    Whole,
}

impl Holds {
    pub(super) fn of_type(ty: &'static Type) -> Holds {
        if ty.atomic { Holds::Whole } else { Holds::Struct(ty) }
    }

    fn of_value(of: Of) -> Holds {
        of.message().map_or(Holds::Whole, Holds::of_type)
    }

    fn of_field(field: &Field) -> Holds {
        match (field.shape, field.list_type) {
            (_, ListType::Atomic) => Holds::Whole,
            (Shape::One(of), _) => Holds::of_value(of),
            (Shape::Map(of), _) => Holds::Map(of),
            (Shape::List(_), ListType::Set) => Holds::Set,
            (Shape::List(of), ListType::Keyed(keys)) => of.message().map_or(Holds::Whole, |ty| Holds::Keyed(ty, keys)),
            (Shape::List(_), ListType::Natural) => Holds::Whole,
        }
    }

    /// Whether a key is a field of a type, rather than one of a map or unknown.
    pub(super) fn names(self, key: &str) -> bool {
        matches!(self, Holds::Struct(ty) if ty.field(key).is_some())
    }

    /// What is below a key.
    pub(super) fn at(self, key: &str) -> Holds {
        match self {
            Holds::Struct(ty) => ty.field(key).map_or(Holds::Whole, Holds::of_field),
            Holds::Map(of) => Holds::of_value(of),
            Holds::Set | Holds::Keyed(..) | Holds::Whole => Holds::Whole,
        }
    }

    /// What each element is.
    pub(super) fn element(self) -> Holds {
        match self {
            Holds::Keyed(ty, _) => Holds::of_type(ty),
            Holds::Struct(_) | Holds::Map(_) | Holds::Set | Holds::Whole => Holds::Whole,
        }
    }

    /// What is below a step of a field set.
    pub(super) fn step(self, step: &str) -> Holds {
        match step.strip_prefix("f:") {
            Some(key) => self.at(key),
            None => self.element(),
        }
    }

    /// The object here, if it is one whose parts have owners of their own.
    pub(super) fn object(self, value: Option<&Value>) -> Option<&Map<String, Value>> {
        match self {
            Holds::Struct(_) | Holds::Map(_) => value?.as_object().filter(|map| !map.is_empty()),
            Holds::Set | Holds::Keyed(..) | Holds::Whole => None,
        }
    }

    /// The list here, if it is one whose elements have owners of their own.
    pub(super) fn list(self, value: Option<&Value>) -> Option<&[Value]> {
        match self {
            Holds::Set | Holds::Keyed(..) => value?.as_array().map(Vec::as_slice).filter(|list| !list.is_empty()),
            Holds::Struct(_) | Holds::Map(_) | Holds::Whole => None,
        }
    }

    /// The step that names an element; a key that is not given has its default.
    pub(super) fn element_step(self, element: &Value) -> String {
        match self {
            Holds::Keyed(ty, keys) => format!("k:{}", Value::Object(element_keys(ty, keys, element))),
            Holds::Struct(_) | Holds::Map(_) | Holds::Set | Holds::Whole => format!("v:{element}"),
        }
    }
}

/// The keys of an element, in the order of their names.
pub(super) fn element_keys(ty: &Type, keys: &[&str], element: &Value) -> Map<String, Value> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    let default = |key: &str| ty.field(key).and_then(|f| f.default).and_then(|text| serde_json::from_str(text).ok());
    let value = |key: &str| element.get(key).cloned().or_else(|| default(key));
    keys.into_iter().filter_map(|key| Some((key.to_owned(), value(key)?))).collect()
}
