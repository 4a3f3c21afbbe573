//! The node between a real store and a runtime that exists only in memory.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

mod ends;
mod events;
mod grpc;
mod life;
mod machine;
mod network;
mod recovery;
mod runtime;
mod scene;
mod sources;
