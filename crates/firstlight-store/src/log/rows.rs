//! The tables: what a row holds, how it is checked, how all of them are read and written.

use super::SCHEMA;
use crate::object::{Object, Revision};
use crate::open::OpenError;
use crate::snapshot::{Entry, Snapshot};
use bytes::Bytes;
use firstlight_api::object::{Key, Resource, resources};
use rusqlite::{Connection, Row, Transaction, params};
use std::path::Path;
use std::sync::Arc;

/// "flst": tells our database from any other.
const APPLICATION_ID: i64 = 0x666c_7374;

/// What one write does to the table.
#[derive(Debug, Clone)]
pub(crate) enum RowChange {
    /// A new row.
    Insert { row: i64, sum: u32, object: Arc<Object> },
    /// New content for a row that is there.
    Update { row: i64, sum: u32, object: Arc<Object> },
    /// The row goes.
    Delete { row: i64 },
}

impl RowChange {
    /// About how much the WAL grows by it: the text and the page around it.
    pub(super) fn cost(&self) -> usize {
        const PAGE: usize = 4096;
        match self {
            RowChange::Insert { row: _, sum: _, object } | RowChange::Update { row: _, sum: _, object } => {
                PAGE + object.bytes.len()
            }
            RowChange::Delete { row: _ } => PAGE,
        }
    }

    pub(super) fn write(&self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        match self {
            RowChange::Insert { row, sum, object } => insert(to, *row, *sum, object),
            RowChange::Update { row, sum, object } => {
                let text = text(&object.bytes)?;
                to.prepare_cached("UPDATE objects SET revision = ?2, sum = ?3, value = ?4 WHERE id = ?1")?
                    .execute(params![row, signed(object.revision), sum, text])
                    .and_then(one_row)
            }
            RowChange::Delete { row } => {
                to.prepare_cached("DELETE FROM objects WHERE id = ?1")?.execute([row]).and_then(one_row)
            }
        }
    }
}

/// What the state row says about all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// The latest revision.
    pub(crate) revision: Revision,
    /// How many rows there are.
    pub(crate) objects: i64,
    /// The sum of their checksums, wrapping.
    pub(crate) sum: i64,
}

impl Totals {
    pub(super) fn write(self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        to.prepare_cached("UPDATE state SET revision = ?1, objects = ?2, sum = ?3")?
            .execute(params![signed(self.revision), self.objects, self.sum])
            .and_then(one_row)
    }
}

/// A row of a resource this version does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignRow {
    row: i64,
    resource: String,
    namespace: String,
    name: String,
    revision: i64,
    sum: u32,
    value: String,
}

/// Everything a database holds.
pub(super) struct Loaded {
    pub(super) snapshot: Snapshot,
    pub(super) foreign: Vec<ForeignRow>,
    pub(super) totals: Totals,
}

/// The checksum of an object's row.
pub(crate) fn checksum(object: &Object) -> u32 {
    let Key { resource, namespace, name } = &object.key;
    sum_of(&resource_text(*resource), namespace, name, signed(object.revision), &object.bytes)
}

/// Writes a whole database at `path`, in place of what may be there. Durable only once the caller syncs the file.
pub(super) fn create(path: &Path, snapshot: &Snapshot, foreign: &[ForeignRow], totals: Totals) -> rusqlite::Result<()> {
    // A missing file is the usual case, and what cannot be removed cannot be opened either.
    let _ = std::fs::remove_file(path);
    let mut connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE schema (version INTEGER NOT NULL);
         CREATE TABLE state (revision INTEGER NOT NULL, objects INTEGER NOT NULL, sum INTEGER NOT NULL);
         CREATE TABLE objects (
             id INTEGER PRIMARY KEY, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
             revision INTEGER NOT NULL, sum INTEGER NOT NULL, value TEXT NOT NULL);
         INSERT INTO state VALUES (0, 0, 0);",
    )?;
    transaction.execute("INSERT INTO schema VALUES (?1)", [SCHEMA])?;
    for Entry { row, sum, object } in snapshot.entries() {
        insert(&transaction, *row, *sum, object)?;
    }
    for ForeignRow { row, resource, namespace, name, revision, sum, value } in foreign {
        insert_row(&transaction, *row, [resource, namespace, name], *revision, *sum, value)?;
    }
    totals.write(&transaction)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

/// Reads and checks everything.
pub(super) fn load(from: &Connection, path: &Path) -> Result<Loaded, OpenError> {
    let sql = |error: rusqlite::Error| super::unreadable(path, &error);
    let damaged = |problem: String| OpenError::damaged(path, problem);
    let id: i64 = from.query_row("PRAGMA application_id", (), |row| row.get(0)).map_err(sql)?;
    if id != APPLICATION_ID {
        return Err(damaged("it is not a Firstlight store".to_owned()));
    }
    check_schema(from, path)?;
    let totals = from.query_row("SELECT revision, objects, sum FROM state", (), read_totals).map_err(sql)?;
    let mut found = Loaded { snapshot: Snapshot::default(), foreign: Vec::new(), totals };
    let mut seen = Totals { revision: totals.revision, objects: 0, sum: 0 };
    let mut statement = from
        .prepare("SELECT id, resource, namespace, name, revision, sum, value FROM objects ORDER BY id")
        .map_err(sql)?;
    let mut rows = statement.query(()).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let row = read_row(row).map_err(sql)?;
        seen.objects += 1;
        seen.sum = seen.sum.wrapping_add(i64::from(row.sum));
        accept(row, &mut found).map_err(damaged)?;
    }
    if seen != totals {
        return Err(damaged(format!("{} of {} objects were found whole", seen.objects, totals.objects)));
    }
    Ok(found)
}

fn check_schema(from: &Connection, path: &Path) -> Result<(), OpenError> {
    let version: i64 = from
        .query_row("SELECT version FROM schema", (), |row| row.get(0))
        .map_err(|error| super::unreadable(path, &error))?;
    if version == SCHEMA {
        return Ok(());
    }
    Err(OpenError::Unreadable {
        path: path.to_owned(),
        problem: format!("it has schema version {version}, this engine knows version {SCHEMA}"),
        way_out: "start the engine version that wrote it, or name another --data-dir".to_owned(),
    })
}

/// Takes one row in, if it is what was written.
fn accept(row: ForeignRow, into: &mut Loaded) -> Result<(), String> {
    let ForeignRow { row: id, resource, namespace, name, revision, sum, value } = &row;
    let place = || format!("{resource} {namespace}/{name}");
    if sum_of(resource, namespace, name, *revision, value.as_bytes()) != *sum {
        return Err(format!("{}: its checksum is wrong", place()));
    }
    let Some(served) = served(resource) else {
        into.foreign.push(row);
        return Ok(());
    };
    let revision = u64::try_from(*revision).map_err(|_| format!("{}: its revision is negative", place()))?;
    let parsed = serde_json::from_str(value).map_err(|error| format!("{}: {error}", place()))?;
    let key = Key::new(served, namespace.clone(), name.clone());
    if into.snapshot.get(&key).is_some() {
        return Err(format!("{}: it is there twice", place()));
    }
    let bytes = Bytes::copy_from_slice(value.as_bytes());
    let object = Arc::new(Object { key, revision: Revision(revision), value: parsed, bytes });
    into.snapshot.insert(Entry { row: *id, sum: *sum, object });
    Ok(())
}

fn read_totals(row: &Row<'_>) -> rusqlite::Result<Totals> {
    Ok(Totals { revision: Revision(unsigned(row.get(0)?)), objects: row.get(1)?, sum: row.get(2)? })
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<ForeignRow> {
    Ok(ForeignRow {
        row: row.get(0)?,
        resource: row.get(1)?,
        namespace: row.get(2)?,
        name: row.get(3)?,
        revision: row.get(4)?,
        sum: row.get(5)?,
        value: row.get(6)?,
    })
}

fn insert(to: &Transaction<'_>, row: i64, sum: u32, object: &Object) -> rusqlite::Result<()> {
    let Key { resource, namespace, name } = &object.key;
    let text = text(&object.bytes)?;
    insert_row(to, row, [&resource_text(*resource), namespace, name], signed(object.revision), sum, text)
}

fn insert_row(
    to: &Transaction<'_>,
    row: i64,
    [resource, namespace, name]: [&String; 3],
    revision: i64,
    sum: u32,
    value: &str,
) -> rusqlite::Result<()> {
    to.prepare_cached("INSERT INTO objects VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![row, resource, namespace, name, revision, sum, value])
        .and_then(one_row)
}

/// A statement that touched anything but one row met a damaged table.
fn one_row(touched: usize) -> rusqlite::Result<()> {
    if touched == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(touched)) }
}

fn text(bytes: &Bytes) -> rusqlite::Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| rusqlite::Error::Utf8Error(6, error))
}

/// `statefulsets.apps`; the core group has no dot.
fn resource_text(Resource { group, plural }: Resource) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}

fn served(text: &str) -> Option<Resource> {
    let (plural, group) = text.split_once('.').unwrap_or((text, ""));
    resources::ALL.into_iter().find(|resource| resource.plural == plural && resource.group == group)
}

fn sum_of(resource: &str, namespace: &str, name: &str, revision: i64, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [resource.as_bytes(), namespace.as_bytes(), name.as_bytes(), &revision.to_le_bytes(), value] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
pub(super) fn checksum_of_text(resource: &str, namespace: &str, name: &str, revision: i64, text: &str) -> u32 {
    sum_of(resource, namespace, name, revision, text.as_bytes())
}

/// SQLite's integers are signed; revisions stay far below 2^63.
fn signed(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}
