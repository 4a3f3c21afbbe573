//! Environment: names, and one source for each value (VAL-23).

use super::text;
use crate::refuse::Refusals;
use crate::settle::{ENV_FIELDS, field, resource_name_ok};
use crate::view::View;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a value may come from.
const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

/// What a value that comes from nowhere is told.
pub(crate) const NO_ENV_SOURCE: &str =
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";

/// The longest name a variable may have in a file (upstream: `validateFileKeySelector`).
const FILE_KEY_MAX: usize = 128;

/// Checks a container's variables; files that they come from are in one of the pod's `volumes`.
pub(super) fn check(container: &Value, volumes: &BTreeMap<&str, &Value>, path: &str, refused: &mut Refusals) {
    for (i, var) in container.list("env").iter().enumerate() {
        let at = format!("{path}.env[{i}]");
        match var.text("name") {
            "" => refused.required(&format!("{at}.name"), ""),
            name => refused.each(&format!("{at}.name"), name, text::env_name(name)),
        }
        if let Some(from) = var.get_some("valueFrom") {
            let at = format!("{at}.valueFrom");
            value_from(from, var.text("value"), &at, refused);
            if let Some(of) = from.get_some("fileKeyRef") {
                file_ref(of, volumes, &format!("{at}.fileKeyRef"), refused);
            }
        }
    }
    for (i, from) in container.list("envFrom").iter().enumerate() {
        env_from(from, &format!("{path}.envFrom[{i}]"), refused);
    }
}

fn value_from(from: &Value, value: &str, path: &str, refused: &mut Refusals) {
    let given = SOURCES.iter().filter(|key| from.get_some(key).is_some()).count();
    if given == 0 {
        refused.invalid(path, "", NO_ENV_SOURCE);
    } else if !value.is_empty() {
        refused.invalid(path, "", "may not be specified when `value` is not empty");
    } else if given > 1 {
        refused.invalid(path, "", "may not have more than one field specified at a time");
    }
    if let Some(of) = from.get_some("fieldRef") {
        field_ref(of, &ENV_FIELDS, &format!("{path}.fieldRef"), refused);
    }
    if let Some(of) = from.get_some("resourceFieldRef") {
        resource_ref(of, false, &format!("{path}.resourceFieldRef"), refused);
    }
    for key in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(of) = from.get_some(key) {
            key_ref(of, &format!("{path}.{key}"), refused);
        }
    }
}

/// A field of the pod: one of `fields`, or a single label or annotation.
pub(super) fn field_ref(of: &Value, fields: &[&str], path: &str, refused: &mut Refusals) {
    if of.text("apiVersion").is_empty() {
        refused.required(&format!("{path}.apiVersion"), "");
    }
    let at = format!("{path}.fieldPath");
    match of.text("fieldPath") {
        "" => refused.required(&at, ""),
        name if fields.contains(&name) => {}
        name if name.contains('[') && field(name).is_some() => subscript(name, &at, refused),
        name => refused.unsupported(&at, name, fields),
    }
}

fn subscript(name: &str, path: &str, refused: &mut Refusals) {
    let key = name.split_once("['").and_then(|(_, rest)| rest.strip_suffix("']")).unwrap_or("");
    // Annotation keys may have upper case letters in their prefix.
    let key = if name.starts_with("metadata.annotations") { key.to_lowercase() } else { key.to_owned() };
    refused.each(path, &key, text::qualified_name(&key));
}

/// A resource of a container, which a volume must name.
pub(super) fn resource_ref(of: &Value, in_volume: bool, path: &str, refused: &mut Refusals) {
    if in_volume && of.text("containerName").is_empty() {
        refused.required(&format!("{path}.containerName"), "");
    }
    let at = format!("{path}.resource");
    match of.text("resource") {
        "" => refused.required(&at, ""),
        name if resource_name_ok(name) => divisor(of, name, path, refused),
        name => refused.unsupported(
            &at,
            name,
            &[
                "limits.cpu",
                "limits.ephemeral-storage",
                "limits.memory",
                "requests.cpu",
                "requests.ephemeral-storage",
                "requests.memory",
            ],
        ),
    }
}

fn divisor(of: &Value, resource: &str, path: &str, refused: &mut Refusals) {
    let Some(divisor) = of.get_some("divisor") else { return };
    let allowed: &[&str] = match resource.split_once('.').map(|(_, name)| name) {
        Some("cpu") => &["0", "1m", "1"],
        _ => &["0", "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
    };
    let text = divisor.as_str().unwrap_or("");
    if !allowed.contains(&text) {
        let words = match resource.split_once('.').map(|(_, name)| name) {
            Some("cpu") => "only divisor's values 1m and 1 are supported with the cpu resource",
            _ => {
                "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the \
                 memory resource"
            }
        };
        refused.invalid(&format!("{path}.divisor"), divisor.clone(), words);
    }
}

fn key_ref(of: &Value, path: &str, refused: &mut Refusals) {
    if of.text("name").is_empty() {
        refused.required(&format!("{path}.name"), "");
    }
    match of.text("key") {
        "" => refused.required(&format!("{path}.key"), ""),
        key => refused.each(&format!("{path}.key"), key, text::config_key(key)),
    }
}

/// A variable of a file, which must be in an `emptyDir`: the pod's own containers write it (ENV-11).
fn file_ref(of: &Value, volumes: &BTreeMap<&str, &Value>, path: &str, refused: &mut Refusals) {
    let at = format!("{path}.key");
    match of.text("key") {
        "" => refused.required(&at, ""),
        key if key.len() > FILE_KEY_MAX => refused.too_long(&at, FILE_KEY_MAX),
        key => refused.each(&at, key, text::env_name(key)),
    }
    let at = format!("{path}.volumeName");
    match of.text("volumeName") {
        "" => refused.required(&at, ""),
        name => match volumes.get(name) {
            None => refused.not_found(&at, name),
            Some(volume) if !super::volume::is_empty_dir(volume) => {
                refused.invalid(&at, name, "referenced volume must be of type emptyDir");
            }
            Some(_) => {}
        },
    }
    super::volume::file_path(of, path, refused);
}

fn env_from(from: &Value, path: &str, refused: &mut Refusals) {
    if let Some(prefix) = from.text_some("prefix") {
        refused.each(&format!("{path}.prefix"), prefix, text::env_name(prefix));
    }
    let given: Vec<&str> =
        ["configMapRef", "secretRef"].into_iter().filter(|key| from.get_some(key).is_some()).collect();
    match given.as_slice() {
        [] => refused.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"),
        [key] => {
            if from.object(key).text("name").is_empty() {
                refused.required(&format!("{path}.{key}.name"), "");
            }
        }
        _ => refused.invalid(path, json!(""), "may not have more than one field specified at a time"),
    }
}
