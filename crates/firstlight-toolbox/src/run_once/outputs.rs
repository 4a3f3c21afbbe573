//! What a command leaves on disk: measured, made durable, removed. Links are never followed.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use firstlight_bootstrap::marker::Found;
use rustix::fs::OFlags;

use crate::failure::Failure;
use crate::hash::{self, Hasher};
use crate::publish::sync_directory;

/// An output's name: its absolute path, as text.
pub fn absolute(path: &Path) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::usage(format!("output {}: {why}", path.display()));
    let absolute = std::path::absolute(path).map_err(|error| wrong(&error.to_string()))?;
    if absolute.parent().is_none() || absolute.components().any(|part| part == std::path::Component::ParentDir) {
        return Err(wrong("is the root or climbs"));
    }
    let text = absolute.to_str().ok_or_else(|| wrong("is not UTF-8"))?;
    Ok(text.trim_end_matches('/').to_owned())
}

/// What is there, path by path.
pub async fn measure(paths: &[String]) -> Result<BTreeMap<String, Found>, Failure> {
    let mut all = BTreeMap::new();
    for path in paths {
        let found = look(Path::new(path)).await.map_err(|error| Failure::io(path, error))?;
        all.insert(path.clone(), found);
    }
    Ok(all)
}

async fn look(path: &Path) -> io::Result<Found> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Found::Absent);
        }
        Err(error) => return Err(error),
    };
    if metadata.is_file() {
        let hasher = hash::of_file(&open(path)?).await?;
        return Ok(Found::Content { size: hasher.size, sha256: hasher.digest() });
    }
    if metadata.is_dir() {
        return tree(path).await;
    }
    Ok(Found::Foreign)
}

fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
    File::options().read(true).custom_flags(flags).open(path)
}

/// A directory is measured by its listing: for each entry in order, its kind, mode, path and content.
async fn tree(root: &Path) -> io::Result<Found> {
    let mut listing = Hasher::default();
    let mut size = 0;
    for (path, metadata) in walk(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_encoded_bytes().to_vec();
        let mode = metadata.permissions().mode() & 0o7777;
        let (kind, content) = if metadata.is_file() {
            let hasher = hash::of_file(&open(&path)?).await?;
            size += hasher.size;
            ('f', hasher.digest().to_string().into_bytes())
        } else if metadata.is_dir() {
            ('d', Vec::new())
        } else if metadata.is_symlink() {
            ('l', std::fs::read_link(&path)?.into_os_string().into_encoded_bytes())
        } else {
            return Ok(Found::Foreign);
        };
        for part in [format!("{kind}{mode:o}").as_bytes(), &name, &content] {
            listing.update(&(part.len() as u64).to_le_bytes());
            listing.update(part);
        }
    }
    Ok(Found::Content { size, sha256: listing.digest() })
}

/// Everything under a directory, parents before children, names in order.
fn walk(root: &Path) -> io::Result<Vec<(std::path::PathBuf, Metadata)>> {
    let mut all = Vec::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(directory) = left.pop() {
        let mut entries = std::fs::read_dir(&directory)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                left.push(entry.path());
            }
            all.push((entry.path(), metadata));
        }
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(all)
}

/// Makes outputs durable, whatever the command did about it: contents, then every directory entry.
pub fn sync(paths: &[String]) -> Result<(), Failure> {
    let one = |path: &Path| -> io::Result<()> {
        let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
        let mut all = vec![(path.to_path_buf(), metadata)];
        if all[0].1.is_dir() {
            all.extend(walk(path)?);
        }
        for (path, metadata) in all {
            if metadata.is_file() || metadata.is_dir() {
                open(&path)?.sync_all()?;
            }
        }
        sync_directory(path)
    };
    paths.iter().try_for_each(|path| one(Path::new(path)).map_err(|error| Failure::io(path, error)))
}

/// Removes an output, file or tree, durably.
pub fn remove(path: &Path) -> Result<(), Failure> {
    let place = |error| Failure::io(path.display(), error);
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => sync_directory(path).map_err(place),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(place(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn digest(path: &Path) -> Found {
        look(path).await.expect("measured")
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_tree_is_its_names_modes_and_contents() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("tree");
        std::fs::create_dir_all(root.join("sub")).expect("made");
        std::fs::write(root.join("sub/a"), "1").expect("written");
        let first = digest(&root).await;
        assert_eq!(digest(&root).await, first);
        std::fs::write(root.join("sub/a"), "2").expect("written");
        assert_ne!(digest(&root).await, first, "content");
        std::fs::write(root.join("sub/a"), "1").expect("written");
        assert_eq!(digest(&root).await, first);
        std::fs::rename(root.join("sub/a"), root.join("sub/b")).expect("renamed");
        assert_ne!(digest(&root).await, first, "name");
        std::fs::rename(root.join("sub/b"), root.join("sub/a")).expect("renamed");
        std::fs::create_dir(root.join("empty")).expect("made");
        assert_ne!(digest(&root).await, first, "an empty directory more");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn links_are_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("file"), "1").expect("written");
        std::os::unix::fs::symlink("file", dir.path().join("link")).expect("linked");
        assert_eq!(digest(&dir.path().join("link")).await, Found::Foreign);
        assert_eq!(digest(&dir.path().join("none")).await, Found::Absent);
        assert_eq!(digest(&dir.path().join("file/below")).await, Found::Absent);
        remove(&dir.path().join("link")).expect("removed");
        assert!(dir.path().join("file").exists());
    }

    #[test]
    fn an_output_is_an_absolute_path_below_the_root() {
        assert_eq!(absolute(Path::new("/data/genesis/")).expect("fine"), "/data/genesis");
        assert!(absolute(Path::new("x")).expect("fine").starts_with('/'));
        assert!(absolute(Path::new("/")).is_err() && absolute(Path::new("/data/../etc")).is_err());
    }
}
