//! What every API object has: a resource it belongs to, a key, and metadata.
//!
//! Objects stay JSON values, so fields unknown to this version survive every write.

use serde_json::Value;

/// A resource by group and plural name. Each served resource has one version, so it is not part of the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural, lower case: `pods`.
    pub plural: &'static str,
}

/// Where an object is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which resource.
    pub resource: Resource,
    /// Empty for cluster-scoped resources.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Key {
    /// A key.
    pub fn new(resource: Resource, namespace: impl Into<String>, name: impl Into<String>) -> Key {
        Key { resource, namespace: namespace.into(), name: name.into() }
    }
}

/// The served resources, by name, for code that means one of them.
pub mod resources {
    use super::Resource;
    /// v1 Namespace
    pub const NAMESPACES: Resource = Resource { group: "", plural: "namespaces" };
    /// v1 Node
    pub const NODES: Resource = Resource { group: "", plural: "nodes" };
    /// v1 Pod
    pub const PODS: Resource = Resource { group: "", plural: "pods" };
    /// v1 ConfigMap
    pub const CONFIGMAPS: Resource = Resource { group: "", plural: "configmaps" };
    /// v1 Secret
    pub const SECRETS: Resource = Resource { group: "", plural: "secrets" };
    /// v1 Service
    pub const SERVICES: Resource = Resource { group: "", plural: "services" };
    /// v1 Event; events.k8s.io/v1 is a second view of the same storage
    pub const EVENTS: Resource = Resource { group: "", plural: "events" };
    /// v1 ServiceAccount
    pub const SERVICEACCOUNTS: Resource = Resource { group: "", plural: "serviceaccounts" };
    /// v1 PersistentVolumeClaim
    pub const PERSISTENTVOLUMECLAIMS: Resource = Resource { group: "", plural: "persistentvolumeclaims" };
    /// discovery.k8s.io/v1 EndpointSlice
    pub const ENDPOINTSLICES: Resource = Resource { group: "discovery.k8s.io", plural: "endpointslices" };
    /// coordination.k8s.io/v1 Lease
    pub const LEASES: Resource = Resource { group: "coordination.k8s.io", plural: "leases" };
    /// apps/v1 StatefulSet
    pub const STATEFULSETS: Resource = Resource { group: "apps", plural: "statefulsets" };
    /// apps/v1 ControllerRevision
    pub const CONTROLLERREVISIONS: Resource = Resource { group: "apps", plural: "controllerrevisions" };
    /// Every served resource.
    pub const ALL: [Resource; 13] = [
        NAMESPACES,
        NODES,
        PODS,
        CONFIGMAPS,
        SECRETS,
        SERVICES,
        EVENTS,
        SERVICEACCOUNTS,
        PERSISTENTVOLUMECLAIMS,
        ENDPOINTSLICES,
        LEASES,
        STATEFULSETS,
        CONTROLLERREVISIONS,
    ];
}

/// Text at a path of an object, or empty: `text(pod, &["metadata", "uid"])`.
#[must_use]
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or("")
}

/// The value at a path of an object.
#[must_use]
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |v, key| v.get(key))
}
