//! Logs, exec, attach and port-forward.
