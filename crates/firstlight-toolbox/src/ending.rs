//! The termination message: what `kubectl get pod -o jsonpath` and our engine show of a container that ended.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use serde_json::{Map, Value};

use crate::exit::Code;
use crate::failure::Failure;
use crate::log::millis;
use crate::secret::Secrets;

/// Where Kubernetes mounts the file, unless the container says otherwise.
const DEFAULT: &str = "/dev/termination-log";

/// The kubelet cuts longer messages (`kubelet/container` `MaxContainerTerminationMessageLength`).
const LONGEST: usize = 4096;

/// A verb's end, as it is written down.
#[derive(Debug)]
pub struct Ending<'a> {
    /// Which verb.
    pub verb: &'static str,
    /// The name of the step.
    pub step: &'a str,
    /// How long it took.
    pub elapsed: Duration,
    /// How often something was tried.
    pub attempts: u32,
    /// What was achieved, or what went wrong.
    pub outcome: Result<&'a str, &'a Failure>,
}

/// The file to write to: the one named, else the standard one if this process is the container's own.
///
/// A process put into a container from outside (a `postStart` hook, an exec probe) has no parent in its namespace
/// and is not process 1: the container's message is not its to write.
pub fn place(named: Option<&Path>) -> Option<PathBuf> {
    let guest = rustix::process::getpid() != rustix::process::Pid::INIT && rustix::process::getppid().is_none();
    match named {
        Some(path) => Some(path.to_path_buf()),
        None => (!guest && Path::new(DEFAULT).is_file()).then(|| PathBuf::from(DEFAULT)),
    }
}

/// Writes the message. Nothing may fail because of it.
pub fn write(place: &Path, ending: &Ending<'_>, secrets: &Secrets) {
    let text = render(ending, secrets);
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).custom_flags(nofollow).open(place);
    if let Ok(mut file) = file {
        let _unread = file.write_all(text.as_bytes());
    }
}

fn render(ending: &Ending<'_>, secrets: &Secrets) -> String {
    let Ending { verb, step, elapsed, attempts, outcome } = ending;
    let mut longest_text = LONGEST;
    loop {
        let text = |text: &str| Value::from(shorten(&secrets.hide(text), longest_text));
        let mut object = Map::new();
        object.insert("verb".into(), Value::from(*verb));
        object.insert("step".into(), text(step));
        object.insert("code".into(), Value::from(outcome.map_or_else(|failure| failure.code, |_| Code::Done).number()));
        match outcome {
            Ok(message) => {
                object.insert("reason".into(), "done".into());
                object.insert("message".into(), text(message));
            }
            Err(failure) => {
                object.insert("reason".into(), failure.reason.into());
                object.insert("message".into(), text(&failure.message));
                failure.target.as_ref().map(|target| object.insert("target".into(), text(target)));
                failure.hint.as_ref().map(|hint| object.insert("hint".into(), text(hint)));
            }
        }
        object.insert("attempts".into(), Value::from(*attempts));
        object.insert("seconds".into(), Value::from(millis(*elapsed) as f64 / 1000.0));
        let rendered = Value::Object(object).to_string();
        if rendered.len() <= LONGEST {
            return rendered;
        }
        // Escapes can make a text several times longer, so measure again instead of computing.
        longest_text /= 2;
    }
}

fn shorten(text: &str, longest: usize) -> &str {
    let mut end = text.len().min(longest);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_fits_4_kib_however_long_its_parts() {
        for filler in ["x", "\"", "é", "\u{1F680}"] {
            let failure = Failure::new(Code::Refused, "digest", filler.repeat(20_000)).target(filler.repeat(9_000));
            let ending = Ending {
                verb: "fetch",
                step: "s",
                elapsed: Duration::from_secs(1),
                attempts: 3,
                outcome: Err(&failure),
            };
            let text = render(&ending, &Secrets::default());
            assert!(text.len() <= 4096, "{}", text.len());
            let json: Value = serde_json::from_str(&text).expect("still JSON");
            assert_eq!((json["code"].as_u64(), json["reason"].as_str()), (Some(4), Some("digest")));
        }
    }
}
