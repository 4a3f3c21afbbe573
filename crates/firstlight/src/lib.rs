//! The engine as a library: one page of wiring.
//!
//! ```text
//!              ┌──────────── store ────────────┐
//!   listener ─► server (api)      node ◄─► runtime ─► kernel
//!                 ▲    └── Console ──────────┘
//!   workloads ────┘ (in-process client)        dns ◄─ store
//! ```
//!
//! Nothing is decided here: each part is made, given what it needs, and stopped in the reverse order.
#![forbid(unsafe_code)]

mod builder;
mod claims;
mod console;
mod engine;
pub mod images;
pub mod lifecycle;
mod place;
mod renewal;

pub use builder::Builder;
pub use engine::Firstlight;
pub use firstlight_runtime::{Allow, Registries};

/// If this process was started as a pod's own process, runs as that and returns how it ended. A program that embeds
/// the engine calls this first thing in `main`, before any thread exists.
#[must_use]
pub fn reexec() -> Option<std::process::ExitCode> {
    firstlight_runtime::reexec()
}

/// Makes ring the process's cryptography. Harmless to repeat.
pub fn install_crypto() {
    // An error means that a provider is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
