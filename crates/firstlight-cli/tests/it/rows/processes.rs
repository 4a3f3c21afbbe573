//! Which processes of this machine belong to a scene? Found as the kernel shows them, without asking the engine.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// The first process of a container of the scene in this directory, as the host numbers it.
pub(crate) fn of_container(scene: &Path, container: &str) -> Option<i32> {
    let inside = |pid: &i32| {
        let environment = variables(*pid);
        environment.contains(&format!("SCENE={}", scene.display()))
            && environment.contains(&format!("NAME={container}"))
    };
    all().into_iter().filter(inside).find(|pid| is_first(*pid))
}

/// Ends a process at once.
pub(crate) fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Ends everything that runs for the scene in this directory, as the loss of its sandbox would.
pub(crate) fn kill_sandbox(scene: &Path) {
    let mark = format!("SCENE={}", scene.display());
    let own: Vec<i32> = all().into_iter().filter(|pid| variables(*pid).contains(&mark)).collect();
    let keepers: Vec<i32> = own.iter().filter(|pid| is_first(**pid)).filter_map(|pid| parent(*pid)).collect();
    assert!(!keepers.is_empty(), "nothing runs in this sandbox");
    for pid in keepers.into_iter().chain(own) {
        kill(pid);
    }
}

fn all() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn variables(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split('\0').map(str::to_owned).collect()
}

/// Whether it is number 1 in a process namespace of its own.
fn is_first(pid: i32) -> bool {
    let numbers = line(pid, "NSpid:");
    let mut numbers = numbers.split_whitespace();
    numbers.next().is_some() && numbers.next_back() == Some("1")
}

fn parent(pid: i32) -> Option<i32> {
    line(pid, "PPid:").trim().parse().ok()
}

fn line(pid: i32, key: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").to_owned()
}
