//! What only a real kernel, a real registry and real file systems can show. Needs root; leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a panic is the failure of a test")]

mod containers;
mod images;
mod network;
mod volumes;
