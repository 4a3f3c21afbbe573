//! The bootstrap protocol, step by step: claim, make, publish, commit, serve, follow.
