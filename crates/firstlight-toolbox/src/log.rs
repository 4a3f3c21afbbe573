//! What a verb says while it works: one line per fact on stderr, text for a person, JSON for a pipeline.
//!
//! Keys: `ts level msg verb step target attempt elapsed_ms reason`.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use crate::secret::Secrets;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// One readable line.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where lines go, and who says them.
#[derive(Debug, Clone)]
pub struct Log {
    verb: &'static str,
    step: String,
    json: bool,
    /// Everything said goes through here.
    pub secrets: Secrets,
}

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

impl Log {
    /// A log for this verb and step.
    pub fn new(verb: &'static str, step: String, format: Format, secrets: Secrets) -> Log {
        let json = match format {
            Format::Auto => !std::io::stderr().is_terminal(),
            Format::Text => false,
            Format::Json => true,
        };
        Log { verb, step, json, secrets }
    }

    /// Something worth knowing.
    pub fn info(&self) -> Line<'_> {
        self.line(Level::Info)
    }

    /// Something that may go wrong, or went wrong and is tried again.
    pub fn warn(&self) -> Line<'_> {
        self.line(Level::Warn)
    }

    /// The end.
    pub fn error(&self) -> Line<'_> {
        self.line(Level::Error)
    }

    fn line(&self, level: Level) -> Line<'_> {
        Line { log: self, level, target: None, attempt: None, elapsed: None, reason: None }
    }
}

/// A line being put together; [`Line::say`] prints it.
#[derive(Debug)]
#[must_use = "a line is printed by `say`"]
pub struct Line<'a> {
    log: &'a Log,
    level: Level,
    target: Option<String>,
    attempt: Option<u32>,
    elapsed: Option<Duration>,
    reason: Option<&'static str>,
}

impl Line<'_> {
    /// What it is about.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Which try it was.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// How long it took or has been going on.
    pub fn elapsed(mut self, elapsed: Duration) -> Self {
        self.elapsed = Some(elapsed);
        self
    }

    /// One stable word.
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Prints the line. A stderr nobody reads is no reason to fail.
    pub fn say(self, message: impl AsRef<str>) {
        let Line { log, level, target, attempt, elapsed, reason } = self;
        let message = log.secrets.hide(message.as_ref());
        let target = target.map(|target| log.secrets.hide(&target));
        let ts = format!("{:.3}", jiff::Timestamp::now());
        let line = if log.json {
            let fields = [
                ("ts", Some(Value::from(ts))),
                ("level", Some(level.name().into())),
                ("msg", Some(message.into())),
                ("verb", Some(log.verb.into())),
                ("step", Some(log.step.clone().into())),
                ("target", target.map(Value::from)),
                ("attempt", attempt.map(Value::from)),
                ("elapsed_ms", elapsed.map(|elapsed| Value::from(millis(elapsed)))),
                ("reason", reason.map(Value::from)),
            ];
            // In this order, which a map would not keep: a person reads these lines too.
            let fields = fields.into_iter().filter_map(|(key, value)| value.map(|value| format!("\"{key}\":{value}")));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        } else {
            let mut line = format!("{ts} {:5} {}: ", level.name(), log.step);
            if let Some(target) = target.filter(|target| !message.contains(target.as_str())) {
                line += &format!("{target}: ");
            }
            line += &message;
            let tail: Vec<String> = [
                attempt.map(|attempt| format!("attempt {attempt}")),
                elapsed.map(|elapsed| format!("after {:.1} s", elapsed.as_secs_f64())),
            ]
            .into_iter()
            .flatten()
            .collect();
            if !tail.is_empty() {
                line += &format!(" ({})", tail.join(", "));
            }
            line
        };
        let _unread = writeln!(std::io::stderr().lock(), "{line}");
    }
}

/// Whole milliseconds, for the machine-readable fields.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
