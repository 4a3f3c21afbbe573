//! What a container's processes may do: container fields over pod fields (SEC-1).

use crate::refuse::Refusals;
use crate::view::View;
use firstlight_pod::spec::{Seccomp, Security};
use serde_json::Value;

pub(super) fn settle(container: &Value, spec: &Value, path: &str, refused: &mut Refusals) -> Security {
    let (own, pod) = (container.object("securityContext"), spec.object("securityContext"));
    let own_path = format!("{path}.securityContext");
    let pod_path = "spec.securityContext";
    let either = |key: &str| own.get_some(key).or_else(|| pod.get_some(key));
    let privileged = own.flag("privileged");
    let mut groups = Vec::new();
    for (i, group) in pod.list("supplementalGroups").iter().enumerate() {
        groups.extend(id_of(group, &format!("{pod_path}.supplementalGroups[{i}]"), refused));
    }
    groups.extend(id(pod, "fsGroup", pod_path, refused));
    let user = id(own, "runAsUser", &own_path, refused);
    let group = id(own, "runAsGroup", &own_path, refused);
    Security {
        user: user.or_else(|| id(pod, "runAsUser", pod_path, refused)),
        group: group.or_else(|| id(pod, "runAsGroup", pod_path, refused)),
        non_root: either("runAsNonRoot").and_then(Value::as_bool).unwrap_or(false),
        groups,
        add_capabilities: capabilities(own.object("capabilities"), "add"),
        drop_capabilities: capabilities(own.object("capabilities"), "drop"),
        privileged,
        read_only_root: own.flag("readOnlyRootFilesystem"),
        no_new_privs: own.get_some("allowPrivilegeEscalation").and_then(Value::as_bool) == Some(false),
        seccomp: match either("seccompProfile").map(|p| p.text("type")) {
            Some("Unconfined") => Seccomp::Unconfined,
            // A privileged container is never filtered, as in every CRI runtime.
            _ if privileged => Seccomp::Unconfined,
            _ => Seccomp::RuntimeDefault,
        },
    }
}

/// A user or group id.
pub(super) fn id(of: &Value, key: &str, path: &str, refused: &mut Refusals) -> Option<u32> {
    of.get_some(key).and_then(|value| id_of(value, &format!("{path}.{key}"), refused))
}

fn id_of(value: &Value, path: &str, refused: &mut Refusals) -> Option<u32> {
    let id = value.as_u64().and_then(|id| u32::try_from(id).ok()).filter(|id| i32::try_from(*id).is_ok());
    if id.is_none() {
        refused.invalid(path, value.clone(), "must be between 0 and 2147483647, inclusive");
    }
    id
}

/// Kubernetes writes capabilities without `CAP_`; the prefix is forgiven, as runtimes do.
fn capabilities(of: &Value, key: &str) -> Vec<String> {
    of.texts(key).into_iter().map(|name| name.strip_prefix("CAP_").map_or(name.clone(), str::to_owned)).collect()
}
