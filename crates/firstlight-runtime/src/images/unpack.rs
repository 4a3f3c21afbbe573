//! How does a layer become a directory without touching anything else? Asked by `layers.rs`.
//!
//! A layer is written by a stranger. Each entry is checked by itself (`entries.rs`, `name.rs`), placed through
//! directory descriptors that the kernel keeps beneath the layer's root (`place.rs`), and refused by name if it does
//! anything a layer has no business doing (S5, S6). Whiteouts become what overlayfs reads: 0:0 character devices and
//! `trusted.overlay.opaque`.

mod entries;
mod name;
mod place;

pub(super) use entries::{Entries, Kind};
pub(super) use name::plain;
pub(super) use place::OPAQUE;

use std::io::{self, Read};
use std::os::fd::OwnedFd;

/// Most entries of one layer (S6). The largest images in use have some 300,000 in all.
const ENTRIES_MAX: u64 = 1_000_000;

/// Why an archive was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// One entry of it; the place comes first.
    #[error("entry {entry:?}: {reason}")]
    Entry { entry: String, reason: String },
    /// The archive as a whole.
    #[error("{0}")]
    Archive(String),
    /// The source could not be read, or the disk not written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Unpacks the tar `source` into the empty directory `root`; reads `source` to its end.
pub(super) fn unpack(source: impl Read, root: OwnedFd) -> Result<(), Refusal> {
    unpack_at_most(ENTRIES_MAX, source, root)
}

fn unpack_at_most(entries_max: u64, source: impl Read, root: OwnedFd) -> Result<(), Refusal> {
    let mut entries = Entries::new(source);
    let mut tree = place::Tree::new(root);
    let mut count = 0u64;
    while let Some(entry) = entries.next()? {
        count += 1;
        if count > entries_max {
            return Err(Refusal::Archive(format!("it has more than {entries_max} entries")));
        }
        let shown = String::from_utf8_lossy(&entry.path).into_owned();
        tree.put(entry, &mut entries.data()).map_err(|fault| fault.at(&shown))?;
    }
    tree.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests;
