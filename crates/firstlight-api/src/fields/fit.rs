//! Values of the wrong type, in the words of Kubernetes' JSON decoder (`encoding/json`, `sigs.k8s.io/json`).

use super::cannot_be_handled;
use crate::decode::Path;
use crate::quantity::Quantity;
use crate::schema::{Field, Of, Shape, Type};
use crate::status_error::{StatusError, quoted};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::Value;

/// Whether every value is of its field's type. Fields the type does not have are not looked at.
///
/// # Errors
/// 400, naming the first that is not.
pub fn type_errors(ty: &Type, value: &Value) -> Result<(), StatusError> {
    let Value::Object(_) = value else {
        let why = format!("json: cannot unmarshal {} into Go value of type {}", words(value), ty.go);
        return Err(cannot_be_handled(ty, &why));
    };
    object(ty, value, &Path::Root).map_err(|why| cannot_be_handled(ty, &why))
}

fn object(ty: &Type, value: &Value, at: &Path<'_>) -> Result<(), String> {
    let Value::Object(object) = value else { return Ok(()) };
    for (name, value) in object {
        if let Some(field) = ty.field(name) {
            Place { ty, field, at: &Path::Key(at, name) }.shape(value)?;
        }
    }
    Ok(())
}

/// A value's place: the struct, its field, and the path.
#[derive(Clone, Copy)]
struct Place<'a> {
    ty: &'a Type,
    field: &'a Field,
    at: &'a Path<'a>,
}

impl Place<'_> {
    fn shape(self, value: &Value) -> Result<(), String> {
        match (self.field.shape, value) {
            (_, Value::Null) => Ok(()),
            (Shape::One(of), value) => self.one(of, value),
            (Shape::List(of), Value::Array(list)) => list
                .iter()
                .enumerate()
                .try_for_each(|(index, element)| Place { at: &Path::Index(self.at, index), ..self }.one(of, element)),
            (Shape::Map(of), Value::Object(map)) => map
                .iter()
                .try_for_each(|(key, element)| Place { at: &Path::Key(self.at, key), ..self }.one(of, element)),
            (Shape::List(of), value) => Err(self.wrong(value, &format!("[]{}", go(of)))),
            (Shape::Map(of), value) => Err(self.wrong(value, &format!("map[string]{}", go(of)))),
        }
    }

    fn one(self, of: Of, value: &Value) -> Result<(), String> {
        match (of, value) {
            (_, Value::Null)
            | (Of::Str, Value::String(_))
            | (Of::Bool, Value::Bool(_))
            | (Of::IntOrString, Value::String(_))
            | (Of::Raw, _)
            | (Of::FieldsV1, Value::Object(_)) => Ok(()),
            (Of::Int32, Value::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => Ok(()),
            (Of::Int64, Value::Number(n)) if n.as_i64().is_some() => Ok(()),
            (Of::IntOrString, Value::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => Ok(()),
            (Of::Message(ty), Value::Object(_)) => object(ty, value, self.at),
            (Of::Strings, Value::Array(list)) => list.iter().try_for_each(|text| self.one(Of::Str, text)),
            (Of::Quantity, value) => Quantity::of(value).map(|_| ()).map_err(|e| format!("{}: {e}", self.at)),
            (Of::Bytes, Value::String(text)) => self.base64(text),
            (Of::Time | Of::MicroTime, Value::String(text)) => self.time(of, text),
            (of, value) => Err(self.wrong(value, go(of))),
        }
    }

    fn wrong(self, value: &Value, go: &str) -> String {
        let Place { ty, field: _, at } = self;
        let holder = ty.go.split_once('.').map_or(ty.go, |(_, name)| name);
        // A number that is out of range or not whole is shown; any other value is only named.
        let shown = match (value, go) {
            (Value::Number(n), "int32" | "int64") => format!("number {n}"),
            _ => words(value).to_owned(),
        };
        format!("json: cannot unmarshal {shown} into Go struct field {holder}.{at} of type {go}")
    }

    fn base64(self, text: &str) -> Result<(), String> {
        // Kubernetes' decoder skips line breaks.
        let text: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
        match BASE64.decode(&text) {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("{}: illegal base64 data: {e}", self.at)),
        }
    }

    /// RFC 3339 alone: other notations that parse (a space instead of T, a zone in brackets) are no times here.
    fn time(self, of: Of, text: &str) -> Result<(), String> {
        let fraction = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
        let (layout, fits) = match of {
            Of::MicroTime => ("2006-01-02T15:04:05.000000Z07:00", fraction == 6),
            _ => ("2006-01-02T15:04:05Z07:00", true),
        };
        let strict = text.as_bytes().get(10) == Some(&b'T') && !text.contains(['[', ',']);
        if fits && strict && text.parse::<jiff::Timestamp>().is_ok() {
            return Ok(());
        }
        Err(format!("{}: parsing time {} as {}: not a time", self.at, quoted(text), quoted(layout)))
    }
}

/// What Go's decoder calls a JSON value.
const fn words(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What Go calls a type.
fn go(of: Of) -> &'static str {
    match of {
        Of::Str | Of::Time | Of::MicroTime => "string",
        Of::Bytes => "[]uint8",
        Of::Bool => "bool",
        Of::Int32 | Of::IntOrString => "int32",
        Of::Int64 => "int64",
        Of::Quantity => "resource.Quantity",
        Of::Raw => "runtime.RawExtension",
        Of::FieldsV1 => "v1.FieldsV1",
        Of::Strings => "[]string",
        Of::Message(ty) => ty.go,
    }
}
