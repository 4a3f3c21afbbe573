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

/// One entry of `restartPolicyRules`: the first that matches an exit code decides (RST-6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRule {
    /// What follows.
    pub action: RuleAction,
    /// The exit codes it is about.
    pub codes: Vec<i32>,
    /// Whether it matches these (`In`), or all others (`NotIn`).
    pub listed: bool,
}

/// What a rule does about an end it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RuleAction {
    /// Restart the container.
    #[default]
    Restart,
    /// Restart every container of the pod, from the first init step on (RST-12).
    RestartAllContainers,
}

impl RestartRule {
    /// Whether it is about this exit code.
    #[must_use]
    pub fn matches(&self, code: i32) -> bool {
        self.codes.contains(&code) == self.listed
    }
}
