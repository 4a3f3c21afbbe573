//! Which capabilities does a container get? Pure.

use firstlight_pod::spec::Security;
use std::collections::BTreeSet;

/// What a container gets if it says nothing: the fourteen of Docker and containerd without `NET_RAW`, which CRI-O
/// and Podman dropped too (S16); `ping` works without it, because the sandbox allows unprivileged ICMP sockets.
const DEFAULT: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    MKNOD,
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Making device nodes is harmless only where a device controller decides who may open them.
const MKNOD: &str = "MKNOD";

/// Every capability of Linux 6.x in the order of its numbers (`include/uapi/linux/capability.h`).
const NUMBERED: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The capability set of a container, with `CAP_`, in order.
///
/// Kubernetes' rules: `drop: [ALL]` empties the default set first, `add: [ALL]` fills it, then single names are
/// dropped and added. `guarded_devices` says whether a device controller holds for containers here.
///
/// # Errors
/// A name that is no capability, or `MKNOD` asked for by name where nothing guards devices.
pub(crate) fn of(security: &Security, guarded_devices: bool) -> Result<Vec<String>, String> {
    if security.privileged {
        return Ok(written(&BTreeSet::from(NUMBERED)));
    }
    let add = names(&security.add_capabilities)?;
    let drop = names(&security.drop_capabilities)?;
    let mut set: BTreeSet<&str> = if drop.contains("ALL") { BTreeSet::new() } else { BTreeSet::from(DEFAULT) };
    if add.contains("ALL") {
        set.extend(NUMBERED);
    }
    if !guarded_devices {
        if add.contains(MKNOD) {
            return Err("securityContext.capabilities.add: MKNOD is refused: this machine has cgroup v2 only, where \
                        no device controller is set up yet, so the container could read every disk"
                .to_owned());
        }
        set.remove(MKNOD);
    }
    set.retain(|name| !drop.contains(name));
    set.extend(add.iter().filter(|name| **name != "ALL"));
    Ok(written(&set))
}

/// Those of `capabilities` that this process has to give: an engine that runs with less passes on less, it does not
/// fail.
///
/// # Errors
/// What the kernel answers.
pub(crate) fn held(capabilities: &[String]) -> std::io::Result<Vec<String>> {
    let own = rustix::thread::capabilities(None)?.permitted;
    let has = |name: &&String| bit(name).is_none_or(|bit| own.bits() & bit != 0);
    Ok(capabilities.iter().filter(has).cloned().collect())
}

/// The bit of a capability in the kernel's sets, by name with `CAP_`.
pub(crate) fn bit(name: &str) -> Option<u64> {
    let name = name.strip_prefix("CAP_").unwrap_or(name);
    NUMBERED.iter().position(|known| *known == name).map(|number| 1 << number)
}

fn names(asked: &[String]) -> Result<BTreeSet<&'static str>, String> {
    asked.iter().map(|name| known(name)).collect()
}

fn known(name: &str) -> Result<&'static str, String> {
    let upper = name.to_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if bare == "ALL" {
        return Ok("ALL");
    }
    NUMBERED.into_iter().find(|known| *known == bare).ok_or_else(|| {
        format!("securityContext.capabilities: no capability named {name:?}; names are written as in NET_ADMIN")
    })
}

fn written(set: &BTreeSet<&str>) -> Vec<String> {
    set.iter().map(|name| format!("CAP_{name}")).collect()
}

#[cfg(test)]
mod tests;
