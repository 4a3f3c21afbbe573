//! One container: from what a manifest and an image say to a process that waits to be started.
//!
//! ```text
//!  engine                                     creator (a short-lived fork of the shim)
//!  Launch + image ── settle ──► Order ──────► root: overlay, checked by descriptor (decision 6)
//!                                             user: names resolved in the image
//!                                             spec: OCI runtime spec
//!                                             create: libcontainer
//! ```

pub(crate) mod capabilities;
pub(crate) mod cgroup;
pub(crate) mod confine;
pub(crate) mod create;
pub(crate) mod limits;
pub(crate) mod root;
pub(crate) mod seccomp;
pub(crate) mod settle;
pub(crate) mod spec;
pub(crate) mod user;
