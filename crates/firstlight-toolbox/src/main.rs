//! The fl command.

fn main() {}
