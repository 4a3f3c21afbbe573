//! Running `fl` and looking at what it did.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::FL;

/// `fl` with these arguments, in an environment without variables of ours.
pub(crate) fn fl<const N: usize>(arguments: [&str; N]) -> Command {
    clean(FL, &arguments)
}

/// A program with these arguments, in an environment without variables of ours.
pub(crate) fn clean(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FIRSTLIGHT_") {
            command.env_remove(name);
        }
    }
    command
}

/// How a run ended.
pub(crate) struct Ended {
    /// The exit code; 128 + n for a signal.
    pub(crate) code: i32,
    /// What it said on stderr.
    pub(crate) said: String,
    /// What it printed.
    pub(crate) printed: String,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Runs to the end.
pub(crate) fn run(mut command: Command) -> Ended {
    let start = Instant::now();
    let output = command.output().expect("it runs");
    ended(output, start.elapsed())
}

fn ended(output: Output, took: Duration) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().expect("a code or a signal"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended { code, said: text(output.stderr), printed: text(output.stdout), took }
}

impl Ended {
    /// Requires this code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "{}", self.said);
        self
    }

    /// The last line it said, as JSON.
    pub(crate) fn last(&self) -> Value {
        serde_json::from_str(self.said.lines().last().expect("a line")).expect("JSON")
    }

    /// The reason it ended with.
    pub(crate) fn reason(&self) -> String {
        self.last()["reason"].as_str().unwrap_or_default().to_owned()
    }
}

/// A run in the background, killed when dropped.
pub(crate) struct Running(pub(crate) Child);

/// Starts a run.
pub(crate) fn start(mut command: Command) -> Running {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn().expect("it starts"))
}

impl Running {
    /// Sends a signal by number.
    pub(crate) fn signal(&self, number: i32) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::from_named_raw(number).expect("a signal"))
            .expect("sent");
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = self.0.wait().expect("ended");
        let mut output = Output { status, stdout: Vec::new(), stderr: Vec::new() };
        use std::io::Read;
        self.0.stdout.take().expect("piped").read_to_end(&mut output.stdout).expect("read");
        self.0.stderr.take().expect("piped").read_to_end(&mut output.stderr).expect("read");
        ended(output, start.elapsed())
    }

    /// Reads stderr up to the line that holds this text.
    pub(crate) fn until(&mut self, text: &str) -> String {
        use std::io::Read;
        let stderr = self.0.stderr.as_mut().expect("piped");
        let (mut line, mut byte) = (Vec::new(), [0u8]);
        loop {
            assert_eq!(stderr.read(&mut byte).expect("read"), 1, "it ended without saying {text}");
            if byte != [b'\n'] {
                line.push(byte[0]);
                continue;
            }
            let said = String::from_utf8(std::mem::take(&mut line)).expect("text");
            if said.contains(text) {
                return said;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// Waits until something holds; fails after a time no healthy run needs.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came to be that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// Writes a file whole, as a maker that knows how would.
pub(crate) fn write(path: &Path, content: &str) {
    let mut file = std::fs::File::create(path).expect("made");
    file.write_all(content.as_bytes()).expect("written");
}
