//! What Kubernetes refuses, with its field paths and words (VAL), and what Firstlight does not honour, by name.
//!
//! The server asks before it stores: [`create`] for what is new, [`update`] for what replaces something. An empty answer
//! means yes; else the answers become one 422 with a cause each. Objects are decoded and defaulted before.
//! Sources: `pkg/apis/{core,apps,discovery,coordination}/validation/validation.go`; wordings are upstream's.
//!
//! | file | what it checks |
//! | --- | --- |
//! | `validate/text.rs` | the forms of names, labels, keys and paths |
//! | `validate/meta.rs` | `metadata` |
//! | `validate/pod.rs`, `validate/pod_update.rs`, `validate/pod_ephemeral.rs`, `validate/pod_status.rs` | a pod's spec, and what of it and its status may change |
//! | `validate/container.rs`, `env.rs`, `handler.rs`, `resources.rs`, `security.rs` | a container |
//! | `validate/volume.rs` | volumes |
//! | `validate/config.rs` | ConfigMap and Secret |
//! | `validate/claim.rs` | PersistentVolumeClaim |
//! | `validate/service.rs`, `validate/stateful_set.rs`, `validate/kinds.rs` | the other kinds |
//! | `validate/warning.rs` | what is accepted and probably not meant |
//! | [`crate::honoured`] | what this engine does not do yet |

mod claim;
mod config;
mod container;
mod env;
mod handler;
mod kinds;
mod meta;
mod pod;
mod pod_ephemeral;
mod pod_status;
mod pod_update;
mod resources;
mod security;
mod selector;
mod service;
mod stateful_set;
mod text;
mod volume;
mod warning;

pub(crate) use env::NO_ENV_SOURCE;

use crate::honoured;
use crate::object::{Resource, resources as served};
use crate::refuse::Refusals;
use crate::schema::Kind;
use crate::status_error::FieldError;
use crate::view::View;
use serde_json::Value;
use text::Rule;

/// What of a new object is accepted and probably not meant (DEF-5).
#[must_use]
pub fn warnings(kind: &Kind, object: &Value) -> Vec<String> {
    if kind.resource == served::PODS { warning::pod(object) } else { Vec::new() }
}

/// Everything that keeps `object` from being created.
#[must_use]
pub fn create(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let mut refused = Refusals::default();
    meta::create(object, name_rule(kind.resource), &mut refused);
    content(kind, object, &mut refused);
    if kind.resource == served::PODS && !object.object("spec").list("ephemeralContainers").is_empty() {
        refused.forbidden("spec.ephemeralContainers", "cannot be set on create");
    }
    if kind.resource == served::PERSISTENTVOLUMECLAIMS {
        claim::create(object, &mut refused);
    }
    honoured::check(kind, object, &mut refused);
    refused.into_vec()
}

/// Everything that keeps `new` from replacing `old` through the main resource.
#[must_use]
pub fn update(kind: &Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut refused = Refusals::default();
    meta::update(old, new, name_rule(kind.resource), &mut refused);
    content(kind, new, &mut refused);
    match kind.resource {
        served::PODS => pod_update::check(old, new, &mut refused),
        served::CONFIGMAPS | served::SECRETS => config::update(kind.resource, old, new, &mut refused),
        served::PERSISTENTVOLUMECLAIMS => claim::update(old, new, &mut refused),
        served::STATEFULSETS => stateful_set::update(old, new, &mut refused),
        served::SERVICES => service::update(old, new, &mut refused),
        served::ENDPOINTSLICES => kinds::endpoint_slice_update(old, new, &mut refused),
        served::CONTROLLERREVISIONS => kinds::controller_revision_update(old, new, &mut refused),
        // What the others hold may change freely.
        _ => {}
    }
    honoured::check(kind, new, &mut refused);
    refused.into_vec()
}

/// Everything that keeps the ephemeral containers of `new` from being those of `old`, a Pod.
#[must_use]
pub fn ephemeral_update(kind: &Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut refused = Refusals::default();
    content(kind, new, &mut refused);
    pod_ephemeral::check(old, new, &mut refused);
    honoured::check(kind, new, &mut refused);
    refused.into_vec()
}

/// Everything that keeps the status of `new` from replacing that of `old` through the status subresource.
#[must_use]
pub fn status_update(kind: &Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut refused = Refusals::default();
    if kind.resource == served::PODS {
        pod_status::check(old, new, &mut refused);
    }
    refused.into_vec()
}

fn content(kind: &Kind, object: &Value, refused: &mut Refusals) {
    match kind.resource {
        served::PODS => pod::check(object.object("spec"), "spec", pod::Holder::Pod, refused),
        served::CONFIGMAPS => config::config_map(object, refused),
        served::SECRETS => config::secret(object, refused),
        served::SERVICES => service::check(object, refused),
        served::PERSISTENTVOLUMECLAIMS => claim::check(object, "", refused),
        served::STATEFULSETS => stateful_set::check(object, refused),
        served::ENDPOINTSLICES => kinds::endpoint_slice(object, refused),
        served::LEASES => kinds::lease(object, refused),
        served::EVENTS => kinds::event(object, refused),
        served::CONTROLLERREVISIONS => kinds::controller_revision(object, refused),
        served::SERVICEACCOUNTS => kinds::service_account(object, refused),
        // Namespaces and Nodes hold nothing a rule speaks of beyond their metadata.
        _ => {}
    }
}

/// How objects of a resource may be named.
fn name_rule(resource: Resource) -> Rule {
    match resource {
        served::NAMESPACES | served::STATEFULSETS => text::dns_label,
        served::SERVICES => text::dns_1035,
        _ => text::dns_subdomain,
    }
}
