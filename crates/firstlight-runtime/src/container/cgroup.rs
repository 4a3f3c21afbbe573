//! The kernel's groups of processes: who is in a pod, how much it may use, what became of its memory.
//!
//! The container library makes a container's groups; this file finds them again, whoever died meanwhile, because
//! their paths follow from names alone: `/firstlight/ENGINE/POD-UID/CONTAINER-ATTEMPT`. Both layouts are known: one
//! unified hierarchy (v2), or one per controller (v1, "hybrid").

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where every distribution mounts it.
const ROOT: &str = "/sys/fs/cgroup";

/// How often, and how long apart, a group that still has members is looked at again: a killed process needs a
/// moment to leave. Five seconds in all, then it is reported.
const TRIES: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(5);

/// The hierarchies of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Cgroups {
    unified: bool,
    hierarchies: Vec<Hierarchy>,
}

#[derive(Debug, Clone)]
struct Hierarchy {
    root: PathBuf,
    /// Controllers by name; empty for the unified one, where they are files.
    controllers: Vec<String>,
}

impl Cgroups {
    /// Looks at this process's mounts.
    ///
    /// # Errors
    /// If nothing is mounted at `/sys/fs/cgroup`.
    pub(crate) fn detect() -> io::Result<Cgroups> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let found: Vec<(String, Hierarchy)> = mounts.lines().filter_map(Hierarchy::parse).collect();
        if let Some((_, hierarchy)) = found.iter().find(|(kind, h)| kind == "cgroup2" && h.root == Path::new(ROOT)) {
            return Ok(Cgroups { unified: true, hierarchies: vec![hierarchy.clone()] });
        }
        let hierarchies: Vec<Hierarchy> =
            found.into_iter().filter(|(kind, _)| kind == "cgroup").map(|(_, h)| h).collect();
        if hierarchies.is_empty() {
            return Err(io::Error::other(format!(
                "no control groups are mounted at {ROOT}; containers need them, mount cgroup2 there"
            )));
        }
        Ok(Cgroups { unified: false, hierarchies })
    }

    /// Whether this is the unified layout.
    pub(crate) fn unified(&self) -> bool {
        self.unified
    }

    /// Whether a device controller decides which device nodes a container may open.
    pub(crate) fn guards_devices(&self) -> bool {
        self.has("devices")
    }

    /// Whether there is this controller.
    pub(crate) fn has(&self, controller: &str) -> bool {
        if self.unified {
            let listed = fs::read_to_string(Path::new(ROOT).join("cgroup.controllers")).unwrap_or_default();
            return listed.split_whitespace().any(|c| c == controller);
        }
        self.hierarchies.iter().any(|h| h.controllers.iter().any(|c| c == controller))
    }

    /// Whether memory limits can count swap too (v1 with swap accounting).
    pub(crate) fn counts_swap(&self) -> bool {
        !self.unified && self.file("memory", "", "memory.memsw.limit_in_bytes").is_some_and(|f| f.exists())
    }

    /// Puts the calling process into group `path` of the hierarchy that is searched at recovery, making the group.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(crate) fn shelter(&self, path: &str) -> io::Result<()> {
        let home = self.home();
        let dir = under(&home.root, path);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("cgroup.procs"), "0")
    }

    /// Puts this process into the group it is in. That changes nothing, but the first move of a process after a while
    /// waits for every CPU to have passed through its scheduler, 5 to 14 ms, and those that follow soon do not: whoever
    /// is about to move processes has this done meanwhile, beside other work.
    pub(crate) fn wake(&self) {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let home = self.home();
        let path = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers
                .split(',')
                .eq(home.controllers.iter().map(String::as_str).chain(self.unified.then_some("")))
                .then_some(path)
        });
        if let Some(path) = path {
            // Whoever moves later waits then.
            let _ = fs::write(under(&home.root, path).join("cgroup.procs"), "0");
        }
    }

    /// Puts the calling process into group `path` of every hierarchy that has it.
    ///
    /// # Errors
    /// What the kernel answers; `NotFound` if no hierarchy has it.
    pub(crate) fn join(&self, path: &str) -> io::Result<()> {
        let mut joined = false;
        for hierarchy in &self.hierarchies {
            let procs = under(&hierarchy.root, path).join("cgroup.procs");
            if procs.exists() {
                fs::write(procs, "0")?;
                joined = true;
            }
        }
        if joined { Ok(()) } else { Err(io::Error::new(io::ErrorKind::NotFound, "the container's cgroup is gone")) }
    }

    /// Every process in group `path` or below, in any hierarchy.
    pub(crate) fn processes(&self, path: &str) -> BTreeSet<i32> {
        let mut pids = BTreeSet::new();
        for hierarchy in &self.hierarchies {
            walk(&under(&hierarchy.root, path), &mut |dir| {
                let members = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
                pids.extend(members.lines().filter_map(|l| l.parse::<i32>().ok()).filter(|&pid| pid > 0));
            });
        }
        pids
    }

    /// Kills every process in group `path` or below, and waits until none is left. This process is spared.
    ///
    /// # Errors
    /// If some are still there after seconds: stuck in the kernel.
    pub(crate) fn kill(&self, path: &str) -> io::Result<()> {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        for _ in 0..TRIES {
            let mut left = self.processes(path);
            left.remove(&own);
            // A zombie is still listed until its parent waits for it, but it runs no more.
            left.retain(|&pid| !is_zombie(pid));
            if left.is_empty() {
                return Ok(());
            }
            left.iter().for_each(|&pid| kill(pid));
            std::thread::sleep(PAUSE);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("processes of {path} do not die: stuck in the kernel")))
    }

    /// Removes group `path` and those below it. What has members stays, and is found by the next recovery.
    pub(crate) fn remove(&self, path: &str) {
        for hierarchy in &self.hierarchies {
            walk(&under(&hierarchy.root, path), &mut |dir| drop(fs::remove_dir(dir)));
        }
    }

    /// Names of the groups directly below `path`.
    pub(crate) fn children(&self, path: &str) -> BTreeSet<String> {
        let dirs = self.hierarchies.iter().flat_map(|h| fs::read_dir(under(&h.root, path)).into_iter().flatten());
        dirs.flatten()
            .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// How many processes of group `path` the out-of-memory killer has ended.
    pub(crate) fn oom_kills(&self, path: &str) -> u64 {
        let name = if self.unified { "memory.events" } else { "memory.oom_control" };
        let Some(file) = self.file("memory", path, name) else { return 0 };
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|l| l.strip_prefix("oom_kill ")).and_then(|n| n.trim().parse().ok()).unwrap_or(0)
    }

    fn file(&self, controller: &str, path: &str, name: &str) -> Option<PathBuf> {
        let of = |h: &&Hierarchy| self.unified || h.controllers.iter().any(|c| c == controller);
        Some(under(&self.hierarchies.iter().find(of)?.root, path).join(name))
    }

    fn home(&self) -> &Hierarchy {
        let counts_pids = |h: &&Hierarchy| h.controllers.iter().any(|c| c == "pids");
        self.hierarchies.iter().find(counts_pids).unwrap_or(&self.hierarchies[0])
    }
}

impl Hierarchy {
    /// A line of mountinfo: `36 35 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices` (proc(5)).
    fn parse(line: &str) -> Option<(String, Hierarchy)> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let root = PathBuf::from(mount.split(' ').nth(4)?);
        let mut fields = filesystem.split(' ');
        let kind = fields.next()?;
        if !kind.starts_with("cgroup") || !root.starts_with(ROOT) {
            return None;
        }
        let options = if kind == "cgroup" { fields.nth(1).unwrap_or_default() } else { "" };
        let controllers = options.split(',').filter(|o| *o != "rw" && *o != "ro").map(str::to_owned).collect();
        Some((kind.to_owned(), Hierarchy { root, controllers }))
    }
}

/// Visits `dir` and all directories below it, deepest first.
fn walk(dir: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            walk(&entry.path(), visit);
        }
    }
    visit(dir);
}

fn under(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn kill(pid: i32) {
    let target = Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
    if let Some(Ok(pidfd)) = target {
        // Gone meanwhile is what was wanted.
        let _ = pidfd_send_signal(pidfd, Signal::KILL);
    }
}

fn is_zombie(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z') || rest.starts_with('X'))
}

#[cfg(test)]
mod tests;
