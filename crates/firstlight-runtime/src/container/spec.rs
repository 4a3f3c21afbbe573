//! The OCI runtime specification of one container: what the container library is told.
//!
//! Network, IPC and UTS namespaces are not listed: the creator is in the pod's already, and what it creates
//! inherits them. Mounts, masks and read-only paths are those of containerd's CRI plugin; the control groups are
//! shown in the unified layout only, because the library cannot show the others read-only.

use super::limits;
use super::user::User;
use crate::wire::{Limits, Order};
use libcontainer::oci_spec::OciSpecError;
use libcontainer::oci_spec::runtime::{
    Linux, LinuxBuilder, LinuxCpuBuilder, LinuxDeviceCgroupBuilder, LinuxMemoryBuilder, LinuxNamespaceBuilder,
    LinuxNamespaceType, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, Mount, MountBuilder, Process,
    ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};
use rustix::process::Pid;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Hidden: they tell about or act on the whole machine.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Readable, never writable.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What the specification is written from, beside the order.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The order.
    pub(crate) order: &'a Order,
    /// The first process of the container whose processes it shares.
    pub(crate) target: Option<Pid>,
    /// Where the root filesystem is mounted.
    pub(crate) root: &'a Path,
    /// Who it runs as.
    pub(crate) user: &'a User,
    /// The container's cgroup.
    pub(crate) cgroup: &'a str,
    /// Bind mounts, in order: volumes and the pod's own files.
    pub(crate) binds: &'a [Bind],
    /// Which controllers there are.
    pub(crate) controllers: Controllers,
}

/// A bind mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    /// On the host.
    pub(crate) source: PathBuf,
    /// In the container, free of links.
    pub(crate) destination: PathBuf,
    /// Whether it can be written.
    pub(crate) access: Access,
}

/// Whether a mount can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It can.
    Write,
    /// It cannot; what is mounted below it can.
    Read,
    /// Neither can.
    ReadAll,
}

impl Access {
    /// Reading alone if `read_only`.
    pub(crate) fn of(read_only: bool) -> Access {
        if read_only { Access::Read } else { Access::Write }
    }
}

/// Which cgroup controllers there are: a limit on one that is missing would refuse the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Controllers {
    /// One unified hierarchy.
    pub(crate) unified: bool,
    /// `memory`
    pub(crate) memory: bool,
    /// `cpu`
    pub(crate) cpu: bool,
    /// `pids`
    pub(crate) pids: bool,
    /// Memory limits that count swap.
    pub(crate) swap: bool,
}

/// The specification.
///
/// # Errors
/// A capability the library does not know, or the builder's own complaint.
pub(crate) fn build(parts: &Parts<'_>) -> Result<Spec, OciSpecError> {
    let mut spec = SpecBuilder::default()
        .version("1.2.0")
        .root(RootBuilder::default().path(parts.root).readonly(parts.order.root.read_only).build()?)
        .process(process(parts)?)
        .mounts(mounts(parts)?)
        .linux(linux(parts)?)
        .build()?;
    // The builder's default is a name of the library's own; the pod's is set already.
    spec.set_hostname(None);
    Ok(spec)
}

/// Only what the library itself needs. The program, its arguments and its environment are our executor's business,
/// and so is what it gives up: user, capabilities, no-new-privileges and filter.
fn process(parts: &Parts<'_>) -> Result<Process, OciSpecError> {
    let order = parts.order;
    // Without HOME the library would ask the C library, which would load name services from inside the image.
    let env = vec![format!("HOME={}", parts.user.home), format!("PATH={}", crate::sys::exec::DEFAULT_PATH)];
    let mut process = ProcessBuilder::default()
        .terminal(order.tty)
        .user(UserBuilder::default().uid(0_u32).gid(0_u32).build()?)
        .args(order.args.clone())
        .env(env)
        .cwd(&order.cwd)
        .build()?;
    // The builder's defaults would be applied.
    process.set_capabilities(None);
    process.set_no_new_privileges(None);
    process.set_rlimits(None);
    Ok(process)
}

fn mounts(parts: &Parts<'_>) -> Result<Vec<Mount>, OciSpecError> {
    let sys = if parts.order.privileged { "rw" } else { "ro" };
    let mut mounts = vec![
        mount("proc", "proc", "/proc", &["nosuid", "noexec", "nodev"])?,
        mount("tmpfs", "tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"])?,
        mount(
            "devpts",
            "devpts",
            "/dev/pts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        )?,
        mount("mqueue", "mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"])?,
        mount("sysfs", "sysfs", "/sys", &["nosuid", "noexec", "nodev", sys])?,
    ];
    if parts.controllers.unified {
        mounts.push(mount("cgroup", "cgroup", "/sys/fs/cgroup", &["nosuid", "noexec", "nodev", "relatime", sys])?);
    }
    for bind in parts.binds {
        mounts.push(bound(bind)?);
    }
    Ok(mounts)
}

fn mount(kind: &str, source: &str, destination: &str, options: &[&str]) -> Result<Mount, OciSpecError> {
    MountBuilder::default()
        .typ(kind)
        .source(source)
        .destination(destination)
        .options(options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>())
        .build()
}

fn bound(bind: &Bind) -> Result<Mount, OciSpecError> {
    let access = match bind.access {
        Access::Write => "rw",
        Access::Read => "ro",
        Access::ReadAll => "rro",
    };
    MountBuilder::default()
        .typ("bind")
        .source(&bind.source)
        .destination(&bind.destination)
        .options(vec!["rbind".to_owned(), access.to_owned()])
        .build()
}

fn linux(parts: &Parts<'_>) -> Result<Linux, OciSpecError> {
    let mut processes = LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::Pid);
    if let Some(target) = parts.target {
        processes = processes.path(format!("/proc/{target}/ns/pid"));
    }
    let own = [LinuxNamespaceType::Mount, LinuxNamespaceType::Cgroup];
    let own = own.into_iter().map(|kind| LinuxNamespaceBuilder::default().typ(kind).build());
    let namespaces = std::iter::once(processes.build()).chain(own).collect::<Result<Vec<_>, _>>()?;
    let (masked, read_only) =
        if parts.order.privileged { (Vec::new(), Vec::new()) } else { (owned(&MASKED), owned(&READ_ONLY)) };
    LinuxBuilder::default()
        .namespaces(namespaces)
        .cgroups_path(parts.cgroup)
        .resources(resources(parts)?)
        .masked_paths(masked)
        .readonly_paths(read_only)
        .build()
}

fn resources(parts: &Parts<'_>) -> Result<LinuxResources, OciSpecError> {
    let Limits { memory, cpu_shares, cpu_quota_us, oom_score_adj: _ } = parts.order.limits;
    let Controllers { unified, memory: counts_memory, cpu, pids, swap } = parts.controllers;
    // The library adds the devices every container has after this rule.
    let devices = LinuxDeviceCgroupBuilder::default().allow(parts.order.privileged).access("rwm").build()?;
    let mut resources = LinuxResourcesBuilder::default().devices(vec![devices]);
    if pids {
        resources = resources.pids(LinuxPidsBuilder::default().limit(limits::PIDS).build()?);
    }
    if let Some(limit) = memory {
        let mut memory = LinuxMemoryBuilder::default().limit(limit);
        if swap {
            memory = memory.swap(limit);
        }
        resources = resources.memory(memory.build()?);
    }
    if unified && counts_memory {
        // RES-10: out of memory, all of the container's processes end, not one of them.
        resources = resources.unified(HashMap::from([("memory.oom.group".to_owned(), "1".to_owned())]));
    }
    if cpu || cpu_quota_us.is_some() {
        let mut shares = LinuxCpuBuilder::default();
        if let Some(weight) = cpu_shares {
            shares = shares.shares(weight);
        }
        if let Some(quota) = cpu_quota_us {
            shares = shares.quota(quota).period(limits::CPU_PERIOD_US);
        }
        resources = resources.cpu(shares.build()?);
    }
    resources.build()
}

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|p| (*p).to_owned()).collect()
}

#[cfg(test)]
mod tests;
