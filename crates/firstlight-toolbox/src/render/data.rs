//! The values a template sees.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::value::Value;

use crate::failure::Failure;
use crate::value::value_of;

/// Everything given by `--data` and `--set`, by name; a name is given once.
pub fn collect(data: &[String], set: &[String]) -> Result<Value, Failure> {
    let mut values = BTreeMap::new();
    for (flag, pair) in data.iter().map(|pair| ("--data", pair)).chain(set.iter().map(|pair| ("--set", pair))) {
        let (name, rest) =
            pair.split_once('=').ok_or_else(|| Failure::usage(format!("{flag} {pair}: write NAME=...")))?;
        if !legal(name) {
            return Err(Failure::usage(format!("{flag} {name}: a name has letters, digits and _")));
        }
        let value = match (flag, rest.strip_prefix('@')) {
            ("--data", _) => document(name, Path::new(rest))?,
            (_, Some(path)) if path.starts_with('/') => {
                let text = String::from_utf8(value_of(Path::new(path))?);
                Value::from(text.map_err(|_| Failure::usage(format!("{flag} {name}: {path} is not UTF-8")))?)
            }
            (_, _) => Value::from(rest),
        };
        if values.insert(name.to_owned(), value).is_some() {
            return Err(Failure::usage(format!("{flag} {name}: given twice")));
        }
    }
    Ok(Value::from(values))
}

fn legal(name: &str) -> bool {
    let start = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    start && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn document(name: &str, path: &Path) -> Result<Value, Failure> {
    let shown = path.display();
    if path.extension().is_none_or(|extension| extension != "json") {
        return Err(Failure::usage(format!("--data {name}={shown}: only .json documents can be read")));
    }
    let bytes = std::fs::read(path).map_err(|error| Failure::usage(format!("--data {name}={shown}: {error}")))?;
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(template_value).map_err(|error| Failure::usage(format!("--data {name}={shown}: {error}")))
}

fn template_value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::from(()),
        Json::Bool(bool) => Value::from(bool),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64()),
        },
        Json::String(text) => Value::from(text),
        Json::Array(list) => Value::from(list.into_iter().map(template_value).collect::<Vec<_>>()),
        Json::Object(object) => {
            Value::from(object.into_iter().map(|(key, value)| (key, template_value(value))).collect::<BTreeMap<_, _>>())
        }
    }
}
