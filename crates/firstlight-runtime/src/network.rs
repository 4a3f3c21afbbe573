//! Which address does a pod get, and how do its packets travel? Asked by the engine (bridge and addresses) and by
//! each pod's shim (its own veth pair).
//!
//! ```text
//!   host namespace                          pod namespace
//!   ┌──────────────────────────┐            ┌─────────────────────┐
//!   │ bridge  x.y.z.1/24       │            │ lo   127.0.0.1      │
//!   │   ├─ fl1a2b3c4d5e6f7 ────┼── veth ────┼─ eth0 x.y.z.7/24    │
//!   │   └─ fl…                 │            │      default via .1 │
//!   └──────────────────────────┘            └─────────────────────┘
//! ```
//!
//! Everything here is synchronous and speaks rtnetlink over raw sockets, so that the single-threaded shim can use
//! it. Nothing outside the bridge's own subnet is ever configured: the host's routes and rules stay as they are.

pub mod addresses;
pub mod bridge;
pub mod identity;
pub mod netlink;
pub mod port;
pub mod subnet;

pub use addresses::Addresses;
pub use bridge::Bridge;
pub use netlink::Netlink;
pub use port::{Port, attach, detach, interface_name};
pub use subnet::choose_subnet;
