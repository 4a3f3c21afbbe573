//! StatefulSets, EndpointSlices, accounts, Namespaces, claims and garbage: what Kubernetes' controller manager does, as far as
//! Firstlight serves it. Only the Kubernetes API is spoken, so this runs against any cluster.
//!
//! ```text
//!  watches ─► World ─► desk::concerned: who is to look at what ─► desk::decide ─► Plan { acts, wake }
//!               ▲                                                                   │
//!               └───────────── answers ◄── shell: one request for each act ◄────────┘
//! ```
//!
//! The desks are pure: each looks at the whole [`World`] and answers what is to be done about one object. The shell is
//! driven by changes, never by polling, so what follows from a change is asked for within milliseconds; and because a desk
//! decides from what is there rather than from what happened, nothing depends on a change being told once or at all.
//!
//! | file | what it decides or does |
//! | --- | --- |
//! | [`stateful_set`] | pods of StatefulSets, revisions, status (STS) |
//! | [`slices`] | EndpointSlices of Services with a selector (NET-3, NET-4) |
//! | [`accounts`] | ServiceAccount `default` and ConfigMap `kube-root-ca.crt` in every Namespace |
//! | [`namespaces`] | Namespaces that are going away |
//! | [`claims`] | PersistentVolumeClaims that are going away |
//! | [`garbage`] | what is owned by what is gone |
//! | [`desk`] | which of these a change concerns |
//! | [`ledger`] | what is still to be asked, and when |
//! | `shell` | watches, requests, events |
#![forbid(unsafe_code)]

pub mod accounts;
pub mod act;
pub mod claims;
pub mod desk;
pub mod garbage;
pub mod hash;
pub mod ledger;
pub mod namespaces;
pub mod slices;
pub mod stateful_set;
pub mod world;

mod shell;

pub use desk::Settings;
pub use world::World;

use kube::Client;
use tokio_util::sync::CancellationToken;

/// Runs all desks until `stop`, without publishing a root certificate; see [`run_with`].
///
/// # Errors
/// If the loop ends although it was not told to.
pub async fn run(client: Client, stop: CancellationToken) -> anyhow::Result<()> {
    run_with(client, Settings::default(), stop).await
}

/// Runs all desks until `stop`.
///
/// An API that is away is waited for; whatever was under way when this ends is decided again by the next run.
///
/// # Errors
/// If the loop ends although it was not told to.
pub async fn run_with(client: Client, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    shell::work(client, settings, stop).await
}
