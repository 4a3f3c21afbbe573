//! ConfigMaps and Secrets: keys that can be file names (S13), sizes, what a type promises, immutability (VAL-30).

use super::text;
use crate::object::{Resource, resources};
use crate::refuse::Refusals;
use crate::view::View;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// The most that all values of one object may take, in bytes (upstream: `MaxSecretSize`).
const SIZE_MAX: usize = 1 << 20;
/// What an immutable object says.
const IMMUTABLE: &str = "field is immutable when `immutable` is set";

pub(super) fn config_map(object: &Value, refused: &mut Refusals) {
    let mut size = 0_usize;
    for (key, value) in object.members("data") {
        let at = format!("data[{key}]");
        refused.each(&at, key, text::config_key(key));
        if object.object("binaryData").get_some(key).is_some() {
            refused.invalid(&at, key.as_str(), "duplicate of key present in binaryData");
        }
        size = size.saturating_add(value.as_str().map_or(0, str::len));
    }
    for (key, value) in object.members("binaryData") {
        let at = format!("binaryData[{key}]");
        refused.each(&at, key, text::config_key(key));
        size = size.saturating_add(decoded(value, &at, refused).map_or(0, |bytes| bytes.len()));
    }
    if size > SIZE_MAX {
        refused.too_long("data", SIZE_MAX);
    }
}

pub(super) fn secret(object: &Value, refused: &mut Refusals) {
    let mut size = 0_usize;
    for (key, value) in object.members("data") {
        let at = format!("data[{key}]");
        refused.each(&at, key, text::config_key(key));
        size = size.saturating_add(decoded(value, &at, refused).map_or(0, |bytes| bytes.len()));
    }
    if size > SIZE_MAX {
        refused.too_long("data", SIZE_MAX);
    }
    promised(object, refused);
}

fn decoded(value: &Value, path: &str, refused: &mut Refusals) -> Option<Vec<u8>> {
    let bytes = BASE64_STANDARD.decode(value.as_str().unwrap_or("")).ok();
    if bytes.is_none() {
        // What stands there may be a secret in plain text: it is not repeated.
        refused.invalid(path, "<redacted>", "must be base64");
    }
    bytes
}

/// What a Secret's type says it holds.
fn promised(object: &Value, refused: &mut Refusals) {
    let data = object.object("data");
    let mut needs = |keys: &[&str]| {
        for key in keys {
            if data.get_some(key).is_none() {
                refused.required(&format!("data[{key}]"), "");
            }
        }
    };
    match object.text("type") {
        "kubernetes.io/dockerconfigjson" => {
            needs(&[".dockerconfigjson"]);
            json_inside(data, ".dockerconfigjson", refused);
        }
        "kubernetes.io/dockercfg" => {
            needs(&[".dockercfg"]);
            json_inside(data, ".dockercfg", refused);
        }
        "kubernetes.io/basic-auth" if data.get_some("username").is_none() && data.get_some("password").is_none() => {
            needs(&["username", "password"]);
        }
        "kubernetes.io/ssh-auth" => needs(&["ssh-privatekey"]),
        "kubernetes.io/tls" => needs(&["tls.crt", "tls.key"]),
        _ => {}
    }
}

fn json_inside(data: &Value, key: &str, refused: &mut Refusals) {
    let Some(bytes) = data.get_some(key).and_then(Value::as_str).and_then(|text| BASE64_STANDARD.decode(text).ok())
    else {
        return;
    };
    if let Err(problem) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        refused.invalid(&format!("data[{key}]"), "<secret contents redacted>", &problem.to_string());
    }
}

/// What of it may change.
pub(super) fn update(resource: Resource, old: &Value, new: &Value, refused: &mut Refusals) {
    if resource == resources::SECRETS && old.text("type") != new.text("type") {
        refused.invalid("type", new.text("type"), "field is immutable");
    }
    if !old.flag("immutable") {
        return;
    }
    if !new.flag("immutable") {
        refused.forbidden("immutable", IMMUTABLE);
    }
    for key in ["data", "binaryData"] {
        let members = |object: &Value| object.members(key).map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>();
        if members(old) != members(new) {
            refused.forbidden(key, IMMUTABLE);
        }
    }
}
