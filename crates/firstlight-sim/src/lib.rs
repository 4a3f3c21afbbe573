//! A whole node in memory from one seed.
