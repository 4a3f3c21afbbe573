//! Answers DNS for Services and pods from the store; asks the host's servers for every other name.
//!
//! ```text
//!  bytes ──► wire: a question ──► place: what the name stands for ──► zone: the answer, from the store's snapshot
//!                                        │ not ours                                             │
//!                                        └──► forward ──► an upstream                           ▼
//!  bytes ◄───────────────────────────────────────────────────────────────────────────── wire: a reply
//! ```
//!
//! Nothing is kept here: each question is answered from the latest snapshot, so an address is found as soon as the
//! store knows that it is ready, and never after it knows that it is not.
//!
//! | module | question it answers |
//! | --- | --- |
//! | [`place`] | what does this name stand for? |
//! | [`zone`] | what is there, as of a snapshot? |
//! | [`wire`] | how is it said? |
//! | [`forward`] | what do the host's servers say? |
//! | [`server`] | who asks, over UDP and TCP? |
//!
//! Source of the names: Kubernetes DNS-Based Service Discovery, version 1.1.0.
#![forbid(unsafe_code)]

mod forward;
mod place;
mod server;
mod wire;
mod zone;

pub use server::{Dns, DnsConfig};
