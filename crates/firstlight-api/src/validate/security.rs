//! Security contexts of pods and containers.

use super::pod::one_of;
use super::text;
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a user or group id may be.
const ID_RANGE: &str = "must be between 0 and 2147483647, inclusive";
/// What a kernel parameter may be called; either separator, as `sysctl(8)` takes both.
const SYSCTL_NAME: &str = "must have at most 253 characters and match regex \
     ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// `spec.securityContext`.
pub(super) fn pod(spec: &Value, path: &str, refused: &mut Refusals) {
    let context = spec.object("securityContext");
    let path = format!("{path}.securityContext");
    for key in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(context.object(key), &format!("{path}.{key}"), refused);
    }
    for (i, group) in context.list("supplementalGroups").iter().enumerate() {
        id(group, &format!("{path}.supplementalGroups[{i}]"), refused);
    }
    one_of(context, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], &path, refused);
    one_of(context, "supplementalGroupsPolicy", &["Merge", "Strict"], &path, refused);
    profile(context, "seccompProfile", "seccomp type", &path, refused);
    profile(context, "appArmorProfile", "AppArmor type", &path, refused);
    sysctls(context, &path, refused);
}

/// A container's `securityContext`.
pub(super) fn container(container: &Value, path: &str, refused: &mut Refusals) {
    let context = container.object("securityContext");
    let path = format!("{path}.securityContext");
    for key in ["runAsUser", "runAsGroup"] {
        id(context.object(key), &format!("{path}.{key}"), refused);
    }
    one_of(context, "procMount", &["Default", "Unmasked"], &path, refused);
    profile(context, "seccompProfile", "seccomp type", &path, refused);
    profile(context, "appArmorProfile", "AppArmor type", &path, refused);
    // SEC-3
    if context.get_some("allowPrivilegeEscalation").and_then(Value::as_bool) == Some(false) {
        if context.flag("privileged") {
            let words = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            refused.invalid(&path, context.clone(), words);
        }
        let added = context.object("capabilities").texts("add");
        if added.iter().any(|name| matches!(name.as_str(), "CAP_SYS_ADMIN" | "SYS_ADMIN")) {
            let words = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            refused.invalid(&path, context.clone(), words);
        }
    }
}

fn id(id: &Value, path: &str, refused: &mut Refusals) {
    if !id.is_null() && !id.as_i64().is_some_and(|id| (0..=i64::from(i32::MAX)).contains(&id)) {
        refused.invalid(path, id.clone(), ID_RANGE);
    }
}

fn profile(context: &Value, key: &str, what: &str, path: &str, refused: &mut Refusals) {
    let Some(profile) = context.get_some(key) else { return };
    let path = format!("{path}.{key}");
    let file = profile.text("localhostProfile");
    match profile.text("type") {
        "" => refused.required(&format!("{path}.type"), ""),
        "Localhost" if file.is_empty() => {
            refused.required(&format!("{path}.localhostProfile"), &format!("must be set when {what} is Localhost"));
        }
        "Localhost" => refused.each(&format!("{path}.localhostProfile"), file, text::descending_path(file)),
        kind => {
            one_of(profile, "type", &["Localhost", "RuntimeDefault", "Unconfined"], &path, refused);
            if !file.is_empty() && matches!(kind, "RuntimeDefault" | "Unconfined") {
                let words = format!("can only be set when {what} is Localhost");
                refused.invalid(&format!("{path}.localhostProfile"), file, &words);
            }
        }
    }
}

fn sysctls(context: &Value, path: &str, refused: &mut Refusals) {
    let mut names = BTreeSet::new();
    for (i, sysctl) in context.list("sysctls").iter().enumerate() {
        let at = format!("{path}.sysctls[{i}].name");
        let name = sysctl.text("name");
        let part = |part: &str| {
            let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            part.starts_with(ends) && part.ends_with(ends) && part.chars().all(|c| ends(c) || "-_".contains(c))
        };
        if name.is_empty() {
            refused.required(&at, "");
        } else if name.len() > 253 || !name.split(['.', '/']).all(part) {
            refused.invalid(&at, name, SYSCTL_NAME);
        } else if !names.insert(name.replace('/', ".")) {
            refused.duplicate(&at, name);
        }
    }
}
