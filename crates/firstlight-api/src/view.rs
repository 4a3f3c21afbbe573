//! How members of an object are read: leniently, without failing.
//!
//! Objects reach these readers decoded against the schema, so a member either has the type it should have or is
//! absent; both answers here are total. `null` counts as absent, as everywhere in Kubernetes. Used by every file here
//! that looks into objects, and by the workloads.

use serde_json::{Map, Value};

/// Reading a JSON object's members.
pub trait View {
    /// The member, unless absent or `null`.
    fn get_some(&self, key: &str) -> Option<&Value>;

    /// Text, or empty.
    fn text(&self, key: &str) -> &str {
        self.get_some(key).and_then(Value::as_str).unwrap_or("")
    }

    /// Text that is there and not empty.
    fn text_some(&self, key: &str) -> Option<&str> {
        self.get_some(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A list, or an empty one.
    fn list(&self, key: &str) -> &[Value] {
        self.get_some(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The texts of a list.
    fn texts(&self, key: &str) -> Vec<String> {
        self.list(key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// A whole number.
    fn int(&self, key: &str) -> Option<i64> {
        self.get_some(key).and_then(Value::as_i64)
    }

    /// A flag, false if absent.
    fn flag(&self, key: &str) -> bool {
        self.get_some(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A nested object, or an empty one.
    fn object(&self, key: &str) -> &Value {
        self.get_some(key).unwrap_or(&Value::Null)
    }

    /// The members of a nested object.
    fn members(&self, key: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.get_some(key).and_then(Value::as_object).into_iter().flatten()
    }
}

impl View for Value {
    fn get_some(&self, key: &str) -> Option<&Value> {
        self.get(key).filter(|value| !value.is_null())
    }
}

/// Changing a JSON object's members. Total: what is not an object is left as it is.
pub trait Fill {
    /// Sets a member that is absent or `null`.
    fn fill(&mut self, key: &str, value: impl Into<Value>);

    /// The nested object, made if absent.
    fn nested(&mut self, key: &str) -> Option<&mut Value>;

    /// The items of a nested list; none if absent.
    fn items(&mut self, key: &str) -> &mut [Value];

    /// The nested object, only if it is there.
    fn inside(&mut self, key: &str) -> Option<&mut Value>;
}

impl Fill for Value {
    fn fill(&mut self, key: &str, value: impl Into<Value>) {
        if let Some(map) = self.as_object_mut()
            && map.get(key).is_none_or(Value::is_null)
        {
            map.insert(key.to_owned(), value.into());
        }
    }

    fn nested(&mut self, key: &str) -> Option<&mut Value> {
        self.fill(key, Map::new());
        self.get_mut(key)
    }

    fn items(&mut self, key: &str) -> &mut [Value] {
        self.get_mut(key).and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
    }

    fn inside(&mut self, key: &str) -> Option<&mut Value> {
        self.get_mut(key).filter(|value| value.is_object())
    }
}
