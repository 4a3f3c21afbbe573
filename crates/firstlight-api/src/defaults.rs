//! What Kubernetes fills in (DEF, IMG-1, PRB-1), so that what is stored says what will happen.
//!
//! The server applies this to every object it is about to store, created or updated, after patches are merged and
//! before validation. Filling in is idempotent: what is there stays. `metadata.namespace` is the server's.
//! Sources: `pkg/apis/{core,apps,discovery}/v1/defaults.go`, and conversions for what they do on the way in.
//!
//! | file | what it fills in |
//! | --- | --- |
//! | `fields/canonical.rs` | one way of writing, first: quantities as canonical text, `null` as absence |
//! | `defaults/pod.rs` | Pods and pod templates |
//! | `defaults/kinds.rs` | Service, StatefulSet, Secret, Namespace, EndpointSlice, PersistentVolumeClaim |

mod kinds;
mod pod;

use crate::fields::canonical;
use crate::object::resources;
use crate::schema::Kind;
use crate::view::Fill;
use serde_json::Value;

/// Fills in what `object`, of this kind, leaves open. Total: what has the wrong type is left for validation.
pub fn apply(kind: &Kind, object: &mut Value) {
    canonical(kind.ty, object);
    match kind.resource {
        resources::PODS => pod::apply(object),
        resources::SERVICES => kinds::service(object),
        resources::STATEFULSETS => kinds::stateful_set(object),
        resources::SECRETS => kinds::secret(object),
        resources::PERSISTENTVOLUMECLAIMS => kinds::claim(object),
        resources::NAMESPACES => kinds::namespace(object),
        resources::ENDPOINTSLICES => kinds::endpoint_slice(object),
        // The other kinds have nothing to fill in.
        _ => {}
    }
}

/// Fills in what a pod template leaves open: what [`apply`] does for a Pod, less what only a Pod gets.
fn template(holder: &mut Value) {
    if let Some(spec) = holder.nested("template").and_then(|template| template.nested("spec")) {
        pod::spec(spec);
    }
}

#[cfg(test)]
mod tests;
