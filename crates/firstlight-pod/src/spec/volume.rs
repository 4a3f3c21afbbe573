//! Volumes and where they appear (section 1.21).

use super::{FieldRef, PullPolicy, ResourceRef, SourceRef};

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Unique in the pod.
    pub name: String,
    /// What it is.
    pub kind: VolumeKind,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeKind {
    /// A directory that lives as long as the pod.
    EmptyDir {
        /// On a tmpfs.
        memory: bool,
        /// How much it may hold.
        size_limit: Option<SizeLimit>,
    },
    /// Files made from ConfigMaps, Secrets and pod fields, replaced as a whole (VOL-6).
    Files {
        /// Where the files come from, in order; later ones win.
        projections: Vec<Projection>,
        /// Mode of files that name none.
        default_mode: u32,
        /// Whether the files stay in memory (secrets).
        memory: bool,
    },
    /// A path of the host. Refused unless the engine allows it.
    HostPath {
        /// Absolute path on the host.
        path: String,
        /// The check asked for by `type`.
        check: HostPathType,
    },
    /// What a PersistentVolumeClaim of the pod's namespace stands for (VOL-11).
    Claim {
        /// The claim's name.
        name: String,
        /// Whether no container may write to it.
        read_only: bool,
        /// `fsGroupChangePolicy: OnRootMismatch`: whether a root that is as `fsGroup` wants it means that all is.
        trust_root: bool,
    },
    /// The files of an image, which nobody can write or execute (VOL-16).
    Image {
        /// Reference as written.
        reference: String,
        /// When to pull.
        pull: PullPolicy,
    },
}

/// How much an `emptyDir` may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeLimit {
    /// In bytes.
    pub bytes: u64,
    /// As Kubernetes writes it: `1Mi`.
    pub text: String,
}

impl VolumeKind {
    /// The sources of a [`VolumeKind::Files`]; none for the others.
    #[must_use]
    pub fn projections(&self) -> &[Projection] {
        match self {
            VolumeKind::Files { projections, .. } => projections,
            VolumeKind::EmptyDir { .. }
            | VolumeKind::HostPath { .. }
            | VolumeKind::Claim { .. }
            | VolumeKind::Image { .. } => &[],
        }
    }
}

/// Part of a [`VolumeKind::Files`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projection {
    /// Keys of a ConfigMap or Secret.
    Source {
        /// Which object.
        source: SourceRef,
        /// Key, relative path and mode; empty means every key under its own name.
        items: Vec<(String, String, Option<u32>)>,
        /// Whether object and keys may be missing.
        optional: bool,
    },
    /// A pod field as a file.
    Field {
        /// Relative path.
        path: String,
        /// Which field.
        field: FieldRef,
        /// Mode, if not the default.
        mode: Option<u32>,
    },
    /// A container's resource as a file.
    Resource {
        /// Relative path.
        path: String,
        /// Which resource.
        resource: ResourceRef,
        /// Mode, if not the default.
        mode: Option<u32>,
    },
}

/// `hostPath.type` (VOL-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostPathType {
    /// No check.
    #[default]
    Unset,
    /// Made if missing, mode 0755.
    DirectoryOrCreate,
    /// Must be a directory.
    Directory,
    /// Made if missing, mode 0644.
    FileOrCreate,
    /// Must be a regular file.
    File,
    /// Must be a socket.
    Socket,
    /// Must be a character device.
    CharDevice,
    /// Must be a block device.
    BlockDevice,
}

/// Where a volume appears in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mount {
    /// The volume's name.
    pub volume: String,
    /// Absolute path in the container.
    pub path: String,
    /// Relative path inside the volume; empty for its root. Resolved when the container is created, hence late.
    pub sub_path: String,
    /// Whether `sub_path` contains `$(NAME)` references (`subPathExpr`).
    pub sub_path_expr: bool,
    /// Mount it read-only.
    pub read_only: bool,
    /// Mount what is mounted below it read-only too (`recursiveReadOnly`); only with `read_only`.
    pub recursive_read_only: bool,
    /// What the host mounts below it later appears in the container (`mountPropagation: HostToContainer`). Nothing
    /// that a container mounts ever reaches the host.
    pub from_host: bool,
}
