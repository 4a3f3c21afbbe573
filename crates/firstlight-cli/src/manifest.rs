//! Which objects the user means: files, directories, recipes and standard input, read in a stable order.

use crate::args::Manifests;
use crate::exit::{Failure, Outcome};
use crate::recipe::Recipe;
use firstlight_api::decode::{self, Document};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// An object and the place it was written at, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    /// `pod.yaml:12`: file and line.
    pub(crate) origin: String,
    /// The object.
    pub(crate) value: Value,
}

impl Manifest {
    /// `Pod default/web`, for messages.
    pub(crate) fn title(&self) -> String {
        let kind = text(&self.value, "/kind");
        let name = text(&self.value, "/metadata/name");
        match text(&self.value, "/metadata/namespace") {
            "" => format!("{kind} {name}"),
            namespace => format!("{kind} {namespace}/{name}"),
        }
    }

    /// Where among the others it must be applied: what others need comes first.
    fn order(&self) -> u8 {
        match text(&self.value, "/kind") {
            "Namespace" => 0,
            "ServiceAccount" => 1,
            "Secret" | "ConfigMap" => 2,
            "Service" => 3,
            _ => 4,
        }
    }
}

/// Text at a JSON pointer, or empty.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// Everything the command line names, in the order to apply it.
///
/// # Errors
/// If nothing is named, a file cannot be read, or an object has no kind or name.
pub(crate) fn load(args: &Manifests) -> Outcome<Vec<Manifest>> {
    let mut found = Vec::new();
    for path in args.paths.iter().chain(&args.files) {
        read(path, args, &mut found)?;
    }
    if !args.set.is_empty() && !args.paths.iter().any(|path| Recipe::is_at(path)) {
        return Err(Failure::refused("--set is for recipes: a directory with values.yaml and templates/"));
    }
    for manifest in &found {
        check(manifest)?;
    }
    refuse_duplicates(&found)?;
    found.sort_by_key(Manifest::order);
    Ok(found)
}

fn read(path: &Path, args: &Manifests, found: &mut Vec<Manifest>) -> Outcome {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return split("standard input", &text, found);
    }
    if Recipe::is_at(path) {
        for (name, text) in Recipe::open(path)?.render(&args.set)? {
            split(&name, &text, found)?;
        }
        return Ok(());
    }
    for file in files(path)? {
        let text =
            std::fs::read_to_string(&file).map_err(|error| Failure::refused(format!("{}: {error}", file.display())))?;
        split(&file.display().to_string(), &text, found)?;
    }
    Ok(())
}

/// The manifest files of a path: itself, or a directory's, sorted by name.
fn files(path: &Path) -> Outcome<Vec<PathBuf>> {
    let about = |error: std::io::Error| Failure::refused(format!("{}: {error}", path.display()));
    if !std::fs::metadata(path).map_err(about)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(about)? {
        let file = entry.map_err(about)?.path();
        if file.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(Failure::refused(format!(
            "{}: no manifest in this directory; name a directory with .yaml or .json files, or a recipe",
            path.display()
        )));
    }
    files.sort();
    Ok(files)
}

/// Adds every object of a file; a List counts as its items.
fn split(name: &str, text: &str, found: &mut Vec<Manifest>) -> Outcome {
    let documents = decode::documents(text).map_err(|error| Failure::refused(format!("{name}: {error}")))?;
    for Document { line, value, duplicates } in documents {
        let origin = format!("{name}:{line}");
        if let Some(path) = duplicates.first() {
            return Err(Failure::refused(format!("{origin}: {path} is given twice; keep one of the two")));
        }
        if value.get("kind").and_then(Value::as_str) == Some("List") {
            for item in value.get("items").and_then(Value::as_array).into_iter().flatten() {
                found.push(Manifest { origin: origin.clone(), value: item.clone() });
            }
        } else {
            found.push(Manifest { origin, value });
        }
    }
    Ok(())
}

/// Every object needs a kind, a version and a name.
fn check(manifest: &Manifest) -> Outcome {
    for (pointer, field) in [("/apiVersion", "apiVersion"), ("/kind", "kind"), ("/metadata/name", "metadata.name")] {
        let wrong = match manifest.value.pointer(pointer) {
            Some(Value::String(text)) if !text.is_empty() => continue,
            Some(Value::String(_) | Value::Null) => "Required value".to_owned(),
            Some(other) => format!("{other} is not text; write it in quotes"),
            None if field == "metadata.name" && manifest.value.pointer("/metadata/generateName").is_some() => {
                "Required value: by generateName every `up` would make another object".to_owned()
            }
            None => "Required value".to_owned(),
        };
        return Err(Failure::refused(format!("{}: {field}: {wrong}", manifest.origin)));
    }
    Ok(())
}

fn refuse_duplicates(manifests: &[Manifest]) -> Outcome {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for manifest in manifests {
        if let Some(first) = seen.insert(manifest.title(), &manifest.origin) {
            return Err(Failure::refused(format!(
                "{}: {} is already defined in {first}; keep one of the two",
                manifest.origin,
                manifest.title()
            )));
        }
    }
    Ok(())
}
