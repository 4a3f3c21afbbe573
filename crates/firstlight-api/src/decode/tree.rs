//! Builds a JSON value from JSON or YAML, noting keys that are given twice.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::{Cell, RefCell};
use std::fmt;

/// What is found on the way.
pub(super) struct Notes {
    duplicates: RefCell<Vec<String>>,
    /// How many bytes may still be made of the input: aliases make much of little.
    budget: Cell<usize>,
    yaml: bool,
}

/// More paths than this help nobody.
const MAX_DUPLICATES: usize = 100;
/// What one node costs beside its text: a `Value` and its share of the vector or map around it.
const NODE_BYTES: usize = 32;

impl Notes {
    pub(super) fn json() -> Notes {
        Notes { duplicates: RefCell::default(), budget: Cell::new(usize::MAX), yaml: false }
    }

    /// With a limit on what is made of the input, in bytes.
    pub(super) fn yaml(budget: usize) -> Notes {
        Notes { duplicates: RefCell::default(), budget: Cell::new(budget), yaml: true }
    }

    pub(super) fn duplicates(self) -> Vec<String> {
        self.duplicates.into_inner()
    }

    fn spend<E: Error>(&self, bytes: usize) -> Result<(), E> {
        let cost = bytes.saturating_add(NODE_BYTES);
        let left = self.budget.get().checked_sub(cost);
        self.budget.set(left.ok_or_else(|| E::custom(super::yaml::EXPANDS))?);
        Ok(())
    }

    fn duplicate(&self, at: &Path<'_>) {
        let mut duplicates = self.duplicates.borrow_mut();
        let path = at.to_string();
        if duplicates.len() < MAX_DUPLICATES && !duplicates.contains(&path) {
            duplicates.push(path);
        }
    }
}

/// Where in the document.
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Builds the value at a path.
pub(super) struct Tree<'a> {
    pub(super) at: &'a Path<'a>,
    pub(super) notes: &'a Notes,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.notes.spend(0)?;
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Value, E> {
        self.notes.spend(0)?;
        Ok(Value::Bool(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Value, E> {
        self.notes.spend(0)?;
        Ok(v.into())
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Value, E> {
        self.notes.spend(0)?;
        Ok(v.into())
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        self.notes.spend(0)?;
        // YAML becomes JSON by way of Go's float64, which writes `3.0` as `3` (sigs.k8s.io/yaml).
        if self.notes.yaml && v.fract() == 0.0 && v.abs() < 9.2e18 {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^63")]
            return Ok((v as i64).into());
        }
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("numbers must be finite"))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Value, E> {
        self.visit_string(v.to_owned())
    }

    fn visit_string<E: Error>(self, v: String) -> Result<Value, E> {
        self.notes.spend(v.len())?;
        Ok(Value::String(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.notes.spend(0)?;
        let mut list = Vec::new();
        while let Some(value) =
            access.next_element_seed(Tree { at: &Path::Index(self.at, list.len()), notes: self.notes })?
        {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.notes.spend(0)?;
        let mut map = Map::new();
        while let Some(key) = access.next_key_seed(Key)? {
            self.notes.spend(key.len())?;
            let at = Path::Key(self.at, &key);
            let value = access.next_value_seed(Tree { at: &at, notes: self.notes })?;
            if map.contains_key(&key) {
                self.notes.duplicate(&at);
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// A key: text, or a YAML scalar turned to text as `sigs.k8s.io/yaml` does.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, number or boolean as key")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<String, E> {
        Ok(v.to_owned())
    }

    fn visit_string<E: Error>(self, v: String) -> Result<String, E> {
        Ok(v)
    }
}
