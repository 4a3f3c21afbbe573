//! When a container that ended runs again: policies and rules.

/// `spec.restartPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// Restart whatever the exit code.
    #[default]
    Always,
    /// Restart after a failure only.
    OnFailure,
    /// Never restart.
    Never,
}

/// One entry of `restartPolicyRules`: the first that matches an exit code decides (RST-6). It restarts the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRule {
    /// The exit codes it is about.
    pub codes: Vec<i32>,
    /// Whether it matches these (`In`), or all others (`NotIn`).
    pub listed: bool,
}

impl RestartRule {
    /// Whether it is about this exit code.
    #[must_use]
    pub fn matches(&self, code: i32) -> bool {
        self.codes.contains(&code) == self.listed
    }
}
