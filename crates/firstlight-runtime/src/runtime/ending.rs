//! Taking down what is left of sandboxes and pods. Blocking; called where nobody waits for it.

use super::machine::Machine;
use crate::journal;
use crate::layout;
use crate::network::{Netlink, detach, interface_name};
use crate::volumes;
use firstlight_pod::event::Instance;
use firstlight_pod::{PodId, garbage};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a shim that said goodbye may take to be gone.
const LINGER: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// Removes all of a sandbox that has ended or never came to be: its processes, if any are left, its cgroups, its
/// interface, its directories. Its address is free after that. The journal of the pod's newest sandbox stays: it tells
/// what is done until a newer one is made, which is asked for only when the API knows.
pub(crate) fn sandbox(machine: &Machine, pod: &PodId, attempt: u32, child: Option<Child>) {
    let dir = machine.layout.sandbox(&pod.uid, attempt);
    await_shim(&dir, child);
    for group in groups(machine, &pod.uid, attempt, &dir) {
        report(machine.cgroups.kill(&group), "killing what is left of", &group);
        machine.cgroups.remove(&group);
    }
    // Its namespace took the interface along, but for a shim that died before it could move into it.
    let interface = interface_name(&pod.uid, attempt);
    report(Netlink::open().and_then(|mut host| detach(&mut host, &interface)), "removing interface", &interface);
    machine.release_address(&pod.uid, attempt);
    remove(&machine.layout.sandbox_run(&pod.uid, attempt));
    if layout::sandboxes(&machine.layout.pod(&pod.uid)).into_iter().all(|other| other <= attempt) {
        strip(&dir);
    } else {
        remove(&dir);
    }
}

/// Removes what is kept of sandboxes that are older than this one, but for those that are still being taken down.
pub(crate) fn older(machine: &Machine, pod: &PodId, attempt: u32, ending: &HashSet<u32>) {
    let found = layout::sandboxes(&machine.layout.pod(&pod.uid)).into_iter().collect();
    for other in garbage::sandboxes(&found, Some(attempt)).into_iter().filter(|other| !ending.contains(other)) {
        remove(&machine.layout.sandbox(&pod.uid, other));
    }
}

/// Removes the logs of instances that are past keeping, now that this one runs.
pub(crate) fn logs(machine: &Machine, pod: &PodId, instance: &Instance) {
    let dir = machine.layout.logs(pod, &instance.container);
    let files: Vec<(u32, PathBuf)> = fs::read_dir(&dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            // `ATTEMPT.log` and `ATTEMPT.log.K`.
            let attempt = entry.file_name().to_str()?.split_once(".log")?.0.parse().ok()?;
            Some((attempt, entry.path()))
        })
        .collect();
    let found = files.iter().map(|(attempt, _)| *attempt).collect();
    let gone = garbage::instances(&found, instance.attempt);
    for (_, path) in files.iter().filter(|(attempt, _)| gone.contains(attempt)) {
        report(fs::remove_file(path), "removing", &path.display().to_string());
    }
}

/// Leaves nothing of a sandbox's directory but its journal, if it has one.
fn strip(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(|entry| entry.file_name() != journal::FILE) {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove(&path),
            Ok(_) | Err(_) => report(fs::remove_file(&path), "removing", &path.display().to_string()),
        }
    }
    // Not empty if the journal is there.
    let _ = fs::remove_dir(dir);
}

/// Removes all of a pod: volumes, logs, directories, cgroup. Its sandboxes must be gone.
pub(crate) fn pod(machine: &Machine, pod: &PodId) {
    let dir = machine.layout.pod(&pod.uid);
    report(volumes::remove(&dir), "removing volumes of", &pod.name);
    remove(&machine.layout.pod_logs(pod));
    machine.cgroups.remove(&machine.pod_cgroup(&pod.uid));
    remove(&dir);
}

/// The cgroups of one generation: its shim's, and those of the containers its journal names.
fn groups(machine: &Machine, uid: &str, attempt: u32, dir: &Path) -> Vec<String> {
    let pod = machine.pod_cgroup(uid);
    let created = journal::read(dir).map(|found| found.records).unwrap_or_default();
    let containers = created.iter().filter_map(|record| record.creating()).map(crate::layout::instance_name);
    containers.chain([format!("shim-{attempt}")]).map(|name| format!("{pod}/{name}")).collect()
}

/// Waits until the shim is gone, and makes sure of it after a while.
fn await_shim(dir: &Path, child: Option<Child>) {
    let mut child = child;
    let mut gone = || match &mut child {
        Some(child) => !matches!(child.try_wait(), Ok(None)),
        None => !matches!(journal::writer(dir), Ok(Some(_))),
    };
    for patience in [LINGER, LINGER] {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if gone() {
                return;
            }
            sleep(PAUSE);
        }
        if let Ok(Some(pid)) = journal::writer(dir) {
            let killed = pidfd_open(pid, PidfdFlags::empty()).and_then(|fd| pidfd_send_signal(fd, Signal::KILL));
            report(killed.map_err(io::Error::from), "killing the shim of", &dir.display().to_string());
        }
    }
}

fn remove(dir: &Path) {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            report(Err(error), "removing", &dir.display().to_string());
        }
        Ok(()) | Err(_) => {}
    }
}

/// What stays behind is found again by the next engine; meanwhile somebody should know.
fn report(result: io::Result<()>, doing: &str, what: &str) {
    if let Err(error) = result {
        tracing::warn!(%error, "{doing} {what}");
    }
}
