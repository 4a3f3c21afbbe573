//! Which kinds, types, fields, merge keys, protobuf numbers and list keys exist.
//!
//! [`kinds`] lists what is served; [`type_of`] gives a type's table. The tables are generated from Kubernetes'
//! published descriptions (`cargo xtask schema`) and live in read-only memory: nothing is parsed at start.
//! Decoding, field checks and patches walk them; no other code knows a field's number or merge key.

mod served;
#[rustfmt::skip]
mod tables;
#[cfg(test)]
mod tests;

pub use served::{Kind, Subresource, Verb, by_gvk, by_path, kinds};

use std::fmt;

/// A struct of Kubernetes' API: what a JSON object of that type may hold.
pub struct Type {
    /// Group, version and name: `core.v1.Container`.
    pub name: &'static str,
    /// The name Kubernetes' decoder uses in its errors: `v1.Container`.
    pub go: &'static str,
    /// Server-side apply owns it as a whole (`x-kubernetes-map-type: atomic`).
    pub atomic: bool,
    /// Its own fields, sorted by JSON name; those of embedded types are found through [`Type::field`].
    pub fields: &'static [Field],
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A field of a [`Type`].
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in JSON. Empty for an embedded type, whose fields appear beside the others.
    pub name: &'static str,
    /// Its protobuf number; 0 if protobuf does not carry it.
    pub number: u16,
    /// One value, a list or a map, and of what.
    pub shape: Shape,
    /// Zero and absent differ.
    pub pointer: bool,
    /// Zero is left out of JSON. Without it, and without `pointer`, the field is required or zero.
    pub omitempty: bool,
    /// What a strategic merge patch does with a list.
    pub patch: PatchStrategy,
    /// A strategic merge patch may name the keys to keep (`$retainKeys`).
    pub retain_keys: bool,
    /// How server-side apply identifies the parts of it.
    pub list_type: ListType,
    /// What the schema puts where nothing is given, as JSON text: a text, number or boolean.
    pub default: Option<&'static str>,
}

/// How many values a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// One.
    One(Of),
    /// A JSON array; repeated in protobuf.
    List(Of),
    /// A JSON object with free keys; a repeated key-value message in protobuf.
    Map(Of),
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// Text, enumerations included.
    Str,
    /// Bytes; base64 in JSON.
    Bytes,
    /// `true` or `false`.
    Bool,
    /// A number of 32 bits.
    Int32,
    /// A number of 64 bits.
    Int64,
    /// `100m`, `1Gi`: text or number in JSON, a message of one text in protobuf.
    Quantity,
    /// A port or percentage: number or text.
    IntOrString,
    /// RFC 3339 to the second.
    Time,
    /// RFC 3339 to the microsecond.
    MicroTime,
    /// Any JSON object.
    Raw,
    /// A set of field paths, JSON inside protobuf.
    FieldsV1,
    /// A list of texts that is a message of its own in protobuf.
    Strings,
    /// Another type.
    Message(&'static Type),
}

/// Protobuf's wire types that Kubernetes uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Type 0.
    Varint,
    /// Type 2.
    Bytes,
}

/// What a strategic merge patch does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PatchStrategy {
    /// A list is replaced; an object is merged.
    #[default]
    Replace,
    /// A list of scalars is a set.
    Merge,
    /// A list of objects is merged by this key.
    MergeBy(&'static str),
}

/// What server-side apply owns of a list or map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListType {
    /// The type's nature: objects and maps in parts, lists as a whole.
    #[default]
    Natural,
    /// As a whole.
    Atomic,
    /// Each value.
    Set,
    /// Each element, by the values of these fields.
    Keyed(&'static [&'static str]),
}

impl Shape {
    /// What each value is.
    #[must_use]
    pub const fn of(self) -> Of {
        match self {
            Shape::One(of) | Shape::List(of) | Shape::Map(of) => of,
        }
    }
}

impl Of {
    /// How a value of this kind travels in protobuf.
    #[must_use]
    pub const fn wire(self) -> Wire {
        match self {
            Of::Bool | Of::Int32 | Of::Int64 => Wire::Varint,
            Of::Str
            | Of::Bytes
            | Of::Quantity
            | Of::IntOrString
            | Of::Time
            | Of::MicroTime
            | Of::Raw
            | Of::FieldsV1
            | Of::Strings
            | Of::Message(_) => Wire::Bytes,
        }
    }

    /// The type whose fields a value has, if it has any.
    #[must_use]
    pub const fn message(self) -> Option<&'static Type> {
        match self {
            Of::Message(ty) => Some(ty),
            Of::Str
            | Of::Bytes
            | Of::Bool
            | Of::Int32
            | Of::Int64
            | Of::Quantity
            | Of::IntOrString
            | Of::Time
            | Of::MicroTime
            | Of::Raw
            | Of::FieldsV1
            | Of::Strings => None,
        }
    }
}

impl Type {
    /// The field of that JSON name, its own or of a type embedded in it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        if name.is_empty() {
            return None;
        }
        let own = self.fields.binary_search_by(|f| f.name.cmp(name)).ok().and_then(|at| self.fields.get(at));
        own.or_else(|| self.embedded().find_map(|ty| ty.field(name)))
    }

    /// The types whose fields appear beside its own.
    pub fn embedded(&self) -> impl Iterator<Item = &'static Type> {
        self.fields.iter().filter(|f| f.name.is_empty()).filter_map(|f| f.shape.of().message())
    }
}

/// The table of a type that stands on its own: the served kinds, their lists, the options and reviews, and the kinds
/// known but not served (Deployment, Job). `DeleteOptions`, `Status` and the like belong to every group.
#[must_use]
pub fn type_of(group: &str, version: &str, kind: &str) -> Option<&'static Type> {
    let find = |group: &str| {
        let at = tables::ROOTS.binary_search_by(|(g, v, k, _)| (*g, *k, *v).cmp(&(group, kind, version))).ok()?;
        tables::ROOTS.get(at).map(|(_, _, _, ty)| *ty)
    };
    find(group).or_else(|| find("meta.k8s.io"))
}

/// The group and version of an `apiVersion`: `v1` is the core group's.
#[must_use]
pub fn group_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl Field {
    /// A field with nothing special about it; the tables add the rest.
    const fn new(name: &'static str, number: u16, shape: Shape) -> Field {
        Field {
            name,
            number,
            shape,
            pointer: false,
            omitempty: false,
            patch: PatchStrategy::Replace,
            retain_keys: false,
            list_type: ListType::Natural,
            default: None,
        }
    }
    const fn pointer(self) -> Field {
        Field { pointer: true, ..self }
    }
    const fn omitempty(self) -> Field {
        Field { omitempty: true, ..self }
    }
    const fn merge(self) -> Field {
        Field { patch: PatchStrategy::Merge, ..self }
    }
    const fn merge_by(self, key: &'static str) -> Field {
        Field { patch: PatchStrategy::MergeBy(key), ..self }
    }
    const fn retain_keys(self) -> Field {
        Field { retain_keys: true, ..self }
    }
    const fn atomic(self) -> Field {
        Field { list_type: ListType::Atomic, ..self }
    }
    const fn set(self) -> Field {
        Field { list_type: ListType::Set, ..self }
    }
    const fn keyed(self, keys: &'static [&'static str]) -> Field {
        Field { list_type: ListType::Keyed(keys), ..self }
    }
    const fn default(self, json: &'static str) -> Field {
        Field { default: Some(json), ..self }
    }
}
