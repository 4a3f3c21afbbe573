//! What to do, and why.

use crate::draft::Draft;
use crate::event::{Hook, Instance, ProbeKind, StopReason};
use crate::spec::{Handler, HostPathType, Identity, Mount, PullPolicy, Resources, Security};
use crate::time::Millis;
use std::collections::BTreeMap;

/// One thing to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub what: Do,
    /// Why: what users read in `firstlight why`.
    pub why: Why,
}

/// What can be done. Every variant is safe to repeat: doing again what is done or under way changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Do {
    /// Make every volume of the pod, or bring file volumes up to date as one atomic change each. Answered by
    /// `VolumesReady` or `VolumesFailed`.
    PrepareVolumes {
        /// All volumes of the pod.
        volumes: Vec<VolumeSetup>,
        /// The group that owns volumes which obey `fsGroup`.
        fs_group: Option<u32>,
    },
    /// Make the sandbox: namespaces, address, `/etc/hosts`, `/etc/resolv.conf`, the process that owns the
    /// containers. Answered by `SandboxReady` or `SandboxFailed`; later perhaps `SandboxGone`.
    CreateSandbox {
        /// Which generation.
        attempt: u32,
        /// Names and DNS.
        identity: Identity,
        /// Kernel parameters.
        sysctls: BTreeMap<String, String>,
        /// Whether its containers see each other's processes (SEC-8).
        share_processes: bool,
    },
    /// Have the image here. Answered by `ImageReady` or `ImageFailed`.
    Pull {
        /// For whom.
        instance: Instance,
        /// Reference as written in the spec.
        image: String,
        /// When to pull.
        policy: PullPolicy,
        /// Registry credentials: `.dockerconfigjson` contents in order, to be tried where they match.
        credentials: Vec<Vec<u8>>,
    },
    /// Create the container. Answered by `Created`, `StartFailed` or, if `ahead`, `NotAhead`.
    Create {
        /// Which.
        instance: Instance,
        /// In which sandbox.
        sandbox: u32,
        /// With what.
        launch: Box<Launch>,
        /// Before its turn: only if the image is already here; never a reason to pull.
        ahead: bool,
    },
    /// Remove a created container that must not run as it is. Answered by `Discarded`.
    Discard {
        /// Which.
        instance: Instance,
    },
    /// Start the created container. Answered by `Started` (and later `Exited`) or `StartFailed`.
    Start {
        /// Which.
        instance: Instance,
    },
    /// Run a hook. Answered by `HookDone`.
    Hook {
        /// Whose.
        instance: Instance,
        /// Which.
        hook: Hook,
        /// What to run.
        handler: Handler,
        /// The longest it may take, if bounded.
        timeout: Option<Millis>,
    },
    /// Try a probe once. Answered by `Probed`.
    Probe {
        /// Whose.
        instance: Instance,
        /// Which.
        probe: ProbeKind,
        /// What to ask.
        handler: Handler,
        /// The longest one try may take.
        timeout: Millis,
    },
    /// Write down that this container is to end although its pod lives on, before anything is done to end it: whatever
    /// ends it from here on, the next engine knows why. Answered by `Retired`, or by `Exited` if it ended before.
    Retire {
        /// Which.
        instance: Instance,
        /// Why.
        reason: StopReason,
    },
    /// Write down that every container of the sandbox is to run again, from the first init step on, before anything is
    /// done to end those that run: what ran until then belongs to an older walk, whichever engine sees its end. Answered
    /// by `RestartAll`.
    RestartAll {
        /// Which walk through the steps of this sandbox begins: 1 for the first that is not the sandbox's own.
        walk: u32,
        /// Whose end asks for it.
        because: Instance,
    },
    /// Send a signal to the container's process. The end is reported by `Exited`.
    Signal {
        /// Which.
        instance: Instance,
        /// Which signal.
        signal: Signal,
    },
    /// End whatever still runs in the sandbox and take it down. Answered by `SandboxGone`.
    RemoveSandbox {
        /// Which generation.
        attempt: u32,
    },
    /// Remove volumes, logs and directories of the pod, and let the API object go. The last action of a pod.
    Forget,
}

/// The signals the pod's life uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The container's stop signal: its own, else the image's `STOPSIGNAL`, else SIGTERM (TRM-5).
    Stop,
    /// SIGKILL, to every process of the container.
    Kill,
}

/// Everything needed to create a container: references resolved, `$(NAME)` expanded (section 1.20).
///
/// The image's entrypoint, environment, user and working directory are merged in by the runtime, which alone
/// knows the image. Equality decides whether a container created ahead is still the one that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Launch {
    /// Reference as written in the spec.
    pub image: String,
    /// Overrides the entrypoint if not empty (ENV-13).
    pub command: Vec<String>,
    /// Overrides the cmd if not empty.
    pub args: Vec<String>,
    /// Final environment, in order, names unique.
    pub env: Vec<(String, String)>,
    /// Overrides the image's working directory.
    pub working_dir: Option<String>,
    /// Mounts, parents first; `sub_path` expanded.
    pub mounts: Vec<Mount>,
    /// Users, capabilities, filter.
    pub security: Security,
    /// Limits.
    pub resources: Resources,
    /// How willing the kernel is to choose it when the machine's memory runs out (RES-7).
    pub oom_score: i32,
    /// The signal that asks it to stop, by name; the image's if it names none.
    pub stop_signal: Option<String>,
    /// Where it may leave a last word.
    pub termination_message_path: String,
    /// MSG-3.
    pub termination_message_from_log: bool,
    /// The container whose processes it shares: it must run.
    pub target: Option<String>,
    /// Keep stdin open.
    pub stdin: bool,
    /// Close stdin after the first attach.
    pub stdin_once: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// What command, arguments, environment and mounts are to be made of, if files of the pod's volumes decide them
    /// (ENV-11): they are empty then, and completed by whoever can read those files.
    pub draft: Option<Box<Draft>>,
}

/// A volume to set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSetup {
    /// Its name in the pod.
    pub name: String,
    /// What to set up.
    pub content: VolumeContent,
}

/// What a volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeContent {
    /// An empty directory, mode 0777, kept if it exists.
    Empty {
        /// On a tmpfs.
        memory: bool,
        /// Size limit in bytes.
        size_limit: Option<u64>,
    },
    /// These files and no others, swapped in atomically (VOL-6).
    Files {
        /// The files.
        files: Vec<VolumeFile>,
        /// Whether they stay in memory.
        memory: bool,
    },
    /// A path of the host.
    Host {
        /// Absolute path.
        path: String,
        /// Check first.
        check: HostPathType,
    },
    /// A directory that outlives the pod, kept under this name until its claim is gone.
    Claim {
        /// The directory's name: never a path.
        directory: String,
        /// Whether a group that owns the root already owns all of it (`fsGroupChangePolicy: OnRootMismatch`, VOL-12).
        trust_root: bool,
    },
    /// The files of an image, read-only.
    Image {
        /// Reference as written in the spec.
        reference: String,
        /// When to pull.
        policy: PullPolicy,
        /// Registry credentials, as for [`Do::Pull`].
        credentials: Vec<Vec<u8>>,
    },
}

/// A file of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeFile {
    /// Relative path; settled, so it neither climbs nor is absolute.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Content.
    pub data: Vec<u8>,
}

/// Why something is done, as a short sentence for people: `init "a" is done`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why(pub String);

impl From<&str> for Why {
    fn from(text: &str) -> Why {
        Why(text.to_owned())
    }
}

impl From<String> for Why {
    fn from(text: String) -> Why {
        Why(text)
    }
}
