//! What variables and volumes name: other objects, the pod's own fields and resources, and files in its volumes.

/// An object of the pod's namespace that the pod needs something of, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceRef {
    /// A ConfigMap.
    ConfigMap(String),
    /// A Secret.
    Secret(String),
    /// A PersistentVolumeClaim. What it holds is, as [`SourceRef::VOLUME`], the name of the directory it is bound to.
    Claim(String),
}

impl SourceRef {
    /// The key of a claim's directory.
    pub const VOLUME: &'static str = "volume";
}

/// A downward API field (ENV-9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldRef {
    /// `metadata.name`
    Name,
    /// `metadata.namespace`
    Namespace,
    /// `metadata.uid`
    Uid,
    /// `metadata.labels['key']`
    Label(String),
    /// `metadata.annotations['key']`
    Annotation(String),
    /// `metadata.labels`, volumes only
    Labels,
    /// `metadata.annotations`, volumes only
    Annotations,
    /// `spec.nodeName`
    NodeName,
    /// `spec.serviceAccountName`
    ServiceAccountName,
    /// `status.hostIP` and `status.hostIPs`
    HostIp,
    /// `status.podIP` and `status.podIPs`
    PodIp,
}

/// A downward API resource (ENV-10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRef {
    /// Whose resource.
    pub container: String,
    /// `limits.cpu`, `limits.memory`, `requests.cpu`, `requests.memory`, ...
    pub resource: String,
    /// Divisor, in millionths of the base unit so that `1m` cores and `1Mi` bytes are both exact.
    pub divisor_micro: u128,
}

/// A variable of a file in one of the pod's volumes (ENV-11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRef {
    /// The volume, an `emptyDir`; the container need not mount it.
    pub volume: String,
    /// Relative path of the file in it.
    pub path: String,
    /// The variable's name in the file.
    pub key: String,
    /// Whether file and variable may be missing.
    pub optional: bool,
}
