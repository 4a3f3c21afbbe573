//! The engine as a library: store, server, node, runtime, DNS and workloads wired together.
