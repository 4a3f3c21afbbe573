//! `fl run-once`: what it keeps, what it makes again, and what it asks a person about.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::program::{Ended, fl, run, start, text, until, write};

/// A volume with a step that makes one file.
struct Volume {
    dir: tempfile::TempDir,
}

impl Volume {
    fn new() -> Volume {
        Volume { dir: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `fl run-once make --outputs out MORE -- sh -c SCRIPT`, in the volume.
    fn command(&self, more: &[&str], script: &str) -> Command {
        let mut command = fl(["run-once", "make", "--dir"]);
        command.arg(self.dir.path()).args(["--outputs", text(&self.path("out"))]).args(more);
        command.args(["--", "sh", "-ec", script]).current_dir(self.dir.path());
        command
    }

    fn run(&self, more: &[&str], script: &str) -> Ended {
        run(self.command(more, script))
    }

    fn marker(&self) -> Value {
        let bytes = std::fs::read(self.path("markers/make.json")).expect("a marker");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    fn out(&self) -> Option<String> {
        std::fs::read_to_string(self.path("out")).ok()
    }
}

/// Makes the file and counts how often.
const MAKE: &str = "echo made >> count; echo state > out";

fn count(volume: &Volume) -> usize {
    std::fs::read_to_string(volume.path("count")).unwrap_or_default().lines().count()
}

#[test]
fn what_is_done_is_not_done_again_code_0() {
    let volume = Volume::new();
    volume.run(&[], MAKE).with(0);
    volume.run(&[], MAKE).with(0);
    volume.run(&[], "exit 9").with(0);
    assert_eq!((count(&volume), volume.out().as_deref()), (1, Some("state\n")));
    let marker = volume.marker();
    assert_eq!((&marker["state"], &marker["attempts"], &marker["generation"]), (&"done".into(), &1.into(), &1.into()));
    assert_eq!(
        (&marker["outputs"][0]["size"], &marker["outputs"][0]["path"]),
        (&6.into(), &text(&volume.path("out")).into())
    );
}

#[test]
fn a_failed_command_passes_its_code_on_and_is_made_again() {
    let volume = Volume::new();
    volume.run(&[], "echo half > out; exit 42").with(42);
    assert_eq!(volume.marker()["state"], "failed");
    volume.run(&[], "test ! -e out; echo whole > out").with(0);
    assert_eq!((volume.out().as_deref(), &volume.marker()["attempts"]), (Some("whole\n"), &2.into()));
    let volume = Volume::new();
    volume.run(&[], "kill -9 $$").with(137);
    let volume = Volume::new();
    let mut command = fl(["run-once", "x", "--dir"]);
    command.arg(volume.dir.path()).args(["--", "/no/such/command"]);
    run(command).with(127);
}

#[test]
fn a_command_that_ends_well_without_its_output_is_refused_code_4() {
    let volume = Volume::new();
    let ended = volume.run(&[], "true").with(4);
    assert!(ended.said.contains("out is missing"), "{}", ended.said);
    assert_eq!(volume.run(&["--verify", "false"], MAKE).with(4).reason(), "verify");
    assert_eq!(volume.run(&["--verify=fl-no-such"], MAKE).with(4).reason(), "verify");
    volume.run(&["--verify=grep -q state out"], MAKE).with(0);
}

#[test]
fn bad_usage_is_code_2() {
    let volume = Volume::new();
    volume.run(&["--verify=a && b"], MAKE).with(2);
    volume.run(&["--inputs=/no/such/file"], MAKE).with(2);
    volume.run(&["--inputs=env:NO_SUCH_VARIABLE"], MAKE).with(2);
    volume.run(&["--already=true"], MAKE).with(2);
    volume.run(&["--mutable-outputs", text(&volume.path("out"))], MAKE).with(2);
    run(fl(["run-once", "../x", "--dir=/tmp", "--", "true"])).with(2);
    run(fl(["run-once", "x", "--dir=/tmp"])).with(2);
    run(fl(["run-once", "x", "--", "true"])).with(2);
    assert!(!volume.path("markers").exists());
}

#[test]
fn another_run_is_waited_for_and_past_its_time_is_code_5_e8() {
    let volume = Volume::new();
    let first =
        start(volume.command(&[], "echo x > started; while test ! -e go; do sleep 0.02; done; echo state > out"));
    until("the first has started", || volume.path("started").exists());
    let ended = volume.run(&["--lock-timeout=200ms"], MAKE).with(5);
    assert!(ended.said.contains("has not ended") && ended.took >= Duration::from_millis(200), "{}", ended.said);
    let second = start(volume.command(&["--lock-timeout=20s"], MAKE));
    write(&volume.path("go"), "");
    first.end().with(0);
    second.end().with(0);
    assert_eq!((count(&volume), volume.marker()["attempts"].clone()), (0, 1.into()));
}

#[test]
fn a_dead_run_is_taken_over_soon_its_leftovers_removed_and_its_cleanup_run_e8_r1() {
    let volume = Volume::new();
    let mut first = start(volume.command(&[], "echo half > out; echo x > started; sleep 60"));
    until("the first has started", || volume.path("started").exists());
    first.0.kill().expect("killed");
    first.0.wait().expect("gone");
    assert_eq!((volume.marker()["state"].clone(), volume.out().as_deref()), ("begun".into(), Some("half\n")));
    let again = volume.run(&["--cleanup=cp out seen"], "test ! -e out; echo whole > out").with(0);
    assert!(again.took < Duration::from_secs(2), "{:?}", again.took);
    assert!(again.said.contains("its owner died on the way"), "{}", again.said);
    assert_eq!((volume.out().as_deref(), volume.marker()["attempts"].clone()), (Some("whole\n"), 2.into()));
    assert_eq!(std::fs::read_to_string(volume.path("seen")).expect("cleaned up"), "half\n");
}

#[test]
fn a_command_never_outlives_its_run_to_write_behind_the_next_ones_back() {
    let volume = Volume::new();
    let script = "echo $$ > pid; while true; do echo late > out; sleep 0.01; done";
    let mut first = start(volume.command(&[], script));
    until("the command has started", || {
        std::fs::read_to_string(volume.path("pid")).is_ok_and(|pid| pid.ends_with('\n'))
    });
    first.0.kill().expect("killed");
    first.0.wait().expect("gone");
    volume.run(&[], "echo whole > out").with(0);
    let pid = std::fs::read_to_string(volume.path("pid")).expect("read");
    assert!(!Path::new(&format!("/proc/{}/exe", pid.trim())).exists() || zombie(pid.trim()));
    assert_eq!(volume.out().as_deref(), Some("whole\n"));
}

fn zombie(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn what_needs_a_person_is_code_6_and_nothing_is_touched() {
    let volume = Volume::new();
    write(&volume.path("out"), "foreign");
    assert_eq!(volume.run(&[], MAKE).with(6).reason(), "unclaimed");
    assert_eq!(volume.out().as_deref(), Some("foreign"));
    volume.run(&["--unclaimed-outputs=remake"], MAKE).with(0);

    write(&volume.path("out"), "changed");
    let ended = volume.run(&[], MAKE).with(6);
    assert!(ended.said.contains("was committed as sha256"), "{}", ended.said);
    assert_eq!((ended.reason().as_str(), volume.out().as_deref()), ("outputs", Some("changed")));
    volume.run(&["--changed-outputs=remake"], MAKE).with(0);
    assert_eq!(volume.marker()["generation"], 2);
    std::fs::remove_file(volume.path("out")).expect("removed");
    assert!(volume.run(&[], MAKE).with(6).said.contains("is gone"));
    volume.run(&["--changed-outputs=remake"], MAKE).with(0);

    let input = volume.path("input");
    write(&input, "1");
    assert_eq!(volume.run(&["--inputs", text(&input)], MAKE).with(6).reason(), "inputs");
    volume.run(&["--inputs", text(&input), "--changed-inputs=remake"], MAKE).with(0);
    volume.run(&["--inputs", text(&input)], MAKE).with(0);
    write(&input, "2");
    volume.run(&["--inputs", text(&input)], MAKE).with(6);

    assert_eq!(volume.run(&["--cluster-id=other", "--changed-inputs=remake"], MAKE).with(6).reason(), "cluster");
    write(&volume.path("markers/make.json"), "{\"schema\":99}");
    assert_eq!(volume.run(&["--changed-inputs=remake"], MAKE).with(6).reason(), "marker");
}

#[test]
fn mutable_outputs_may_change_but_not_vanish() {
    let volume = Volume::new();
    let more = ["--mutable-outputs", text(&volume.path("state")).to_owned().leak() as &str];
    let make = "echo state > out; echo 0 > state";
    volume.run(&more, make).with(0);
    write(&volume.path("state"), "7");
    volume.run(&more, make).with(0);
    std::fs::remove_file(volume.path("state")).expect("removed");
    volume.run(&more, make).with(6);
}

#[test]
fn the_commands_output_becomes_a_file_whole_or_not_at_all() {
    let volume = Volume::new();
    let to = volume.path("deep/node_id");
    let once = |script: &str| {
        let mut command = fl(["run-once", "id", "--dir"]);
        command.arg(volume.dir.path()).args(["--stdout-to", text(&to), "--", "sh", "-c", script]);
        run(command)
    };
    once("echo half; exit 3").with(3);
    assert!(!to.exists());
    assert_eq!(std::fs::read_dir(to.parent().expect("a parent")).expect("listed").count(), 0);
    let ended = once("echo e1c2; echo noise >&2").with(0);
    assert_eq!((std::fs::read_to_string(&to).expect("there").as_str(), ended.printed.as_str()), ("e1c2\n", ""));
    once("echo other").with(0);
    assert_eq!(std::fs::read_to_string(&to).expect("there"), "e1c2\n");
}

#[test]
fn an_effect_that_is_there_already_is_not_made_again_r3() {
    let volume = Volume::new();
    let once = |already: &str| {
        let mut command = fl(["run-once", "register", "--dir"]);
        command.arg(volume.dir.path()).current_dir(volume.dir.path());
        command.args([
            already,
            "--verify=test -e registered",
            "--",
            "sh",
            "-c",
            "echo made >> count; echo > registered",
        ]);
        run(command)
    };
    once("--already=test -e registered").with(0);
    once("--already=test -e registered").with(0);
    assert_eq!(count(&volume), 1);
    // The marker was lost, the effect was not.
    std::fs::remove_dir_all(volume.path("markers")).expect("removed");
    once("--already=test -e registered").with(0);
    assert_eq!(count(&volume), 1);
}

#[test]
fn a_command_out_of_time_is_ended_code_124_and_signals_are_passed_on() {
    let volume = Volume::new();
    volume.run(&["--timeout=300ms"], "sleep 60").with(124);
    assert_eq!(volume.marker()["state"], "failed");
    let running = start(
        volume.command(&[], "trap 'echo told > told; exit 5' TERM; echo > ready; while true; do sleep 0.01; done"),
    );
    until("it is ready", || volume.path("ready").exists());
    running.signal(15);
    running.end().with(5);
    assert!(volume.path("told").exists());
}

#[test]
fn eight_at_once_make_it_once() {
    let volume = Volume::new();
    let runs: Vec<_> = (0..8).map(|_| start(volume.command(&["--lock-timeout=20s"], MAKE))).collect();
    for running in runs {
        running.end().with(0);
    }
    assert_eq!(count(&volume), 1);
}
