//! What a verb says when it could not do its work: a code, one word for machines, a sentence, and the way out.

use std::fmt;

use crate::exit::Code;

/// The bad end of a verb. Logged once, by `main`.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What the process exits with.
    pub code: Code,
    /// One stable word: `deadline`, `digest`, `lock`, ...
    pub reason: &'static str,
    /// What happened, with the place; lower case, no full stop.
    pub message: String,
    /// What it was about: an address, a path, a marker. Already safe to print.
    pub target: Option<String>,
    /// The way out, if one is known.
    pub hint: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
}

impl Failure {
    /// A failure without target or hint.
    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Failure {
        Failure { code, reason, message: message.into(), target: None, hint: None, attempts: 0 }
    }

    /// Bad usage.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Code::Usage, "usage", message)
    }

    /// An error of the machine: names what was being done.
    pub fn io(doing: impl fmt::Display, error: impl fmt::Display) -> Failure {
        Failure::new(Code::Unexpected, "io", format!("{doing}: {error}"))
    }

    /// What it was about.
    pub fn target(mut self, target: impl Into<String>) -> Failure {
        self.target = Some(target.into());
        self
    }

    /// The way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// How often it was tried.
    pub fn attempts(mut self, attempts: u32) -> Failure {
        self.attempts = attempts;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.target {
            write!(f, "{target}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}
