//! Findings over manifests and live snapshots.
