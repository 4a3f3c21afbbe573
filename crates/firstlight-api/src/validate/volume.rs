//! Volumes and where containers mount them (VAL-10, VAL-11, VAL-19, VAL-20).

use super::env::{field_ref, resource_ref};
use super::pod::one_of;
use super::text;
use crate::quantity::Quantity;
use crate::refuse::Refusals;
use crate::settle::VOLUME_FIELDS;
use crate::view::View;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const MODE_RANGE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Checks all volumes; answers with those that mounts may name.
pub(super) fn check<'a>(spec: &'a Value, path: &str, refused: &mut Refusals) -> BTreeMap<&'a str, &'a Value> {
    let mut volumes = BTreeMap::new();
    for (i, volume) in spec.list("volumes").iter().enumerate() {
        let at = format!("{path}.volumes[{i}]");
        let name = volume.text("name");
        if name.is_empty() {
            refused.required(&format!("{at}.name"), "");
        } else {
            refused.each(&format!("{at}.name"), name, text::dns_label(name));
        }
        if volumes.insert(name, volume).is_some() && !name.is_empty() {
            refused.duplicate(&format!("{at}.name"), name);
        }
        source(volume, &at, refused);
    }
    volumes
}

fn source(volume: &Value, path: &str, refused: &mut Refusals) {
    let kinds = volume.as_object().into_iter().flatten().filter(|(key, value)| *key != "name" && !value.is_null());
    for (i, (kind, of)) in kinds.enumerate() {
        let at = format!("{path}.{kind}");
        if i > 0 {
            refused.forbidden(&at, "may not specify more than 1 volume type");
            continue;
        }
        match kind.as_str() {
            "configMap" => {
                reference(of, "name", &at, refused);
                key_paths(of, &at, refused);
            }
            "secret" => {
                reference(of, "secretName", &at, refused);
                key_paths(of, &at, refused);
            }
            "downwardAPI" => downward(of, &at, refused),
            "projected" => projected(of, &at, refused),
            "hostPath" => host_path(of, &at, refused),
            "emptyDir" => empty_dir(of, &at, refused),
            "persistentVolumeClaim" => reference(of, "claimName", &at, refused),
            "image" => image(of, &at, refused),
            // The other kinds are refused by name.
            _ => {}
        }
    }
}

/// Whether the volume is an `emptyDir`, as one is that says nothing (VOL-17).
pub(super) fn is_empty_dir(volume: &Value) -> bool {
    let mut kinds = volume.as_object().into_iter().flatten().filter(|(key, value)| *key != "name" && !value.is_null());
    kinds.all(|(kind, _)| kind == "emptyDir")
}

fn reference(of: &Value, key: &str, path: &str, refused: &mut Refusals) {
    let at = format!("{path}.{key}");
    match of.text(key) {
        "" => refused.required(&at, ""),
        name => refused.each(&at, name, text::dns_subdomain(name)),
    }
}

fn mode(of: &Value, key: &str, path: &str, refused: &mut Refusals) {
    if let Some(mode) = of.int(key).filter(|mode| !(0..=0o777).contains(mode)) {
        refused.invalid(&format!("{path}.{key}"), mode, MODE_RANGE);
    }
}

/// Keys of a ConfigMap or Secret, and the files they become.
fn key_paths(of: &Value, path: &str, refused: &mut Refusals) {
    mode(of, "defaultMode", path, refused);
    for (i, item) in of.list("items").iter().enumerate() {
        let at = format!("{path}.items[{i}]");
        if item.text("key").is_empty() {
            refused.required(&format!("{at}.key"), "");
        }
        file_path(item, &at, refused);
    }
}

/// A file of a volume: below it, and not one of the names that the atomic swap uses (VOL-6).
pub(super) fn file_path(item: &Value, path: &str, refused: &mut Refusals) {
    let at = format!("{path}.path");
    let file = item.text("path");
    if file.is_empty() {
        refused.required(&at, "");
    }
    let mut problems = text::descending_path(file);
    if file.starts_with("..") && !file.starts_with("../") && file != ".." {
        problems.push("must not start with '..'".to_owned());
    }
    if file.contains('\0') || file.split('/').any(|part| part == ".") || file.ends_with('/') || file.contains("//") {
        problems.push("must name a file, without '.' or empty parts".to_owned());
    }
    refused.each(&at, file, problems);
    mode(item, "mode", path, refused);
}

fn downward(of: &Value, path: &str, refused: &mut Refusals) {
    mode(of, "defaultMode", path, refused);
    for (i, item) in of.list("items").iter().enumerate() {
        let at = format!("{path}.items[{i}]");
        file_path(item, &at, refused);
        match (item.get_some("fieldRef"), item.get_some("resourceFieldRef")) {
            (Some(field), None) => field_ref(field, &VOLUME_FIELDS, &format!("{at}.fieldRef"), refused),
            (None, Some(resource)) => resource_ref(resource, true, &format!("{at}.resourceFieldRef"), refused),
            (Some(_), Some(_)) => {
                let words = "fieldRef and resourceFieldRef can not be specified simultaneously";
                refused.invalid(&at, "resource", words);
            }
            (None, None) => refused.required(&at, "one of fieldRef and resourceFieldRef is required"),
        }
    }
}

fn projected(of: &Value, path: &str, refused: &mut Refusals) {
    mode(of, "defaultMode", path, refused);
    let mut files = BTreeSet::new();
    for (i, source) in of.list("sources").iter().enumerate() {
        let at = format!("{path}.sources[{i}]");
        let kinds = source.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        for (j, (kind, of)) in kinds.enumerate() {
            let at = format!("{at}.{kind}");
            if j > 0 {
                refused.forbidden(&at, "may not specify more than 1 volume type per source");
                continue;
            }
            match kind.as_str() {
                "configMap" | "secret" => {
                    reference(of, "name", &at, refused);
                    key_paths(of, &at, refused);
                }
                "downwardAPI" => downward(of, &at, refused),
                // The other kinds are refused by name.
                _ => {}
            }
            for item in of.list("items") {
                let file = item.text("path");
                if !file.is_empty() && !files.insert(file.to_owned()) {
                    refused.invalid(&at, file, "conflicting duplicate paths");
                }
            }
        }
    }
}

fn host_path(of: &Value, path: &str, refused: &mut Refusals) {
    let at = format!("{path}.path");
    let host = of.text("path");
    if host.is_empty() {
        refused.required(&at, "");
    } else if !host.starts_with('/') {
        refused.invalid(&at, host, "must be an absolute path");
    }
    refused.each(&at, host, text::no_climbing(host));
    let kinds = ["BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    one_of(of, "type", &kinds, path, refused);
}

fn image(of: &Value, path: &str, refused: &mut Refusals) {
    if of.text("reference").is_empty() {
        refused.required(&format!("{path}.reference"), "");
    }
    one_of(of, "pullPolicy", &["Always", "IfNotPresent", "Never"], path, refused);
}

fn empty_dir(of: &Value, path: &str, refused: &mut Refusals) {
    let Some(limit) = of.get_some("sizeLimit") else { return };
    if !Quantity::of(limit).is_ok_and(|limit| limit.nano() >= 0) {
        refused.forbidden(&format!("{path}.sizeLimit"), "SizeLimit field must be a valid resource quantity");
    }
}

/// Where a container mounts volumes.
pub(super) fn mounts(container: &Value, volumes: &BTreeMap<&str, &Value>, path: &str, refused: &mut Refusals) {
    let mut places = BTreeSet::new();
    for (i, mount) in container.list("volumeMounts").iter().enumerate() {
        let at = format!("{path}.volumeMounts[{i}]");
        let name = mount.text("name");
        if name.is_empty() {
            refused.required(&format!("{at}.name"), "");
        } else if !volumes.contains_key(name) {
            refused.not_found(&format!("{at}.name"), name);
        }
        place(mount, &mut places, &at, refused);
        sub_path(mount, &at, refused);
        one_of(mount, "mountPropagation", &["Bidirectional", "HostToContainer", "None"], &at, refused);
        one_of(mount, "recursiveReadOnly", &["Disabled", "Enabled", "IfPossible"], &at, refused);
        propagation(mount, container, &at, refused);
    }
}

/// VOL-14.
fn propagation(mount: &Value, container: &Value, path: &str, refused: &mut Refusals) {
    if mount.text("mountPropagation") == "Bidirectional" && !container.object("securityContext").flag("privileged") {
        let words = "Bidirectional mount propagation is available only to privileged containers";
        refused.forbidden(&format!("{path}.mountPropagation"), words);
    }
    if !matches!(mount.text("recursiveReadOnly"), "Enabled" | "IfPossible") {
        return;
    }
    let at = format!("{path}.recursiveReadOnly");
    if !mount.flag("readOnly") {
        refused.forbidden(&at, "may only be specified when readOnly is true");
    }
    if !matches!(mount.text("mountPropagation"), "" | "None") {
        refused.forbidden(&at, "may only be specified when mountPropagation is None or not specified");
    }
}

fn place<'a>(mount: &'a Value, places: &mut BTreeSet<&'a str>, path: &str, refused: &mut Refusals) {
    let at = format!("{path}.mountPath");
    let place = mount.text("mountPath");
    if place.is_empty() {
        refused.required(&at, "");
    } else if !places.insert(place) {
        refused.invalid(&at, place, "must be unique");
    } else if place.trim_matches('/').is_empty() {
        refused.invalid(&at, place, "must not be the root directory");
    }
    refused.each(&at, place, text::no_climbing(place));
}

fn sub_path(mount: &Value, path: &str, refused: &mut Refusals) {
    for key in ["subPath", "subPathExpr"] {
        let sub_path = mount.text(key);
        refused.each(&format!("{path}.{key}"), sub_path, text::descending_path(sub_path));
    }
    if let (Some(_), Some(expression)) = (mount.text_some("subPath"), mount.text_some("subPathExpr")) {
        let words = "subPathExpr and subPath are mutually exclusive";
        refused.invalid(&format!("{path}.subPathExpr"), expression, words);
    }
}
