//! The command as its users have it: a real engine, a stock kubectl, real containers, a real registry.
//!
//! Each test starts an engine of its own on a directory of its own, and `down` must leave nothing behind.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure, with the place and the cause")]

mod bad_input;
mod claims;
mod examples;
mod faults;
mod harness;
mod kubectl;
mod recovery;
mod rows;
mod up_and_down;
