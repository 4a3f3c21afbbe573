//! Decides a pod's life.
//!
//! [`decide()`] is a total, pure function: given what was asked ([`Spec`]), what has been seen ([`Seen`]) and the
//! time, it answers with a [`Plan`]: what to do, what to tell watchers, and when to look again. There is no
//! clock, I/O, lock, log or panic here, and no Kubernetes type: `firstlight-api` settles a Pod into a `Spec` and
//! writes a [`Status`] back, `firstlight-node` calls `decide`, `firstlight-runtime` performs what it asks.
//!
//! ```text
//!  Spec ──┐
//!         ├─► decide(&Spec, &Seen, now) ─► Plan { actions, status, waits, wake }
//!  Seen ──┘                                        │
//!    ▲                                             ▼
//!    └────────────── fold(Event) ◄──────── the shell performs, and reports
//! ```
//!
//! Progress is a durable record per sandbox generation: an init is finished because its exit in *this* sandbox
//! was recorded ([`Event::Exited`]), never because some leftover object suggests it.
#![forbid(unsafe_code)]

pub mod action;
mod backoff;
pub mod decide;
pub mod draft;
pub mod env_file;
pub mod event;
pub mod garbage;
pub mod plan;
pub mod report;
pub mod seen;
pub mod spec;
pub mod status;
pub mod time;
mod words;

pub use action::{Action, Do, Launch, Why};
pub use decide::decide;
pub use event::Event;
pub use plan::{Plan, Wait};
pub use seen::Seen;
pub use spec::{PodId, Rules, Spec};
pub use status::Status;
pub use time::{Millis, Now};
