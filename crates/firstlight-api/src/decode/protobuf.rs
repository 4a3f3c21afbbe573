//! Kubernetes' protobuf envelope and messages, read by the schema tables.
//!
//! ```text
//! "k8s\0" Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: raw, 3: encoding, 4: content type }
//! ```
//!
//! (`k8s.io/apimachinery/pkg/runtime/serializer/protobuf`). Go writes the zero of every field that is not a pointer,
//! so a zero says nothing where JSON would leave it out: `paused: false` from a Deployment that never named it.

mod wire;

use crate::fields::vanishes;
use crate::schema::{self, Field, Of, Shape, Type};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Map, Value};
use std::fmt;
use wire::{Reader, Token};

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Deeper than any type of the API; raw fields may hold whole objects again.
const MAX_DEPTH: usize = 64;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn malformed<T>(message: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(message.into()))
}

/// What was read, and what the tables do not know.
pub(super) struct Read {
    pub(super) value: Value,
    pub(super) unknown: Vec<String>,
}

/// Reads one object in its envelope.
pub(super) fn decode(bytes: &[u8]) -> Result<Read, Malformed> {
    let mut unknown = Vec::new();
    let value = envelope(bytes, 0, &mut unknown)?;
    Ok(Read { value, unknown })
}

fn envelope(bytes: &[u8], depth: usize, unknown: &mut Vec<String>) -> Result<Value, Malformed> {
    let Some(body) = bytes.strip_prefix(MAGIC) else {
        return malformed("it does not begin with \"k8s\\0\"");
    };
    let (mut api_version, mut kind, mut raw, mut content_type) = ("", "", &[][..], "");
    for part in Reader::new(body) {
        match part? {
            (1, Token::Bytes(meta)) => (api_version, kind) = type_meta(meta)?,
            (2, Token::Bytes(bytes)) => raw = bytes,
            (3, Token::Bytes([])) => {}
            (3, Token::Bytes(_)) => return malformed("encoded content is not read"),
            (4, Token::Bytes(name)) => content_type = text(name)?,
            _ => {}
        }
    }
    if content_type == "application/json" {
        return serde_json::from_slice(raw).map_err(|e| Malformed(e.to_string()));
    }
    let (group, version) = schema::group_version(api_version);
    let Some(ty) = schema::type_of(group, version, kind) else {
        return malformed(format!("no kind {kind:?} is registered for version {api_version:?}"));
    };
    let mut object = Scope { unknown, depth }.message(ty, raw)?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(object))
}

fn type_meta(bytes: &[u8]) -> Result<(&str, &str), Malformed> {
    let (mut api_version, mut kind) = ("", "");
    for part in Reader::new(bytes) {
        match part? {
            (1, Token::Bytes(value)) => api_version = text(value)?,
            (2, Token::Bytes(value)) => kind = text(value)?,
            _ => {}
        }
    }
    Ok((api_version, kind))
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("a text is not UTF-8".to_owned()))
}

/// Where we are: how deep, and where unknown fields are noted.
struct Scope<'a> {
    unknown: &'a mut Vec<String>,
    depth: usize,
}

/// More of them help nobody.
const MAX_UNKNOWN: usize = 100;

impl Scope<'_> {
    fn deeper(&mut self) -> Result<Scope<'_>, Malformed> {
        if self.depth >= MAX_DEPTH {
            return malformed(format!("it nests deeper than {MAX_DEPTH}"));
        }
        Ok(Scope { unknown: self.unknown, depth: self.depth + 1 })
    }

    fn message(&mut self, ty: &Type, bytes: &[u8]) -> Result<Map<String, Value>, Malformed> {
        let mut object = Map::new();
        for part in Reader::new(bytes) {
            let (number, token) = part?;
            match ty.fields.iter().find(|f| u64::from(f.number) == number) {
                Some(field) => self.field(&mut object, ty, field, token)?,
                None if token.is_zero() || self.unknown.len() >= MAX_UNKNOWN => {}
                None => self.unknown.push(format!("{} field {number}", ty.name)),
            }
        }
        Ok(object)
    }

    fn field(
        &mut self,
        object: &mut Map<String, Value>,
        ty: &Type,
        field: &Field,
        token: Token<'_>,
    ) -> Result<(), Malformed> {
        let wrong =
            || Malformed(format!("{} field {} ({}) has the wrong wire type", ty.name, field.number, field.name));
        match field.shape {
            Shape::One(Of::Message(embedded)) if field.name.is_empty() => {
                object.extend(self.deeper()?.message(embedded, token.bytes().ok_or_else(wrong)?)?);
            }
            Shape::One(of) => {
                let value = self.value(of, token)?.ok_or_else(wrong)?;
                if !vanishes(field, &value) {
                    object.insert(field.name.to_owned(), value);
                }
            }
            Shape::List(of) => {
                let list = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
                let Value::Array(list) = list else { return Err(wrong()) };
                for element in token.unpacked(of) {
                    list.push(self.value(of, element?)?.ok_or_else(wrong)?);
                }
            }
            Shape::Map(of) => {
                let (key, value) = self.entry(of, token.bytes().ok_or_else(wrong)?)?.ok_or_else(wrong)?;
                let map = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
                let Value::Object(map) = map else { return Err(wrong()) };
                map.insert(key, value);
            }
        }
        Ok(())
    }

    /// One pair of a map; a missing half is zero.
    fn entry(&mut self, of: Of, bytes: &[u8]) -> Result<Option<(String, Value)>, Malformed> {
        let mut key = "";
        let mut value = Token::zero(of);
        for part in Reader::new(bytes) {
            match part? {
                (1, Token::Bytes(bytes)) => key = text(bytes)?,
                (2, token) => value = token,
                _ => {}
            }
        }
        Ok(self.value(of, value)?.map(|value| (key.to_owned(), value)))
    }

    /// One value, or nothing if the token is of the wrong wire type.
    fn value(&mut self, of: Of, token: Token<'_>) -> Result<Option<Value>, Malformed> {
        Ok(Some(match (of, token) {
            (Of::Bool, Token::Varint(n)) => Value::Bool(n != 0),
            (Of::Int32, Token::Varint(n)) => wire::int32(n).into(),
            (Of::Int64, Token::Varint(n)) => wire::int64(n).into(),
            (Of::Str, Token::Bytes(bytes)) => text(bytes)?.into(),
            (Of::Bytes, Token::Bytes(bytes)) => BASE64.encode(bytes).into(),
            (Of::Quantity, Token::Bytes(bytes)) => quantity(bytes)?,
            (Of::IntOrString, Token::Bytes(bytes)) => int_or_string(bytes)?,
            (Of::Time, Token::Bytes(bytes)) => time(bytes, 0)?,
            (Of::MicroTime, Token::Bytes(bytes)) => time(bytes, 6)?,
            (Of::Raw | Of::FieldsV1, Token::Bytes(bytes)) => self.deeper()?.raw(bytes)?,
            (Of::Strings, Token::Bytes(bytes)) => strings(bytes)?,
            (Of::Message(ty), Token::Bytes(bytes)) => Value::Object(self.deeper()?.message(ty, bytes)?),
            _ => return Ok(None),
        }))
    }

    /// Any JSON, or a whole object in its own envelope (the items of a `List`).
    fn raw(&mut self, bytes: &[u8]) -> Result<Value, Malformed> {
        match first_bytes(bytes)? {
            [] => Ok(Value::Null),
            object if object.starts_with(MAGIC) => envelope(object, self.depth, self.unknown),
            json => serde_json::from_slice(json).map_err(|e| Malformed(format!("raw content is not JSON: {e}"))),
        }
    }
}

/// The bytes of field 1.
fn first_bytes(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let mut found = &[][..];
    for part in Reader::new(bytes) {
        if let (1, Token::Bytes(bytes)) = part? {
            found = bytes;
        }
    }
    Ok(found)
}

fn quantity(bytes: &[u8]) -> Result<Value, Malformed> {
    let text = text(first_bytes(bytes)?)?;
    Ok(if text.is_empty() { "0".into() } else { text.into() })
}

fn strings(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut list = Vec::new();
    for part in Reader::new(bytes) {
        if let (1, Token::Bytes(bytes)) = part? {
            list.push(text(bytes)?.into());
        }
    }
    Ok(Value::Array(list))
}

fn int_or_string(bytes: &[u8]) -> Result<Value, Malformed> {
    let (mut is_text, mut number, mut string) = (false, 0, "");
    for part in Reader::new(bytes) {
        match part? {
            (1, Token::Varint(n)) => is_text = n == 1,
            (2, Token::Varint(n)) => number = wire::int32(n),
            (3, Token::Bytes(bytes)) => string = text(bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { string.into() } else { number.into() })
}

/// A time with so many digits of its second; no time at all is null.
fn time(bytes: &[u8], digits: u8) -> Result<Value, Malformed> {
    let (mut seconds, mut nanos, mut given) = (0, 0, false);
    for part in Reader::new(bytes) {
        given = true;
        match part? {
            (1, Token::Varint(n)) => seconds = wire::int64(n),
            (2, Token::Varint(n)) => nanos = wire::int32(n),
            _ => {}
        }
    }
    if !given {
        return Ok(Value::Null);
    }
    let time = jiff::Timestamp::new(seconds, nanos).map_err(|e| Malformed(format!("a time is out of range: {e}")))?;
    let printer = jiff::fmt::temporal::DateTimePrinter::new().precision(Some(digits));
    Ok(printer.timestamp_to_string(&time).into())
}
