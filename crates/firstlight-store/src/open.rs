//! Why a data directory cannot be opened, and the way out.

use std::io;
use std::path::{Path, PathBuf};

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another engine uses it.
    #[error("{0} is used by another engine (process {1}); stop it or name another --data-dir")]
    Locked(PathBuf, u32),
    /// The database is damaged or from a newer version.
    #[error("{path}: {problem}; {way_out}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What can be done.
        way_out: String,
    },
    /// The file system refused.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

impl OpenError {
    /// The database is not what the store wrote: nothing in it is trusted.
    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> OpenError {
        OpenError::Unreadable {
            path: path.to_owned(),
            problem: problem.into(),
            way_out: "restore the data directory from a copy, or move it away to begin anew and apply your manifests \
                      again"
                .to_owned(),
        }
    }

    /// For `map_err` of a file operation on `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
        let path = path.to_owned();
        move |error| OpenError::Io(path, error)
    }
}
