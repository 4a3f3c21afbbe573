//! Making a sandbox, as far as the engine does it: directories, the files of `/etc`, the address, the process.

use super::descriptors;
use super::link::Link;
use super::machine::Machine;
use crate::network::{self, identity};
use crate::shim::VERB;
use crate::wire::{Port, Sandbox, VERSION};
use anyhow::Context;
use firstlight_pod::PodId;
use firstlight_pod::spec::Identity;
use rustix::fd::OwnedFd;
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A sandbox this engine has to do with.
#[derive(Debug)]
pub(crate) struct Live {
    /// Which generation.
    pub(crate) attempt: u32,
    /// [`VERSION`] of its shim.
    pub(crate) version: u32,
    /// The connection to its shim.
    pub(crate) link: Link,
    /// Its shim, if this engine spawned it and so must wait for it.
    pub(crate) child: Option<Child>,
    /// The kernel's host name in it.
    pub(crate) hostname: String,
    /// How many of its journal's records were told to the worker.
    pub(crate) told: usize,
    /// How many of those a new connection tells again.
    pub(crate) skip: usize,
}

/// What a sandbox is asked to be.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Which generation.
    pub(crate) attempt: u32,
    /// Names and DNS.
    pub(crate) identity: Identity,
    /// Kernel parameters.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// Whether its containers see each other's processes.
    pub(crate) share_processes: bool,
}

/// Writes down whose directory this is, before anything else is put there.
///
/// # Errors
/// What the kernel answers.
pub(crate) fn claim_directory(machine: &Machine, pod: &PodId) -> std::io::Result<()> {
    let dir = machine.layout.pod(&pod.uid);
    private(&dir)?;
    let file = machine.layout.pod_file(&pod.uid);
    if file.exists() {
        return Ok(());
    }
    let PodId { namespace, name, uid } = pod;
    let text = serde_json::json!({ "namespace": namespace, "name": name, "uid": uid }).to_string();
    let partial = dir.join("pod.json.new");
    fs::write(&partial, text)?;
    fs::rename(partial, file)
}

/// Spawns a shim for the sandbox and tells it what to make. What comes of it, the shim tells.
///
/// # Errors
/// If no address is free, or directories or the process cannot be had. What was made is removed.
pub(crate) async fn spawn(machine: &Machine, pod: &PodId, wanted: Wanted) -> anyhow::Result<Live> {
    let attempt = wanted.attempt;
    let sealed = machine.sealed().await.context("copying the program for pods")?.try_clone()?;
    let address = machine.take_address(&pod.uid, attempt)?;
    let port = Port {
        bridge: machine.bridge.name.clone(),
        name: network::interface_name(&pod.uid, attempt),
        address,
        gateway: machine.bridge.address,
    };
    let hostname = identity::hostname(&wanted.identity).to_owned();
    let order = Sandbox {
        version: VERSION,
        pod: pod.clone(),
        attempt,
        pod_dir: machine.layout.pod(&pod.uid),
        dir: machine.layout.sandbox(&pod.uid, attempt),
        run: machine.layout.sandbox_run(&pod.uid, attempt),
        cgroup: machine.pod_cgroup(&pod.uid),
        hostname: hostname.clone(),
        sysctls: wanted.sysctls,
        port,
        holder: wanted.share_processes.then(|| machine.filters.of(&[])).transpose()?,
    };
    claim_directory(machine, pod)?;
    prepare(machine, &order, &wanted.identity)?;
    let (socket, child) = exec(&order, &sealed)?;
    let mut link = Link::new(socket)?;
    link.send(&order, Vec::new()).await?;
    Ok(Live { attempt, version: VERSION, link, child: Some(child), hostname, told: 0, skip: 0 })
}

fn prepare(machine: &Machine, order: &Sandbox, names: &Identity) -> anyhow::Result<()> {
    private(&order.dir).context("making the sandbox's directory")?;
    private(&order.run).context("making the sandbox's directory")?;
    let etc = order.dir.join("etc");
    fs::create_dir_all(&etc)?;
    let Port { address, gateway, .. } = order.port;
    let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let resolv = identity::resolv_conf(names, &order.pod.namespace, &machine.network.domain, gateway, &host);
    fs::write(etc.join("hosts"), identity::hosts_file(names, address.into()))?;
    fs::write(etc.join("hostname"), identity::hostname_file(names))?;
    fs::write(etc.join("resolv.conf"), resolv)?;
    Ok(())
}

/// The shim inherits a socket, a file for last words, and nothing of the environment.
fn exec(order: &Sandbox, sealed: &OwnedFd) -> anyhow::Result<(UnixStream, Child)> {
    let (ours, theirs) = UnixStream::pair()?;
    let words = File::create(order.run.join("shim.log"))?;
    let child = Command::new(format!("/proc/self/fd/{}", sealed.as_raw_fd()))
        .arg0("firstlight")
        .arg(VERB)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(words)
        .spawn()
        .context("spawning the pod's process")?;
    // Before it is told to make anything: what it makes inherits it.
    descriptors::give(Pid::from_child(&child)).context("limiting the pod's descriptors")?;
    Ok((ours, child))
}

fn private(dir: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
