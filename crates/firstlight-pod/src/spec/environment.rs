//! The variables of a container, before they are put together (section 1.20).

use super::{FieldRef, FileRef, ResourceRef, SourceRef};

/// One `envFrom` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFrom {
    /// Where the keys come from.
    pub source: SourceRef,
    /// Prepended to every key.
    pub prefix: String,
    /// Whether the source may be missing.
    pub optional: bool,
}

/// One `env` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// The variable's name.
    pub name: String,
    /// Where its value comes from.
    pub value: EnvValue,
}

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Literal text with `$(NAME)` references (ENV-2).
    Text(String),
    /// A key of a ConfigMap or Secret.
    Key {
        /// Which object.
        source: SourceRef,
        /// Which key.
        key: String,
        /// Whether object and key may be missing.
        optional: bool,
    },
    /// A field of the pod.
    Field(FieldRef),
    /// A resource of a container.
    Resource(ResourceRef),
    /// A variable of a file in a volume of the pod, read at each start (ENV-11).
    File(FileRef),
}
