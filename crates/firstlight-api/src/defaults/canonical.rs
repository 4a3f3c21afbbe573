//! One way of writing: quantities as canonical text, `null` as absence.
//!
//! Kubernetes does both by decoding into structs and writing these out again. Clients rely on it: typed ones cannot
//! read a bare number where a quantity belongs, and comparisons (pod template hashes, `apply`) need one form.

use crate::quantity::Quantity;
use crate::schema::{Of, Shape, Type};
use serde_json::Value;

/// Rewrites every field of `value` that the table of its type knows; unknown fields are kept as they are.
pub(super) fn apply(ty: &Type, value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    map.retain(|key, value| !value.is_null() || ty.field(key).is_none());
    for (key, value) in map {
        if let Some(field) = ty.field(key) {
            shaped(field.shape, value);
        }
    }
}

fn shaped(shape: Shape, value: &mut Value) {
    match shape {
        Shape::One(of) => one(of, value),
        Shape::List(of) => value.as_array_mut().into_iter().flatten().for_each(|item| one(of, item)),
        Shape::Map(of) => value.as_object_mut().into_iter().flatten().for_each(|(_, item)| one(of, item)),
    }
}

fn one(of: Of, value: &mut Value) {
    match of {
        Of::Quantity => {
            if let Ok(quantity) = Quantity::of(value) {
                *value = Value::String(quantity.to_string());
            }
        }
        Of::Message(ty) => apply(ty, value),
        Of::Str
        | Of::Bytes
        | Of::Bool
        | Of::Int32
        | Of::Int64
        | Of::IntOrString
        | Of::Time
        | Of::MicroTime
        | Of::Raw
        | Of::FieldsV1
        | Of::Strings => {}
    }
}
