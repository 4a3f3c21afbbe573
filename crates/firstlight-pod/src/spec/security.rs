//! What a container's processes may do (section 1.23).

/// What the container's processes may do, pod-level values merged in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// `runAsUser`.
    pub user: Option<u32>,
    /// `runAsGroup`.
    pub group: Option<u32>,
    /// `runAsNonRoot`: refuse to start as uid 0 (SEC-2).
    pub non_root: bool,
    /// `supplementalGroups` and `fsGroup`.
    pub groups: Vec<u32>,
    /// Capabilities added to the default set, without `CAP_`; `ALL` means all.
    pub add_capabilities: Vec<String>,
    /// Capabilities dropped; `ALL` means all.
    pub drop_capabilities: Vec<String>,
    /// All powers of the host's root. Refused unless the engine allows it.
    pub privileged: bool,
    /// The root filesystem cannot be written.
    pub read_only_root: bool,
    /// `allowPrivilegeEscalation: false`.
    pub no_new_privs: bool,
    /// The system call filter.
    pub seccomp: Seccomp,
}

/// The system call filter of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Seccomp {
    /// The runtime's default list. Firstlight uses it where Kubernetes says nothing: safe by default.
    #[default]
    RuntimeDefault,
    /// No filter, asked for by name.
    Unconfined,
}
