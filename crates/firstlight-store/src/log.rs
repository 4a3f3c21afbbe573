//! How objects are kept on disk, and whether what is found there is whole. Asked by the writer, and once on opening.
//!
//! One SQLite database in WAL mode with `synchronous=FULL`, held exclusively. A row carries a checksum; the state row
//! carries how many rows there are and the sum of their checksums, so the database opens only to exactly a state that
//! was committed once: a lost, doubled or altered row is found even where the file's structure is sound.
//!
//! The file is named by its generation. When an fsync fails the file is not trusted again: the next generation is
//! written from memory, and takes over by rename.

mod failure;
mod files;
mod rows;

pub(crate) use failure::Failure;
pub(crate) use rows::{RowChange, Totals, checksum};

use crate::object::Revision;
use crate::open::OpenError;
use crate::snapshot::Snapshot;
use files::Files;
use rows::{ForeignRow, Loaded};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::Path;

/// The version of the tables this code reads and writes.
const SCHEMA: i64 = 1;

/// Each opening begins a new block of revisions of this size. A log that lost its tail to a damaged disk therefore
/// never gives a revision out twice: between two checkpoints fewer revisions are made than this.
const REVISION_BLOCK: u64 = 1 << 20;

/// How much may wait in the WAL before it is folded into the database: when nobody waits, and in any case.
const CHECKPOINT_IDLE: usize = 4 << 20;
const CHECKPOINT_BUSY: usize = 16 << 20;

/// The database.
#[derive(Debug)]
pub(crate) struct Log {
    files: Files,
    connection: Connection,
    /// Rows of resources this version does not serve: a newer version's, kept as they are.
    foreign: Vec<ForeignRow>,
    /// What was appended since the last checkpoint, about.
    waiting: usize,
}

/// What was found on opening.
pub(crate) struct Opened {
    pub(crate) log: Log,
    pub(crate) snapshot: Snapshot,
    pub(crate) totals: Totals,
}

impl Log {
    /// Opens the newest generation in `dir`, or makes the first one if the directory was never used.
    pub(crate) fn open(dir: &Path, used_before: bool) -> Result<Opened, OpenError> {
        let files = match Files::find(dir)? {
            Some(files) => files,
            None if used_before => {
                return Err(OpenError::damaged(dir, "the database is gone from a directory that had one"));
            }
            None => {
                let first = Files::first(dir);
                let fresh = Totals::default();
                rows::create(&first.draft(), &Snapshot::default(), &[], fresh)
                    .map_err(|error| unreadable(&first.draft(), &error))?;
                first.install().map_err(OpenError::io(dir))?;
                first
            }
        };
        let path = files.database();
        let connection = connect(&path).map_err(|error| unreadable(&path, &error))?;
        let Loaded { mut snapshot, foreign, mut totals } = rows::load(&connection, &path)?;
        totals.revision = next_block(totals.revision);
        snapshot.revision = totals.revision;
        let mut log = Log { files, connection, foreign, waiting: 0 };
        log.begin_block(totals);
        Ok(Opened { log, snapshot, totals })
    }

    /// Makes the changes durable, all or none.
    pub(crate) fn append(&mut self, changes: &[RowChange], totals: Totals) -> Result<(), Failure> {
        let place = Failure::at(&self.files.database());
        self.write(changes, totals).map_err(place)?;
        self.waiting += changes.iter().map(RowChange::cost).sum::<usize>();
        Ok(())
    }

    /// Folds the WAL into the database if that is due.
    pub(crate) fn checkpoint(&mut self, idle: bool) -> Result<(), Failure> {
        let due = if idle { CHECKPOINT_IDLE } else { CHECKPOINT_BUSY };
        if self.waiting < due {
            return Ok(());
        }
        self.waiting = 0;
        self.fold("PASSIVE").map_err(Failure::at(&self.files.database()))
    }

    /// Writes everything that is known to be acknowledged to a new generation and goes on with that.
    pub(crate) fn remake(&mut self, snapshot: &Snapshot, totals: Totals) -> Result<(), String> {
        let next = self.files.next();
        let explain = |error: &dyn std::fmt::Display| format!("{}: {error}", next.database().display());
        rows::create(&next.draft(), snapshot, &self.foreign, totals).map_err(|error| explain(&error))?;
        next.install().map_err(|error| explain(&error))?;
        self.connection = connect(&next.database()).map_err(|error| explain(&error))?;
        let old = std::mem::replace(&mut self.files, next);
        old.remove();
        self.waiting = 0;
        Ok(())
    }

    fn write(&mut self, changes: &[RowChange], totals: Totals) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for change in changes {
            change.write(&transaction)?;
        }
        totals.write(&transaction)?;
        transaction.commit()
    }

    fn fold(&self, mode: &str) -> rusqlite::Result<()> {
        self.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |_| Ok(()))
    }

    /// Makes the new block of revisions known to the database file itself. If the disk refuses, the store opens for
    /// reading, and the first write that succeeds says it.
    fn begin_block(&mut self, totals: Totals) {
        if let Err(error) = self.write(&[], totals).and_then(|()| self.fold("TRUNCATE")) {
            tracing::warn!(path = %self.files.database().display(), %error, "the store opened but cannot write yet");
        }
    }
}

/// The revision an opening begins at. Zero means "any" to clients, so a new store begins at one.
pub(crate) fn next_block(last: Revision) -> Revision {
    match last {
        Revision(0) => Revision(1),
        Revision(last) => Revision((last / REVISION_BLOCK + 1) * REVISION_BLOCK),
    }
}

/// Opens a database that is there, so that this process alone uses it and nothing but commits and checkpoints
/// changes it.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    Ok(connection)
}

/// Tells a file system that refuses from a file that is damaged.
fn unreadable(path: &Path, error: &rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(CannotOpen | DiskFull | PermissionDenied | ReadOnly | SystemIoFailure) => {
            OpenError::Io(path.to_owned(), std::io::Error::other(error.to_string()))
        }
        Some(_) | None => OpenError::damaged(path, error.to_string()),
    }
}

#[cfg(test)]
mod tests;
