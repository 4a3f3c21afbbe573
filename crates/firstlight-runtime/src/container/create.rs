//! Creating one container: the life of a creator, a short-lived fork of the shim.
//!
//! The creator works in a mount namespace of its own, so that what it mounts for one container is seen by that
//! container alone and goes when it goes. The container's first process becomes the shim's child (`as_sibling`)
//! and waits, everything set up, until it is told to run its program.

use super::capabilities;
use super::cgroup::Cgroups;
use super::confine::{Identity, confine};
use super::root::{DetachedRoot, Kind, Overlay};
use super::spec::{self, Access, Bind, Controllers, Parts};
use super::user::{self, User};
use crate::sys::exec::Program;
use crate::sys::namespace;
use crate::volumes;
use crate::wire::{Inbox, Order, OrderMount, Outbox};
use anyhow::{Context, bail};
use firstlight_pod::event::StartFailure;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::notify_socket::{NOTIFY_FILE, NotifySocket};
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, open};
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_change, move_mount, open_tree};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The library's name for the one container whose state is in a directory.
const LIBRARY_ID: &str = "c";

/// The socket by which the library sends a container's terminal, in its volatile directory.
const CONSOLE_SOCKET: &str = "console.sock";

/// Where things of one container are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The pod's directory: its volumes are there.
    pub(crate) pod_dir: PathBuf,
    /// Its durable directory: specification, writable layer, termination message.
    pub(crate) dir: PathBuf,
    /// Its volatile directory: the library's state, the start socket.
    pub(crate) run: PathBuf,
    /// A directory to mount its root at; each creator sees only its own mount there.
    pub(crate) root: PathBuf,
    /// The pod's `/etc` files.
    pub(crate) etc: PathBuf,
    /// The pod's shared memory.
    pub(crate) shm: PathBuf,
    /// Its cgroup.
    pub(crate) cgroup: String,
}

impl Places {
    /// The file behind the container's termination message path.
    pub(crate) fn termination_log(&self) -> PathBuf {
        self.dir.join("termination-log")
    }

    /// Lets the created container go on to its program.
    ///
    /// # Errors
    /// If its first process does not listen.
    pub(crate) fn notify_start(&self) -> anyhow::Result<()> {
        Ok(NotifySocket::new(self.run.join(LIBRARY_ID).join(NOTIFY_FILE)).notify_container_start()?)
    }
}

/// The container's ends of its streams.
#[derive(Debug)]
pub(crate) enum Streams {
    /// Pipes, or `/dev/null` for stdin.
    Pipes {
        /// Standard input.
        stdin: OwnedFd,
        /// Standard output.
        stdout: OwnedFd,
        /// Standard error.
        stderr: OwnedFd,
    },
    /// A terminal, which the library makes inside the container.
    Terminal,
}

/// What a creator tells the shim.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// It is created. The terminal's other end, if it has one, comes with this.
    Made {
        /// Its first process, as the shim sees it.
        pid: i32,
        /// Who it runs as.
        user: User,
        /// The capabilities it has.
        capabilities: Vec<String>,
    },
    /// It is not.
    Failed {
        /// Which step.
        #[serde(with = "crate::wire::StartFailureDef")]
        failure: StartFailure,
        /// Why.
        message: String,
    },
}

/// Creates the container and reports through `report`. The body of a creator: call it in a fork, then exit.
///
/// `gate` is held by the container's first process until its program runs; if the program cannot be executed, the
/// reason is written to it.
pub(crate) fn create(
    order: &Order,
    places: &Places,
    target: Option<Pid>,
    cgroups: &Cgroups,
    streams: Streams,
    gate: OwnedFd,
    report: BorrowedFd<'_>,
) -> i32 {
    let (told, fds) = match make(order, places, target, cgroups, streams, gate) {
        Ok((told, terminal)) => (told, terminal.into_iter().collect()),
        Err(error) => (Report::Failed { failure: StartFailure::Create, message: format!("{error:#}") }, Vec::new()),
    };
    let mut outbox = Outbox::default();
    outbox.push(&told, fds);
    i32::from(outbox.flush(report).is_err())
}

fn make(
    order: &Order,
    places: &Places,
    target: Option<Pid>,
    cgroups: &Cgroups,
    streams: Streams,
    gate: OwnedFd,
) -> anyhow::Result<(Report, Option<OwnedFd>)> {
    namespace::unshare(UnshareFlags::NEWNS).context("mount namespace")?;
    // What is mounted for one container must not travel back to the sandbox.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC).context("mount propagation")?;
    // A score below this process's own takes a power that an engine may lack; its containers then have its own (RES-7).
    let _ = std::fs::write("/proc/self/oom_score_adj", order.limits.oom_score_adj.to_string());

    let overlay = Overlay { layers: &order.root.layers, masks: &order.root.masks, dir: &places.dir };
    let root = DetachedRoot::make(&overlay)?;
    let user = user::resolve(root.fd(), &order.user)?;
    let binds = binds(order, places, &root)?;
    make_cwd(order, places, &root)?;
    root.attach(&places.root).with_context(|| format!("mounting the root at {}", places.root.display()))?;

    let identity = Identity { user, capabilities: capabilities::held(&order.capabilities)? };
    let controllers = Controllers {
        unified: cgroups.unified(),
        memory: cgroups.has("memory"),
        cpu: cgroups.has("cpu"),
        pids: cgroups.has("pids"),
        swap: cgroups.counts_swap(),
    };
    let parts = Parts {
        order,
        target,
        root: &places.root,
        user: &identity.user,
        cgroup: &places.cgroup,
        binds: &binds,
        controllers,
    };
    let spec = spec::build(&parts)?;
    spec.save(places.dir.join("config.json"))?;
    let program = Program::new(&order.args, &environment(order, &identity.user))?;
    let launch = Launch { order: order.clone(), identity: identity.clone(), program, gate };
    let (pid, terminal) = run_library(places, streams, Launcher(Arc::new(launch)))?;
    let Identity { user, capabilities } = identity;
    Ok((Report::Made { pid, user, capabilities }, terminal))
}

/// The environment as the program gets it.
pub(crate) fn environment(order: &Order, user: &User) -> Vec<(String, String)> {
    let mut env = order.env.clone();
    if !env.iter().any(|(name, _)| name == "HOME") {
        env.push(("HOME".to_owned(), user.home.clone()));
    }
    env
}

/// Everything bound into the container, destinations made and freed of links.
fn binds(order: &Order, places: &Places, root: &DetachedRoot) -> anyhow::Result<Vec<Bind>> {
    let access = Access::of(order.root.read_only);
    let mut binds = vec![Bind { source: places.shm.clone(), destination: "/dev/shm".into(), access: Access::Write }];
    for name in ["hosts", "hostname", "resolv.conf"] {
        let destination = Path::new("/etc").join(name);
        binds.push(Bind { source: places.etc.join(name), destination, access });
    }
    if !order.termination_path.is_empty() {
        let source = places.termination_log();
        let destination = root.destination(&order.termination_path, Kind::File)?;
        binds.push(Bind { source, destination, access: Access::Write });
    }
    for (index, mount) in order.mounts.iter().enumerate() {
        let source = volume_source(mount, places, index).with_context(|| format!("mounting {}", mount.path))?;
        let kind = if source.is_dir() { Kind::Directory } else { Kind::File };
        let destination = root.destination(&mount.path, kind)?;
        // The pod's own file gives way to a volume mounted in its place, as in the kubelet.
        binds.retain(|b| b.destination != destination);
        let access = match mount.recursive_read_only {
            true => Access::ReadAll,
            false => Access::of(mount.read_only || volumes::is_read_only(&places.pod_dir, &mount.volume)),
        };
        binds.push(Bind { source, destination, access });
    }
    Ok(binds)
}

/// A place of our own where the mount of what a volume (or a part of it) is stands: the library binds by name, and
/// in a volume a name can mean something else a moment later (S8).
fn volume_source(mount: &OrderMount, places: &Places, index: usize) -> anyhow::Result<PathBuf> {
    let volume = volumes::open(&places.pod_dir, &mount.volume)?;
    let target = match mount.sub_path.as_str() {
        "" => volume,
        sub_path => volumes::open_sub_path(volume.as_fd(), sub_path)?,
    };
    let at = places.run.join(format!("volume-{index}"));
    if FileType::from_raw_mode(fstat(&target)?.st_mode).is_dir() {
        std::fs::create_dir(&at)?;
    } else {
        std::fs::File::create_new(&at)?;
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(&target, "", flags)?;
    move_mount(&tree, "", CWD, &at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    // It receives from the host by inheritance; the library changes neither. Unless that is asked for, it ends here.
    if !mount.from_host {
        mount_change(&at, MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    }
    Ok(at)
}

/// Makes the working directory if it is missing, as containerd's runtime does: in the volume it is in, or in the
/// root.
fn make_cwd(order: &Order, places: &Places, root: &DetachedRoot) -> anyhow::Result<()> {
    let cwd = Path::new(&order.cwd);
    if cwd.components().any(|c| c == Component::ParentDir) || !cwd.is_absolute() {
        bail!("the working directory {:?} must be an absolute path without '..'", order.cwd);
    }
    let inside = order.mounts.iter().filter(|m| cwd.starts_with(&m.path)).max_by_key(|m| m.path.len());
    match inside {
        Some(mount) if mount.read_only || volumes::is_read_only(&places.pod_dir, &mount.volume) => Ok(()),
        Some(mount) => {
            let path = Path::new(&mount.sub_path).join(cwd.strip_prefix(&mount.path)?);
            if path.as_os_str().is_empty() {
                return Ok(());
            }
            let volume = volumes::open(&places.pod_dir, &mount.volume)?;
            volumes::open_sub_path(volume.as_fd(), &path.to_string_lossy())?;
            Ok(())
        }
        None if ["/proc", "/dev", "/sys"].iter().any(|own| cwd.starts_with(own)) || cwd == Path::new("/") => Ok(()),
        None => {
            root.destination(&order.cwd, Kind::Directory)?;
            Ok(())
        }
    }
}

fn run_library(places: &Places, streams: Streams, launcher: Launcher) -> anyhow::Result<(i32, Option<OwnedFd>)> {
    let mut builder =
        ContainerBuilder::new(LIBRARY_ID.to_owned(), SyscallType::default()).with_root_path(&places.run)?;
    let console = match streams {
        Streams::Pipes { stdin, stdout, stderr } => {
            builder = builder.with_stdin(stdin).with_stdout(stdout).with_stderr(stderr);
            None
        }
        Streams::Terminal => {
            let listener = listen_for_terminal(&places.run)?;
            builder = builder.with_console_socket(Some(places.run.join(CONSOLE_SOCKET)));
            Some(listener)
        }
    };
    let container = builder
        .with_executor(launcher)
        .as_init(&places.dir)
        .as_sibling(true)
        .with_systemd(false)
        .with_detach(true)
        .build()
        .map_err(|error| anyhow::anyhow!("{}", chain(&error)))?;
    let pid = container.pid().context("the library created no process")?.as_raw();
    let terminal = console.map(|listener| receive_terminal(&listener)).transpose()?;
    Ok((pid, terminal))
}

/// The library's error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

/// Listens beneath an open directory: a socket's path may be 107 bytes long, and ours are longer. The library comes by
/// a link of its own, which may be of any length.
fn listen_for_terminal(run: &Path) -> anyhow::Result<UnixListener> {
    let dir = open(run, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(UnixListener::bind(format!("/proc/self/fd/{}/{CONSOLE_SOCKET}", dir.as_raw_fd()))?)
}

fn receive_terminal(listener: &UnixListener) -> anyhow::Result<OwnedFd> {
    let (stream, _): (UnixStream, _) = listener.accept()?;
    let mut inbox = Inbox::default();
    inbox.fill(&stream)?;
    inbox.take_fds().pop().context("the library sent no terminal")
}

/// The last steps of a container's first process, taken when the library asks for them.
#[derive(Debug, Clone)]
struct Launcher(Arc<Launch>);

#[derive(Debug)]
struct Launch {
    order: Order,
    identity: Identity,
    program: Program,
    gate: OwnedFd,
}

impl Executor for Launcher {
    /// Becomes the program.
    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        let Launch { program, gate, .. } = &*self.0;
        let error = program.become_it();
        if let Ok(gate) = gate.try_clone() {
            let _ = std::fs::File::from(gate).write_all(error.to_string().as_bytes());
        }
        Err(ExecutorError::Other(error.to_string()))
    }

    /// Nothing: the program may only come to exist before the start, written by an earlier init.
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }

    /// Gives up what the program must not have, as the last step before the container counts as created. The program's
    /// environment is handed over with it.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        let Launch { order, identity, .. } = &*self.0;
        confine(order, identity).map_err(|error| ExecutorSetEnvsError::Other(format!("{error:#}")))
    }
}
