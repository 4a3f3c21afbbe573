//! What hangs below an object and is no part of it: acts that are posted.

pub(crate) mod binding;
pub(crate) mod eviction;
