//! Making a sandbox: what a new shim does before it takes orders.

use super::holder;
use crate::clock::now;
use crate::container::cgroup::Cgroups;
use crate::journal::Journal;
use crate::layout::SOCKET;
use crate::network::{self, Netlink};
use crate::sys::fork::{Alone, Child};
use crate::sys::namespace;
use crate::wire::{Port, Record, Sandbox, VERSION};
use anyhow::Context;
use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, unmount,
};
use rustix::process::{DumpableBehavior, set_child_subreaper, set_dumpable_behavior, setsid, umask};
use rustix::thread::UnshareFlags;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Size of a pod's shared memory, as containerd makes it.
const SHM_BYTES: &str = "67108864";

/// Kernel parameters every pod gets unless it sets them: what containerd 2 sets, so that `ping` and low ports need
/// no capability.
const SYSCTLS: [(&str, &str); 2] =
    [("net.ipv4.ping_group_range", "0 2147483647"), ("net.ipv4.ip_unprivileged_port_start", "0")];

/// Hierarchies of cgroup v1 that no setting of a container uses. Hidden from the shim's own mount table, the
/// container library leaves them alone: a third of its work on such machines.
const UNUSED_V1: [&str; 6] = ["blkio", "cpuset", "freezer", "net_cls", "net_prio", "perf_event"];

/// A sandbox, up.
#[derive(Debug)]
pub(crate) struct Made {
    /// What it was made from.
    pub(crate) config: Sandbox,
    /// Its journal, with its first two records.
    pub(crate) journal: Journal,
    /// Where engines knock.
    pub(crate) listener: UnixListener,
    /// The machine's cgroups.
    pub(crate) cgroups: Cgroups,
    /// What holds the processes of containers together that share them.
    pub(crate) holder: Option<Child>,
}

/// Makes the sandbox.
///
/// # Errors
/// Whatever the kernel refuses; namespaces and mounts go with this process, the engine removes the rest.
pub(crate) fn make(config: Sandbox) -> anyhow::Result<Made> {
    let mut journal = Journal::begin(&config.dir).context("beginning the journal")?;
    journal.add(Record::Begun {
        version: VERSION,
        pod: config.pod.clone(),
        attempt: config.attempt,
        cgroup: config.cgroup.clone(),
        at: now(),
    })?;
    be_the_parent()?;
    let cgroups = Cgroups::detect()?;
    cgroups.shelter(&shelter(&config)).context("moving into the pod's cgroup")?;
    let mut host = Netlink::open().context("opening netlink")?;
    namespace::unshare(UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS)
        .context("making namespaces")?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC).context("mount propagation")?;
    network::attach(&mut host, &port(&config.port)).context("plugging into the network")?;
    rustix::system::sethostname(config.hostname.as_bytes()).context("setting the host name")?;
    set_sysctls(&config)?;
    hide_unused_hierarchies(&cgroups);
    mount_shm(&config.run).context("mounting shared memory")?;
    let holder = match &config.holder {
        Some(filter) => Some(holder::begin(Alone::check()?, &config.run.join("root"), filter)?),
        None => None,
    };
    let cgroups = Cgroups::detect()?;
    let listener = listen(&config.run).context("listening")?;
    let Port { address, gateway, .. } = &config.port;
    journal.add(Record::Ready { pod_ip: address.to_string(), host_ip: gateway.to_string(), at: now() })?;
    Ok(Made { config, journal, listener, cgroups, holder })
}

/// The cgroup of the shim itself, so that recovery finds whatever it forked before a container had its own.
pub(crate) fn shelter(config: &Sandbox) -> String {
    format!("{}/shim-{}", config.cgroup, config.attempt)
}

/// Its own session; whatever the containers orphan comes to it; nobody reads its memory (S34); and no group of the
/// engine's user reaches a container.
fn be_the_parent() -> anyhow::Result<()> {
    setsid().context("beginning a session")?;
    set_child_subreaper(Some(rustix::process::getpid())).context("adopting orphans")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("closing memory")?;
    rustix::thread::set_thread_groups(&[]).context("leaving groups")?;
    umask(Mode::from_raw_mode(0o022));
    Ok(())
}

fn port(port: &Port) -> network::Port {
    let Port { bridge, name, address, gateway } = port.clone();
    network::Port { bridge, name, address, gateway }
}

fn set_sysctls(config: &Sandbox) -> anyhow::Result<()> {
    let own = config.sysctls.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let defaults = SYSCTLS.into_iter().filter(|(name, _)| !config.sysctls.contains_key(*name));
    for (name, value) in defaults.chain(own) {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        fs::write(path, value).with_context(|| format!("sysctl {name}={value}"))?;
    }
    Ok(())
}

fn hide_unused_hierarchies(cgroups: &Cgroups) {
    if cgroups.unified() {
        return;
    }
    for name in UNUSED_V1 {
        // Not mounted, or mounted together with one that is used: then it stays.
        let _ = unmount(Path::new("/sys/fs/cgroup").join(name), UnmountFlags::DETACH);
    }
}

fn mount_shm(run: &Path) -> anyhow::Result<()> {
    let at = run.join("shm");
    fs::create_dir(&at)?;
    let tmpfs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&tmpfs, "source", "shm")?;
    fsconfig_set_string(&tmpfs, "mode", "1777")?;
    fsconfig_set_string(&tmpfs, "size", SHM_BYTES)?;
    fsconfig_create(&tmpfs)?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(&tmpfs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    move_mount(&mount, "", CWD, &at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    fs::DirBuilder::new().mode(0o700).create(run.join("root"))?;
    Ok(())
}

/// Listens beneath an open directory: a socket's path may be 107 bytes long, a data directory's may be longer.
fn listen(run: &Path) -> anyhow::Result<UnixListener> {
    let dir = open(run, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd());
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
