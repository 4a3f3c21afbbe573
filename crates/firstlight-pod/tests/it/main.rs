//! The life of whole pods: stories that a stranger can review, tables of upstream's cases, laws over random lives, and
//! every small input.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

mod crashes;
mod endings;
mod handlers;
mod laws;
mod lives;
mod pods;
mod print;
mod small;
mod statuses;
mod stories;
mod tables;
mod turns;
mod world;
