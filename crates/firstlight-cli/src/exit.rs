//! How the command ends: one table of exit codes, shown by `--help`, one test per code.

use std::process::ExitCode;

/// The exit codes of `firstlight`, stable across versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or there was nothing to do.
    Done = 0,
    /// Something unexpected failed; the message says what.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The manifests are wrong: a file, a field or a value, named by its path.
    Refused = 3,
    /// A pod ended and will not be restarted, so that ready cannot be reached.
    PodFailed = 4,
    /// `--timeout` passed; the message names the pod, the step and the reason.
    Timeout = 124,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

/// The table for `--help`.
pub(crate) const TABLE: &str = "Exit codes:
  0    done, or nothing to do
  1    something failed; the message says what
  2    the command line is wrong
  3    the manifests are wrong; the message names file and field
  4    a pod ended and will not be restarted
  124  --timeout passed; the message names pod, step and reason
  130  interrupted";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// A failure that knows its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code.
    pub(crate) exit: Exit,
    /// What failed, and the way out.
    pub(crate) message: String,
}

impl Failure {
    /// A failure with this code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// Wrong manifests.
    pub(crate) fn refused(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Refused, message)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(Exit::Failed, format!("{:#}", error.into()))
    }
}

/// What a command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;
