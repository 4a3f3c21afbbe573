//! Which files does an image file hold? Asked by `archive.rs`. A directory is read through its descriptor; a tar is
//! read once, its files kept under numbers, so that no name in it ever becomes a path of ours.

use super::sniff;
use crate::beneath::{self, Links};
use crate::images::layers::{Layers, UNPACKED_MAX, Workspace};
use crate::images::manifest::{Compression, DOCUMENT_MAX};
use crate::images::unpack::{Entries, Kind, plain};
use flate2::read::MultiGzDecoder;
use rustix::fs::OFlags;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Most entries of an image file: its layers, and a few documents each.
const ENTRIES_MAX: usize = 10_000;
/// Most links one after the other: `docker save` once wrote one per layer that occurs twice.
const LINKS_MAX: usize = 8;

/// The files of an image.
#[derive(Debug)]
pub(super) enum Source {
    Directory(OwnedFd),
    Tar { files: HashMap<PathBuf, Held>, work: Workspace },
}

/// What a tar has at a name.
#[derive(Debug)]
pub(super) enum Held {
    /// A file, kept under this number.
    File(usize),
    /// Another name.
    Link(PathBuf),
}

impl Source {
    pub(super) fn open(layers: &Layers, path: &Path) -> Result<Source, String> {
        let unreadable = |e: io::Error| format!("cannot read {}: {e}", path.display());
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Ok(Source::Directory(file.into()));
        }
        let work = layers.workspace().map_err(|e| format!("cannot make a work directory: {e}"))?;
        let compression = sniff(&start(&File::open(path).map_err(unreadable)?).map_err(unreadable)?);
        let plain: Box<dyn Read> = match compression {
            Compression::None => Box::new(BufReader::new(file)),
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file).map_err(unreadable)?),
        };
        let files = read_tar(plain.take(UNPACKED_MAX), &work)?;
        Ok(Source::Tar { files, work })
    }

    /// A document of at most [`DOCUMENT_MAX`] bytes; `None` if it is not there.
    pub(super) fn document(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(file) = self.find(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(DOCUMENT_MAX + 1).read_to_end(&mut bytes).map_err(|e| format!("{name}: {e}"))?;
        if bytes.len() as u64 > DOCUMENT_MAX {
            return Err(format!("{name} has more than {DOCUMENT_MAX} bytes"));
        }
        Ok(Some(bytes))
    }

    pub(super) fn open_file(&self, name: &str) -> Result<File, String> {
        self.find(name)?.ok_or_else(|| format!("{name} is missing in it"))
    }

    pub(super) fn compression(&self, name: &str) -> Result<Compression, String> {
        let file = self.open_file(name)?;
        Ok(sniff(&start(&file).map_err(|e| format!("{name}: {e}"))?))
    }

    pub(super) fn size(&self, name: &str) -> Result<u64, String> {
        let metadata = self.open_file(name)?.metadata();
        Ok(metadata.map_err(|e| format!("{name}: {e}"))?.len())
    }

    fn find(&self, name: &str) -> Result<Option<File>, String> {
        let path = plain(name.as_bytes()).map_err(|reason| format!("{name:?}: {reason}"))?;
        let file = match self {
            Source::Directory(directory) => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK;
                beneath::open(directory.as_fd(), &path, flags, Links::Beneath).map(File::from)
            }
            Source::Tar { files, work } => match number(files, path)? {
                Some(number) => File::open(work.path().join(number.to_string())),
                None => return Ok(None),
            },
        };
        match file {
            Ok(file) if file.metadata().is_ok_and(|m| m.is_file()) => Ok(Some(file)),
            Ok(_) => Err(format!("{name} is not a file")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(format!("{name}: {e}")),
        }
    }
}

/// Follows links by name.
fn number(files: &HashMap<PathBuf, Held>, mut path: PathBuf) -> Result<Option<usize>, String> {
    for _ in 0..=LINKS_MAX {
        match files.get(&path) {
            None => return Ok(None),
            Some(Held::File(number)) => return Ok(Some(*number)),
            Some(Held::Link(target)) => path.clone_from(target),
        }
    }
    Err(format!("{} is a link to a link to a link", path.display()))
}

fn read_tar(tar: impl Read, work: &Workspace) -> Result<HashMap<PathBuf, Held>, String> {
    let mut files = HashMap::new();
    let mut entries = Entries::new(tar);
    let mut count = 0;
    while let Some(entry) = entries.next().map_err(|e| e.to_string())? {
        count += 1;
        let shown = String::from_utf8_lossy(&entry.path).into_owned();
        let refuse = |reason: String| format!("entry {shown:?}: {reason}");
        if count > ENTRIES_MAX {
            return Err(format!("it has more than {ENTRIES_MAX} entries"));
        }
        let path = plain(&entry.path).map_err(refuse)?;
        match entry.kind {
            Kind::File => {
                let kept = File::create_new(work.path().join(count.to_string()))
                    .and_then(|mut file| io::copy(&mut entries.data(), &mut file));
                kept.map_err(|e| refuse(e.to_string()))?;
                files.insert(path, Held::File(count));
            }
            Kind::Symlink => {
                let from = path.parent().unwrap_or(Path::new(""));
                let target = join(from, &entry.link).ok_or_else(|| refuse("it links out of the archive".to_owned()))?;
                files.insert(path, Held::Link(target));
            }
            Kind::Hardlink => {
                let target = plain(&entry.link).map_err(refuse)?;
                files.insert(path, Held::Link(target));
            }
            Kind::Directory => {}
            Kind::Fifo | Kind::Device => return Err(refuse("an image file holds no such thing".to_owned())),
        }
    }
    Ok(files)
}

/// `target` as seen from the directory `from`, by name alone; `None` if it is absolute or climbs out.
fn join(from: &Path, target: &[u8]) -> Option<PathBuf> {
    let mut joined = from.to_owned();
    for part in Path::new(std::ffi::OsStr::from_bytes(target)).components() {
        match part {
            Component::Normal(name) => joined.push(name),
            Component::CurDir => {}
            Component::ParentDir if joined.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(joined)
}

fn start(file: &File) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.take(4).read_to_end(&mut start)?;
    Ok(start)
}
