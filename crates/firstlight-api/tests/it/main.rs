//! The integration tests of this crate, one binary.
#![allow(clippy::unwrap_used, reason = "a panic in a test is its failure")]

mod apply;
mod codec;
mod examples;
mod golden;
mod kinds;
mod patch;
mod print;
mod properties;
mod validate;
