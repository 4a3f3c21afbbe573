//! The form a value has after Kubernetes has read and written it once.
//!
//! Kubernetes keeps objects as structs, so nulls, empty lists and zeros of optional fields disappear, quantities get
//! their canonical text and times their whole seconds. Controllers compare what they sent with what they read, and a
//! write that changes nothing must not make a new revision: both need the same form here. Fields unknown to the
//! tables are left as they are.

use crate::quantity::Quantity;
use crate::schema::{Field, Of, Shape, Type};
use serde_json::{Map, Value};

/// Puts an object into the form Kubernetes would answer. Values of the wrong type are left as they are.
pub fn canonical(ty: &Type, value: &mut Value) {
    object(ty, value, true);
}

/// Puts quantities and times into their canonical text, and leaves everything else as it was said: an explicit zero
/// in an applied configuration is an intent.
pub(crate) fn canonical_texts(ty: &Type, value: &mut Value) {
    object(ty, value, false);
}

fn object(ty: &Type, value: &mut Value, drop: bool) {
    let Value::Object(object) = value else { return };
    object.retain(|name, value| match ty.field(name) {
        Some(field) => {
            shape(field.shape, value, drop);
            !(drop && vanishes(field, value))
        }
        None => true,
    });
}

fn shape(shape: Shape, value: &mut Value, drop: bool) {
    let inside = |of: Of, element: &mut Value| {
        if drop && element.is_null() {
            *element = zero(of);
        }
        one(of, element, drop);
    };
    match (shape, value) {
        (Shape::One(of), value) => one(of, value, drop),
        (Shape::List(of), Value::Array(list)) => list.iter_mut().for_each(|element| inside(of, element)),
        (Shape::Map(of), Value::Object(map)) => map.values_mut().for_each(|element| inside(of, element)),
        (Shape::List(_) | Shape::Map(_), _) => {}
    }
}

fn one(of: Of, value: &mut Value, drop: bool) {
    match of {
        Of::Message(ty) => object(ty, value, drop),
        Of::Quantity => {
            if let Ok(quantity) = Quantity::of(value) {
                *value = quantity.to_string().into();
            }
        }
        Of::Time => time(value, 0),
        Of::MicroTime => time(value, 6),
        Of::Str
        | Of::Bytes
        | Of::Bool
        | Of::Int32
        | Of::Int64
        | Of::IntOrString
        | Of::Raw
        | Of::FieldsV1
        | Of::Strings => {}
    }
}

fn time(value: &mut Value, digits: u8) {
    if let Some(Ok(time)) = value.as_str().map(str::parse::<jiff::Timestamp>) {
        let printer = jiff::fmt::temporal::DateTimePrinter::new().precision(Some(digits));
        *value = printer.timestamp_to_string(&time).into();
    }
}

/// Whether an optional field of this value is as good as absent. A pointer to a zero says something.
pub(crate) fn vanishes(field: &Field, value: &Value) -> bool {
    let optional = field.omitempty && !field.pointer;
    match (value, field.shape) {
        (Value::Null, _) => true,
        (_, Shape::One(Of::Raw | Of::FieldsV1 | Of::Quantity)) => false,
        (Value::Array(list), _) => field.omitempty && list.is_empty(),
        (Value::Object(map), Shape::Map(_)) => optional && map.is_empty(),
        (Value::Object(_), _) => false,
        (Value::Bool(set), _) => optional && !set,
        (Value::Number(n), _) => optional && n.as_i64() == Some(0),
        (Value::String(text), _) => optional && text.is_empty(),
    }
}

/// What a null among a list's or map's values means.
fn zero(of: Of) -> Value {
    match of {
        Of::Str | Of::Bytes => "".into(),
        Of::Bool => false.into(),
        Of::Int32 | Of::Int64 | Of::IntOrString => 0.into(),
        Of::Quantity => "0".into(),
        Of::Message(_) => Value::Object(Map::new()),
        Of::Strings => Value::Array(Vec::new()),
        Of::Time | Of::MicroTime | Of::Raw | Of::FieldsV1 => Value::Null,
    }
}
