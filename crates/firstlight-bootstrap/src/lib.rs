//! The bootstrap protocol, step by step: claim, make, publish, commit, serve, follow.
//!
//! Pure: no clock, I/O, lock, log or panic. The toolbox and the recipes ask; nothing here acts.
//!
//! *Claimed*, *made*, *published* and *committed* are four different facts, and most bootstrap bugs in the field
//! come from one flag that stood for two of them. Here each is a state of its own:
//!
//! | fact | what is durable then | who may rely on it |
//! | --- | --- | --- |
//! | claimed | who makes it, from which inputs, which paths it may write | nobody but the maker |
//! | made | the command ended well and its own check agreed | nobody |
//! | published | the bytes are on disk under their final names | nobody |
//! | committed | the digests of those bytes | everybody |
#![forbid(unsafe_code)]

pub mod digest;
pub mod marker;

pub use digest::Digest;
