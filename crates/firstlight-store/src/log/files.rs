//! Which files the log lives in: one database per generation, the newest counts.

use crate::open::OpenError;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The files of one generation.
#[derive(Debug, Clone)]
pub(super) struct Files {
    dir: PathBuf,
    generation: u64,
}

impl Files {
    /// The first generation of a directory.
    pub(super) fn first(dir: &Path) -> Files {
        Files { dir: dir.to_owned(), generation: 1 }
    }

    /// The newest generation in `dir`. Removes what an interrupted take-over left; an empty database is not one we
    /// made, because a database gets its name only when it is complete.
    pub(super) fn find(dir: &Path) -> Result<Option<Files>, OpenError> {
        let (mut generations, mut orphans) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(dir).map_err(OpenError::io(dir))? {
            let name = entry.map_err(OpenError::io(dir))?.file_name();
            let Some((generation, rest)) = name.to_str().and_then(parse) else { continue };
            if rest.is_empty() { generations.push(generation) } else { orphans.push((generation, rest.to_owned())) }
        }
        let Some(newest) = generations.iter().copied().max() else {
            let wal = orphans.iter().find(|(_, rest)| rest == "-wal");
            return match wal {
                Some((generation, _)) => {
                    let path = Files { dir: dir.to_owned(), generation: *generation }.database();
                    Err(OpenError::damaged(&path, "the database is gone, its write-ahead log is still there"))
                }
                None => Ok(None),
            };
        };
        let files = Files { dir: dir.to_owned(), generation: newest };
        let path = files.database();
        if fs::metadata(&path).map_err(OpenError::io(&path))?.len() == 0 {
            return Err(OpenError::damaged(&path, "the database is empty"));
        }
        for generation in generations.into_iter().chain(orphans.into_iter().map(|(generation, _)| generation)) {
            if generation != newest {
                Files { dir: dir.to_owned(), generation }.remove();
            }
        }
        Ok(Some(files))
    }

    /// The generation after this one.
    pub(super) fn next(&self) -> Files {
        Files { dir: self.dir.clone(), generation: self.generation + 1 }
    }

    /// The database.
    pub(super) fn database(&self) -> PathBuf {
        self.with("")
    }

    /// Where it is written until it is complete.
    pub(super) fn draft(&self) -> PathBuf {
        self.with(".new")
    }

    /// Gives the complete draft its name, durably.
    pub(super) fn install(&self) -> io::Result<()> {
        File::open(self.draft())?.sync_all()?;
        fs::rename(self.draft(), self.database())?;
        File::open(&self.dir)?.sync_all()
    }

    /// Removes this generation. What cannot be removed is tried again on the next opening.
    pub(super) fn remove(&self) {
        for suffix in ["", "-wal", "-shm", ".new", ".new-journal"] {
            let _ = fs::remove_file(self.with(suffix));
        }
    }

    fn with(&self, suffix: &str) -> PathBuf {
        self.dir.join(format!("objects.{}.sqlite{suffix}", self.generation))
    }
}

/// A generation's number and what follows the database's name.
fn parse(name: &str) -> Option<(u64, &str)> {
    let (generation, rest) = name.strip_prefix("objects.")?.split_once(".sqlite")?;
    Some((generation.parse().ok()?, rest))
}
