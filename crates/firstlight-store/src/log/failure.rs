//! What a failed commit means for the file: try again later, or never trust it again.

use rusqlite::{ErrorCode, ffi};
use std::path::Path;

/// Why a batch is not durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The disk is full or read-only: the transaction left no trace, later ones may succeed.
    Passing(String),
    /// An fsync failed, or the file is damaged: what the disk holds is unknown. After a failed fsync Linux may drop
    /// the pages and report the next one as good (the PostgreSQL fsync finding of 2018), so it is not repeated.
    InDoubt(String),
}

impl Failure {
    /// For `map_err` of an operation on the database at `path`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(rusqlite::Error) -> Failure + use<> {
        let path = path.display().to_string();
        move |error| {
            let reason = format!("{path}: {error}");
            if passes(&error) { Failure::Passing(reason) } else { Failure::InDoubt(reason) }
        }
    }
}

fn passes(error: &rusqlite::Error) -> bool {
    let Some(ffi::Error { code, extended_code }) = error.sqlite_error() else { return false };
    match code {
        ErrorCode::DiskFull | ErrorCode::ReadOnly => true,
        // A refused write() leaves the WAL's valid part as it was; only a refused fsync() is a lie about the past.
        ErrorCode::SystemIoFailure => *extended_code == ffi::SQLITE_IOERR_WRITE,
        _ => false,
    }
}
