//! What all verbs share: their common flags, what they are given, and what they hand back.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::log::{Format, Log};

/// The flags of every verb.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Every verb")]
pub struct Shared {
    /// Look and say what would be done; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Say what the settings mean and where each comes from; look at nothing, do nothing
    #[arg(long)]
    pub explain: bool,
    /// Try once: exit 3 if it is not true or cannot be done now
    #[arg(long)]
    pub once: bool,
    /// The name of this step in logs and messages [default: the verb]
    #[arg(long, value_name = "NAME")]
    pub step: Option<String>,
    /// How log lines on stderr look
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "auto")]
    pub log_format: Format,
    /// Where this step's figures go, in Prometheus' text format [default: $FIRSTLIGHT_DIR/metrics/STEP.prom, if that
    /// directory exists]
    #[arg(long, value_name = "PATH")]
    pub metrics_file: Option<PathBuf>,
    /// Where the termination message goes [default: /dev/termination-log, if present and ours to write]
    #[arg(long, value_name = "PATH")]
    pub termination_log: Option<PathBuf>,
}

/// What a verb is given besides its own flags.
#[derive(Debug)]
pub struct Given {
    /// The common flags.
    pub shared: Shared,
    /// Where lines go.
    pub log: Log,
    /// When the process began.
    pub started: Instant,
}

impl Given {
    /// The overall deadline; `0` is none, which is worth a line.
    pub fn deadline(&self, timeout: Duration) -> Option<Instant> {
        if timeout.is_zero() {
            self.log.info().say("no deadline: --timeout 0");
            return None;
        }
        Some(self.started + timeout)
    }
}

/// The good end of a verb.
#[derive(Debug)]
pub struct Done {
    /// What was achieved.
    pub message: String,
    /// How often something was tried.
    pub attempts: u32,
    /// The command to become; empty for none.
    pub then: Vec<OsString>,
}

impl Done {
    /// Done, with nothing to follow.
    pub fn new(message: impl Into<String>) -> Done {
        Done { message: message.into(), attempts: 0, then: Vec::new() }
    }
}

/// How a verb ends.
pub type Outcome = Result<Done, Failure>;
