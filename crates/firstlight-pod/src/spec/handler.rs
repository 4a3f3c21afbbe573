//! What probes and hooks do, and how often (sections 1.15 and 1.16).

use crate::time::Millis;

/// A probe, settled (PRB-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub handler: Handler,
    /// Wait after start before the first try.
    pub initial_delay: Millis,
    /// Time between tries.
    pub period: Millis,
    /// How long one try may take.
    pub timeout: Millis,
    /// Successes in a row to become successful.
    pub success_threshold: u32,
    /// Failures in a row to become failed.
    pub failure_threshold: u32,
    /// Grace used when this probe's failure stops the container.
    pub grace: Option<Millis>,
}

/// What a probe or a hook does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// Run a command in the container; taken literally (HOK-5).
    Exec(Vec<String>),
    /// Ask a URL; the host defaults to the pod's address.
    Http {
        /// Empty: the pod's address.
        host: String,
        /// Port, by number; names are resolved when settling.
        port: u16,
        /// Path and query.
        path: String,
        /// Whether to speak TLS (certificates are not checked, as in Kubernetes).
        https: bool,
        /// Extra headers.
        headers: Vec<(String, String)>,
    },
    /// Open a connection.
    Tcp {
        /// Empty: the pod's address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Ask `grpc.health.v1.Health/Check`, without TLS; only probes do. Always at the pod's address.
    Grpc {
        /// Port.
        port: u16,
        /// What is asked about; empty for the server as a whole.
        service: String,
    },
    /// Do nothing for this long.
    Sleep(Millis),
}
