//! A recipe: manifests as templates, with values that change the line-up.
//!
//! ```text
//! recipes/genesis/
//! ├── values.yaml      every value there is, with its default; a key not named here is refused
//! ├── templates/*.yaml manifests, rendered with {{ values.x }}
//! └── README.md
//! ```

use crate::exit::{Failure, Outcome};
use firstlight_api::decode;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A recipe on disk.
#[derive(Debug)]
pub(crate) struct Recipe {
    directory: PathBuf,
    values: Value,
}

impl Recipe {
    /// Whether this path is a recipe.
    pub(crate) fn is_at(path: &Path) -> bool {
        path.join("values.yaml").is_file() && path.join("templates").is_dir()
    }

    /// Reads its values.
    pub(crate) fn open(directory: &Path) -> Outcome<Recipe> {
        let file = directory.join("values.yaml");
        let text = std::fs::read_to_string(&file)?;
        let documents =
            decode::documents(&text).map_err(|error| Failure::refused(format!("{}: {error}", file.display())))?;
        let values = documents.into_iter().next().map_or_else(|| Value::Object(Map::new()), |document| document.value);
        Ok(Recipe { directory: directory.to_owned(), values })
    }

    /// The manifests: file name and text, in order of file names.
    pub(crate) fn render(mut self, settings: &[String]) -> Outcome<Vec<(String, String)>> {
        for setting in settings {
            set(&mut self.values, setting)?;
        }
        let environment = environment()?;
        let mut rendered = Vec::new();
        for file in self.templates()? {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file)?;
            let output = environment
                .render_named_str(&name, &text, context! { values => minijinja::value::Serde(&self.values) })
                .map_err(|error| Failure::refused(format!("{name}: {error:#}")))?;
            rendered.push((name, output));
        }
        Ok(rendered)
    }

    fn templates(&self) -> Outcome<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.directory.join("templates"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Strict, without escaping: the output is YAML, not HTML. Block tags on lines of their own leave no trace.
fn environment() -> Outcome<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment
        .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    Ok(environment)
}

/// Applies `a.b=value`. The key must exist, and the value must have the type of its default.
fn set(values: &mut Value, setting: &str) -> Outcome {
    let Some((key, text)) = setting.split_once('=') else {
        return Err(Failure::new(crate::exit::Exit::Usage, format!("--set {setting}: write KEY=VALUE")));
    };
    let known = keys(values);
    let place = key.split('.').try_fold(values, |value, part| value.get_mut(part));
    let Some(place) = place.filter(|value| !value.is_object()) else {
        return Err(Failure::refused(format!("--set {key}: no such value; there are: {}", known.join(", "))));
    };
    *place = match place {
        Value::String(_) => Value::String(text.to_owned()),
        Value::Bool(_) => Value::Bool(text.parse().map_err(|_| wrong(key, text, "true or false"))?),
        Value::Number(_) => {
            let number: i64 = text.parse().map_err(|_| wrong(key, text, "a whole number"))?;
            Value::from(number)
        }
        _ => serde_json::from_str(text).map_err(|_| wrong(key, text, "JSON"))?,
    };
    Ok(())
}

fn wrong(key: &str, text: &str, wanted: &str) -> Failure {
    Failure::refused(format!("--set {key}: {text:?} is not {wanted}"))
}

/// Every value's dotted key.
fn keys(values: &Value) -> Vec<String> {
    fn walk(value: &Value, prefix: &str, keys: &mut Vec<String>) {
        let Value::Object(map) = value else {
            keys.push(prefix.to_owned());
            return;
        };
        for (name, inner) in map {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            walk(inner, &key, keys);
        }
    }
    let mut found = Vec::new();
    walk(values, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_keeps_its_type_and_an_unknown_one_is_refused_with_those_there_are() {
        let mut values = json!({"faucet": {"enabled": false}, "followers": 3, "image": "a:1"});
        set(&mut values, "faucet.enabled=true").unwrap();
        set(&mut values, "followers=5").unwrap();
        set(&mut values, "image=b=2").unwrap();
        assert_eq!(values, json!({"faucet": {"enabled": true}, "followers": 5, "image": "b=2"}));
        let message = |setting: &str| set(&mut values.clone(), setting).unwrap_err().message;
        assert_eq!(message("follower=5"), "--set follower: no such value; there are: faucet.enabled, followers, image");
        assert_eq!(message("followers=many"), "--set followers: \"many\" is not a whole number");
        assert_eq!(message("faucet=true"), "--set faucet: no such value; there are: faucet.enabled, followers, image");
    }
}
