//! Killed at every system call that changes something: no wrong state is ever accepted.
//!
//! `strace` kills each process of a run at its n-th call of one kind, for every kind and every n there is. After each
//! kill the volume is looked at as a reader would, and the run is made again: it must end well with the right state.

use std::path::Path;
use std::process::Command;

use super::FL;
use super::program::{clean, fl, run, text};
use super::server::{Server, answer};

/// Calls that change files, processes or locks.
const MUTATIONS: [&str; 26] = [
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "open",
    "openat",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "fsync",
    "fchmod",
    "chmod",
    "ftruncate",
    "flock",
    "fcntl",
    "execve",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "wait4",
    "waitid",
    "exit_group",
];

/// More calls of one kind than any of these runs makes in one process; an end for a sweep that would not end.
const MOST: usize = 400;

/// Runs `fl` with every process of it killed at its n-th call of this kind; `false` if none got that far.
fn killed_at(call: &str, n: usize, arguments: &[&str]) -> bool {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let inject = format!("--inject={call}:signal=SIGKILL:when={n}");
    let mut strace = vec!["-f", "-qq", "-o", text(log.path()), &inject, "--", FL];
    strace.extend(arguments);
    run(clean("strace", &strace));
    std::fs::read_to_string(log.path()).expect("read").contains("killed by SIGKILL")
}

/// Kills at every point; `look` sees the volume after each kill, `again` what the next run makes of it. Returns the
/// number of kills.
fn sweep(
    arguments: impl Fn(&Path) -> Vec<String> + Sync,
    look: impl Fn(&Path) + Sync,
    again: impl Fn(&Path) + Sync,
) -> usize {
    let kill = |call: &str, n: usize| {
        let dir = tempfile::tempdir().expect("a directory");
        let owned = arguments(dir.path());
        let arguments: Vec<&str> = owned.iter().map(String::as_str).collect();
        let killed = killed_at(call, n, &arguments);
        look(dir.path());
        let mut command = fl([]);
        command.args(&arguments);
        let ended = run(command);
        assert_eq!(ended.code, 0, "after a kill at {call} {n}: {}", ended.said);
        again(dir.path());
        killed
    };
    let points = |call: &&str| (1..MOST).take_while(|n| kill(call, *n)).count();
    let counts: Vec<(&str, usize)> = MUTATIONS.iter().map(|call| (*call, points(call))).collect();
    println!("{counts:?}");
    counts.iter().map(|(_, count)| count).sum()
}

const WHOLE: &str = "{\"accounts\":1}{\"accounts\":2}{\"accounts\":3}";

#[test]
fn a_step_killed_at_any_call_never_leaves_an_accepted_half_state_f51() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: no strace");
        return;
    }
    // As the seed's genesis step does it: the file under its final name first, and then more and more of it.
    let make = |dir: &Path| {
        let out = text(&dir.join("genesis.json")).to_owned();
        let script = (1..=3).map(|n| format!("printf '{{\"accounts\":{n}}}' >> {out}")).collect::<Vec<_>>().join("; ");
        let words = ["run-once", "genesis", "--dir", text(dir), "--outputs", &out, "--", "sh", "-c", &script];
        words.map(str::to_owned).to_vec()
    };
    let right = |dir: &Path| assert_eq!(std::fs::read_to_string(dir.join("genesis.json")).expect("there"), WHOLE);
    let points = sweep(
        make,
        |dir| {
            let marker = std::fs::read_to_string(dir.join("markers/genesis.json")).unwrap_or_default();
            if marker.contains("\"state\":\"done\"") {
                right(dir);
            }
        },
        right,
    );
    println!("killed at {points} points, 0 accepted wrong");
    assert!(points > 50, "{points} points only");
}

#[test]
fn a_fetch_killed_at_any_call_shows_the_whole_file_or_none_f4() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: no strace");
        return;
    }
    let server = Server::fixed(answer("200 OK", "", WHOLE.as_bytes()));
    let url = server.url("/genesis");
    let fetch = |dir: &Path| {
        let to = text(&dir.join("config/genesis.json")).to_owned();
        ["fetch", &url, "--to", &to, "--timeout", "20s"].map(str::to_owned).to_vec()
    };
    let whole_or_none = |dir: &Path| {
        if let Ok(found) = std::fs::read_to_string(dir.join("config/genesis.json")) {
            assert_eq!(found, WHOLE);
        }
    };
    let right = |dir: &Path| {
        assert_eq!(std::fs::read_to_string(dir.join("config/genesis.json")).expect("there"), WHOLE);
        let left = std::fs::read_dir(dir.join("config")).expect("listed").count();
        assert_eq!(left, 2, "the file and the note about it");
    };
    let points = sweep(fetch, whole_or_none, right);
    println!("killed at {points} points");
    assert!(points > 30, "{points} points only");
}
