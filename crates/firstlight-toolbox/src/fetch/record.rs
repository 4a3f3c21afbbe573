//! The note beside a fetched file that makes a second run cost one `stat`: what was fetched, and how the file looked
//! when it was published.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use firstlight_bootstrap::Digest;
use serde_json::{Value, json};

use super::{Order, Wanted};
use crate::hash;
use crate::publish;

/// The version of the note's form.
const SCHEMA: u64 = 1;

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// From where; hashed, because an address can carry credentials.
    source: Digest,
    /// What it was.
    pub sha256: Digest,
    /// The file at publication.
    stat: Stat,
}

/// What changes when a file is written, replaced or touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    size: u64,
    inode: u64,
    changed_s: i64,
    changed_ns: i64,
}

impl Stat {
    fn of(metadata: &Metadata) -> Stat {
        let (size, inode) = (metadata.len(), metadata.ino());
        Stat { size, inode, changed_s: metadata.ctime(), changed_ns: metadata.ctime_nsec() }
    }
}

fn source_digest(order: &Order) -> Digest {
    let full = match order.source.url() {
        Some(url) => format!("{}:{}{}", url.host, url.port, url.path),
        None => order.source.to_string(),
    };
    hash::of_bytes(full.as_bytes())
}

/// The digest of the file if it is already what is wanted. An unreadable note is no note.
pub async fn already_here(order: &Order) -> Option<Digest> {
    let found = std::fs::symlink_metadata(&order.to).ok().filter(Metadata::is_file)?;
    let record = read(&order.to);
    let fits = record.as_ref().is_some_and(|record| record.stat == Stat::of(&found)) && !order.always;
    let digest = match (&record, fits) {
        (Some(record), true) => record.sha256,
        _ => {
            let file = std::fs::File::open(&order.to).ok()?;
            hash::of_file(&file).await.ok()?.digest()
        }
    };
    let from_there =
        record.as_ref().is_some_and(|record| record.source == source_digest(order) && record.sha256 == digest);
    let wanted = match order.wanted {
        Wanted::Exact(exact) => exact == digest,
        Wanted::Announced | Wanted::Any => from_there,
    };
    if wanted && !fits {
        // Noted anew, so that the next run is cheap again; failing that it is only slower.
        let _slower = write(order, digest);
    }
    wanted.then_some(digest)
}

/// Notes what was published.
pub fn write(order: &Order, sha256: Digest) -> io::Result<()> {
    let record =
        Record { source: source_digest(order), sha256, stat: Stat::of(&std::fs::symlink_metadata(&order.to)?) };
    let Record { source, sha256, stat: Stat { size, inode, changed_s, changed_ns } } = record;
    let note = json!({
        "schema": SCHEMA,
        "source": source.to_string(),
        "sha256": sha256.to_string(),
        "size": size,
        "inode": inode,
        "changed": [changed_s, changed_ns],
    });
    publish::write(&publish::beside(&order.to, "fetched")?, note.to_string().as_bytes(), publish::DEFAULT_MODE)
}

fn read(to: &Path) -> Option<Record> {
    let bytes = std::fs::read(publish::beside(to, "fetched").ok()?).ok()?;
    let note: Value = serde_json::from_slice(&bytes).ok()?;
    let digest = |key: &str| note[key].as_str().and_then(Digest::parse);
    if note["schema"].as_u64() != Some(SCHEMA) {
        return None;
    }
    let stat = Stat {
        size: note["size"].as_u64()?,
        inode: note["inode"].as_u64()?,
        changed_s: note["changed"][0].as_i64()?,
        changed_ns: note["changed"][1].as_i64()?,
    };
    Some(Record { source: digest("source")?, sha256: digest("sha256")?, stat })
}
