//! A second process that writes to a store and says aloud what was acknowledged: this test binary, run again.

use crate::{create, pod};
use firstlight_store::Store;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const DIR: &str = "FIRSTLIGHT_STORE_CHILD_DIR";

/// The child's life: says its process id when ready, then each write by its number, or `refused` and the reason.
#[test]
fn as_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = Store::open(Path::new(&dir)).unwrap();
    say(&std::process::id().to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let writers: Vec<_> = (0..4)
            .map(|lane| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in (lane..).step_by(4) {
                        match create(&store, pod(&n.to_string()), n).await {
                            Ok(_) => say(&format!("{n}")),
                            Err(error) => say(&format!("refused {n} {error}")),
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// One line in one write, so that a kill never tears it; a reader who left ends the child.
fn say(line: &str) {
    if std::io::stdout().write_all(format!("child: {line}\n").as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// A running child.
pub(crate) struct Writer {
    child: Child,
    /// The writing process itself, which a wrapper would outlive or leave behind.
    process: Pid,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    /// Starts it on `dir`, behind a wrapping command if one is given, and waits until it is ready.
    pub(crate) fn start(dir: &Path, wrapper: &[&str]) -> Writer {
        let mut words: Vec<std::ffi::OsString> = wrapper.iter().map(Into::into).collect();
        words.push(std::env::current_exe().unwrap().into());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(["--exact", "child::as_child", "--nocapture", "--test-threads=1"])
            .env(DIR, dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = hear(&mut lines).expect("the child opens the store").parse().unwrap();
        Writer { child, process: Pid::from_raw(process).unwrap(), lines }
    }

    /// The next thing it says, or `None` at its end.
    pub(crate) fn hear(&mut self) -> Option<String> {
        hear(&mut self.lines)
    }

    /// Kills it at once, then returns what it had said and nobody had heard yet.
    pub(crate) fn kill(mut self) -> Vec<String> {
        kill_process(self.process, Signal::KILL).unwrap();
        let rest = std::iter::from_fn(|| self.hear()).collect();
        self.child.wait().unwrap();
        rest
    }
}

fn hear(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    loop {
        let line = lines.next()?.unwrap();
        if let Some((_, said)) = line.split_once("child: ") {
            return Some(said.to_owned());
        }
    }
}
