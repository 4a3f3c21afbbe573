//! `metadata`, which all kinds share. Source: `k8s.io/apimachinery/pkg/api/validation/objectmeta.go`.

use super::text::{self, Rule};
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::{Value, json};

/// The most that all annotations of an object may take, keys and values together, in bytes.
const ANNOTATIONS_MAX: usize = 256 << 10;

/// Metadata of an object that is about to be stored.
pub(super) fn create(object: &Value, name_rule: Rule, refused: &mut Refusals) {
    let metadata = object.object("metadata");
    let name = metadata.text("name");
    let prefix = metadata.text("generateName");
    if !prefix.is_empty() {
        // What is generated ends in a letter or digit, so a prefix may end in a dash.
        let masked = prefix.strip_suffix('-').map_or(prefix.to_owned(), |stem| format!("{stem}a"));
        refused.each("metadata.generateName", prefix, name_rule(&masked));
    }
    if name.is_empty() {
        if prefix.is_empty() {
            refused.required("metadata.name", "name or generateName is required");
        }
    } else {
        refused.each("metadata.name", name, name_rule(name));
    }
    if metadata.int("generation").is_some_and(|generation| generation < 0) {
        refused.invalid("metadata.generation", metadata.object("generation").clone(), text::NOT_NEGATIVE);
    }
    labels_and_annotations(metadata, "metadata", refused);
    owners(metadata, refused);
    finalizers(metadata, refused);
}

/// Metadata that replaces `old`'s: what identifies an object never changes. What is left out means "as it was".
pub(super) fn update(old: &Value, new: &Value, name_rule: Rule, refused: &mut Refusals) {
    let (was, is) = (old.object("metadata"), new.object("metadata"));
    for key in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        match is.get_some(key) {
            Some(value) if was.get_some(key) != Some(value) => {
                refused.invalid(&format!("metadata.{key}"), value.clone(), "field is immutable");
            }
            Some(_) | None => {}
        }
    }
    create(new, name_rule, refused);
}

/// Labels and annotations of an object or of a template; `path` is that of their holder.
pub(super) fn labels_and_annotations(holder: &Value, path: &str, refused: &mut Refusals) {
    labels(holder.object("labels"), &format!("{path}.labels"), refused);
    let at = format!("{path}.annotations");
    let mut size = 0_usize;
    for (key, value) in holder.members("annotations") {
        refused.each(&at, key, text::qualified_name(&key.to_lowercase()));
        size = size.saturating_add(key.len()).saturating_add(value.as_str().map_or(0, str::len));
    }
    if size > ANNOTATIONS_MAX {
        refused.too_long(&at, ANNOTATIONS_MAX);
    }
}

/// A map of labels.
pub(super) fn labels(labels: &Value, path: &str, refused: &mut Refusals) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        refused.each(path, key, text::qualified_name(key));
        let value = value.as_str().unwrap_or("");
        refused.each(path, value, text::label_value(value));
    }
}

fn owners(metadata: &Value, refused: &mut Refusals) {
    let path = "metadata.ownerReferences";
    let mut controller: Option<&str> = None;
    for owner in metadata.list("ownerReferences") {
        for (key, word) in [("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid")] {
            if owner.text(key).is_empty() {
                refused.invalid(&format!("{path}.{key}"), "", &format!("{word} must not be empty"));
            }
        }
        if owner.flag("controller") {
            match controller {
                None => controller = Some(owner.text("name")),
                Some(first) => refused.invalid(
                    path,
                    metadata.object("ownerReferences").clone(),
                    &format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                         and {}",
                        owner.text("name")
                    ),
                ),
            }
        }
    }
}

fn finalizers(metadata: &Value, refused: &mut Refusals) {
    let path = "metadata.finalizers";
    let all = metadata.list("finalizers");
    for finalizer in all.iter().filter_map(Value::as_str) {
        refused.each(path, finalizer, text::qualified_name(finalizer));
    }
    let has = |word: &str| all.iter().any(|f| f.as_str() == Some(word));
    if has("orphan") && has("foregroundDeletion") {
        let words = "finalizer orphan and foregroundDeletion cannot be both set";
        refused.invalid(path, json!(all), words);
    }
}
