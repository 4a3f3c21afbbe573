//! The pod's sandbox as far as it is known; asked by the fold and by every phase of the decision.

use crate::time::Now;

/// The newest sandbox generation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Sandbox {
    /// There never was one.
    #[default]
    Never,
    /// Asked for.
    Creating { attempt: u32, since: Now, failures: u32, replaces: bool },
    /// Up, perhaps asked to go.
    Ready { attempt: u32, pod_ip: String, host_ip: String, since: Now, removing: Option<Now> },
    /// It could not be made; nothing of it is left.
    Failed { attempt: u32, message: String, at: Now, failures: u32 },
    /// It was up and is not any more. What became of its containers is `written` once the API has it; until then its
    /// journal alone knows.
    Gone { attempt: u32, at: Now, pod_ip: Option<String>, host_ip: Option<String>, written: bool },
}

impl Sandbox {
    pub(crate) fn ready(attempt: u32, pod_ip: &str, host_ip: &str, since: Now) -> Sandbox {
        Sandbox::Ready { attempt, pod_ip: pod_ip.to_owned(), host_ip: host_ip.to_owned(), since, removing: None }
    }

    pub(crate) fn attempt(&self) -> Option<u32> {
        match self {
            Sandbox::Never => None,
            Sandbox::Creating { attempt, .. }
            | Sandbox::Ready { attempt, .. }
            | Sandbox::Failed { attempt, .. }
            | Sandbox::Gone { attempt, .. } => Some(*attempt),
        }
    }

    /// The number of the generation after this one (SBX-1).
    pub(crate) fn next_attempt(&self) -> u32 {
        self.attempt().map_or(0, |attempt| attempt.saturating_add(1))
    }

    /// Whether containers can be started in it (CON-2).
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Sandbox::Ready { removing: None, .. })
    }

    /// Whether there is one, or will be.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Sandbox::Creating { .. } | Sandbox::Ready { .. } => true,
            Sandbox::Never | Sandbox::Failed { .. } | Sandbox::Gone { .. } => false,
        }
    }

    /// The address of the pod now, or that it had last.
    pub(crate) fn pod_ip(&self) -> Option<&str> {
        match self {
            Sandbox::Ready { pod_ip, .. } => Some(pod_ip),
            Sandbox::Gone { pod_ip, .. } => pod_ip.as_deref(),
            Sandbox::Never | Sandbox::Creating { .. } | Sandbox::Failed { .. } => None,
        }
    }

    /// The node's address as pods see it.
    pub(crate) fn host_ip(&self) -> Option<&str> {
        match self {
            Sandbox::Ready { host_ip, .. } => Some(host_ip),
            Sandbox::Gone { host_ip, .. } => host_ip.as_deref(),
            Sandbox::Never | Sandbox::Creating { .. } | Sandbox::Failed { .. } => None,
        }
    }

    pub(crate) fn creating(&mut self, attempt: u32, since: Now) {
        let (failures, replaces) = match self {
            Sandbox::Failed { failures, .. } => (*failures, false),
            Sandbox::Creating { failures, replaces, .. } => (*failures, *replaces),
            Sandbox::Gone { .. } => (0, true),
            Sandbox::Never | Sandbox::Ready { .. } => (0, false),
        };
        *self = Sandbox::Creating { attempt, since, failures, replaces };
    }

    pub(crate) fn failed(&mut self, attempt: u32, message: &str, at: Now) {
        let failures = match self {
            Sandbox::Creating { failures, .. } | Sandbox::Failed { failures, .. } => failures.saturating_add(1),
            Sandbox::Never | Sandbox::Ready { .. } | Sandbox::Gone { .. } => 1,
        };
        *self = Sandbox::Failed { attempt, message: message.to_owned(), at, failures };
    }

    pub(crate) fn removing(&mut self, at: Now) {
        if let Sandbox::Ready { removing, .. } = self {
            removing.get_or_insert(at);
        }
    }

    pub(crate) fn gone(&mut self, attempt: u32, at: Now) {
        let (pod_ip, host_ip) = (self.pod_ip().map(str::to_owned), self.host_ip().map(str::to_owned));
        *self = Sandbox::Gone { attempt, at, pod_ip, host_ip, written: false };
    }

    pub(crate) fn written(&mut self) {
        if let Sandbox::Gone { written, .. } = self {
            *written = true;
        }
    }

    /// Since when it is known by its journal alone what became of it.
    pub(crate) fn unwritten_since(&self) -> Option<Now> {
        match self {
            Sandbox::Gone { at, written: false, .. } => Some(*at),
            Sandbox::Gone { written: true, .. }
            | Sandbox::Never
            | Sandbox::Creating { .. }
            | Sandbox::Ready { .. }
            | Sandbox::Failed { .. } => None,
        }
    }
}
