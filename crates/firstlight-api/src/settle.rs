//! A Pod, as the thing its life is decided from: `firstlight_pod::Spec`.
//!
//! The node settles a Pod once per generation. Everything that can be wrong with a manifest is said here or in
//! [`crate::validate`]; below, nothing is optional that is not optional in meaning. For a Pod that was defaulted and
//! passed [`crate::validate::create`] settling succeeds; for any other value it answers with the places that are
//! wrong and never panics.
//!
//! | file | what it settles |
//! | --- | --- |
//! | `settle/container.rs` | a container: image, environment, mounts, ports, resources |
//! | `settle/handler.rs` | probes and hooks, named ports resolved |
//! | `settle/identity.rs` | host name and DNS (NET) |
//! | `settle/reference.rs` | downward API fields and resources (ENV-9, ENV-10) |
//! | `settle/security.rs` | pod-level and container-level security, merged (SEC-1) |
//! | `settle/volume.rs` | volumes (VOL) |

mod container;
mod handler;
mod identity;
mod reference;
mod security;
mod volume;

use crate::admit::qos_class;
use crate::refuse::Refusals;
use crate::status_error::FieldError;
use crate::view::View;
use firstlight_pod::spec::{Container, Ephemeral, Init, Qos, RestartPolicy, Rules};
use firstlight_pod::{Millis, PodId, Spec};
use serde_json::Value;
use std::collections::BTreeMap;

pub use identity::DOMAIN;
pub(crate) use reference::{ENV_FIELDS, VOLUME_FIELDS, field, resource_name_ok};

/// The grace of a pod that names none (DEF-1).
const DEFAULT_GRACE_S: i64 = 30;

/// The settled form of a Pod.
///
/// # Errors
/// Every place that keeps the Pod from being settled, with its path.
pub fn pod(pod: &Value) -> Result<Spec, Vec<FieldError>> {
    let mut refused = Refusals::default();
    let metadata = pod.object("metadata");
    let spec = pod.object("spec");
    let inits = steps(spec, &mut refused);
    let mains = mains(spec, &mut refused);
    if mains.is_empty() {
        refused.required("spec.containers", "");
    }
    let ephemerals = spec.list("ephemeralContainers").iter().enumerate();
    let ephemerals = ephemerals.map(|(i, ephemeral)| Ephemeral {
        container: container::settle(ephemeral, spec, &format!("spec.ephemeralContainers[{i}]"), &mut refused),
        target: ephemeral.text_some("targetContainerName").map(str::to_owned),
    });
    let ephemerals = ephemerals.collect();
    let volumes = spec.list("volumes").iter().enumerate();
    let volumes =
        volumes.filter_map(|(i, v)| volume::settle(v, spec, &format!("spec.volumes[{i}]"), &mut refused)).collect();
    let settled = Spec {
        id: PodId {
            namespace: metadata.text("namespace").to_owned(),
            name: metadata.text("name").to_owned(),
            uid: metadata.text("uid").to_owned(),
        },
        generation: metadata.int("generation").unwrap_or(0),
        labels: text_map(metadata, "labels"),
        annotations: text_map(metadata, "annotations"),
        node: spec.text("nodeName").to_owned(),
        service_account: spec.text_some("serviceAccountName").unwrap_or("default").to_owned(),
        identity: identity::settle(metadata, spec),
        restart: restart(spec.text("restartPolicy")).unwrap_or_default(),
        grace: seconds(spec.int("terminationGracePeriodSeconds").unwrap_or(DEFAULT_GRACE_S)),
        deadline: spec.int("activeDeadlineSeconds").map(seconds),
        inits,
        mains,
        ephemerals,
        volumes,
        readiness_gates: spec.list("readinessGates").iter().map(|g| g.text("conditionType").to_owned()).collect(),
        pull_secrets: spec
            .list("imagePullSecrets")
            .iter()
            .filter_map(|s| s.text_some("name"))
            .map(str::to_owned)
            .collect(),
        fs_group: security::id(spec.object("securityContext"), "fsGroup", "spec.securityContext", &mut refused),
        qos: match qos_class(spec) {
            "Guaranteed" => Qos::Guaranteed,
            "BestEffort" => Qos::BestEffort,
            _ => Qos::Burstable,
        },
        sysctls: sysctls(spec),
        share_processes: spec.flag("shareProcessNamespace"),
        rules: Rules::default(),
    };
    refused.into_result(settled)
}

fn steps(spec: &Value, refused: &mut Refusals) -> Vec<Init> {
    let mut steps = Vec::new();
    for (i, init) in spec.list("initContainers").iter().enumerate() {
        let settled = container::settle(init, spec, &format!("spec.initContainers[{i}]"), refused);
        let sidecar = init.text("restartPolicy") == "Always";
        steps.push(if sidecar { Init::Sidecar(settled) } else { Init::Once(settled) });
    }
    steps
}

fn mains(spec: &Value, refused: &mut Refusals) -> Vec<Container> {
    let mains = spec.list("containers").iter().enumerate();
    mains.map(|(i, main)| container::settle(main, spec, &format!("spec.containers[{i}]"), refused)).collect()
}

fn sysctls(spec: &Value) -> BTreeMap<String, String> {
    let all = spec.object("securityContext").list("sysctls").iter();
    all.map(|s| (s.text("name").to_owned(), s.text("value").to_owned())).collect()
}

fn text_map(of: &Value, key: &str) -> BTreeMap<String, String> {
    of.members(key).filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
}

fn restart(text: &str) -> Option<RestartPolicy> {
    match text {
        "Always" => Some(RestartPolicy::Always),
        "OnFailure" => Some(RestartPolicy::OnFailure),
        "Never" => Some(RestartPolicy::Never),
        _ => None,
    }
}

/// Whole seconds as a length; below zero means one second, as the API treats a negative grace (TRM-1).
fn seconds(seconds: i64) -> Millis {
    Millis::secs(u64::try_from(seconds).unwrap_or(1))
}

#[cfg(test)]
mod tests;
