//! Where are unpacked layers, and which of them are whole? Asked by pulls, imports, and whenever an image is looked up.
//!
//! ```text
//! IMAGES/layers/HEX              a layer's content, named by its diff id; there means whole
//! IMAGES/layers/HEX.unsynced     the boot in which it was unpacked; removed once the disk has it
//! IMAGES/tmp/PID-N/              work under way, locked by whoever does it
//! ```
//!
//! A killed process leaves work that nobody holds locked, which the next one removes (fault rows 36 and 37). A power
//! cut may leave a directory whose files never reached the disk: a layer that is still marked unsynced by an earlier
//! boot is removed too. So neither a kill nor a power cut needs a flush of the disk in the path of a pull.

mod packed;

pub(super) use packed::{Packed, UNPACKED_MAX};

use super::digest::Digest;
use super::unpack::{self, OPAQUE, Refusal};
use crate::beneath;
use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What marks a layer that the disk may not have yet.
const UNSYNCED: &str = "unsynced";
/// Held while work directories are made and swept, so that none is swept before it is locked.
const LOCK: &str = ".lock";

/// The directory of layers.
#[derive(Debug)]
pub(super) struct Layers {
    layers: PathBuf,
    tmp: PathBuf,
}

/// A directory for work under way; removed when dropped, or, after a kill, by whoever comes next.
#[derive(Debug)]
pub(super) struct Workspace {
    path: PathBuf,
    /// Its lock lives as long as this.
    _locked: OwnedFd,
}

impl Layers {
    /// Makes what is missing and removes what kills and power cuts left.
    pub(super) fn open(images: &Path) -> io::Result<Layers> {
        let layers = Layers { layers: images.join("layers"), tmp: images.join("tmp") };
        for directory in [&layers.layers, &layers.tmp] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        layers.sweep_work()?;
        layers.sweep_unsynced()?;
        Ok(layers)
    }

    /// The layer's directory, if the layer is here.
    pub(super) fn find(&self, diff_id: &Digest) -> Option<PathBuf> {
        let path = self.layers.join(diff_id.hex());
        path.is_dir().then_some(path)
    }

    /// A directory with nothing in it, for images without layers: an overlay needs one.
    pub(super) fn empty(&self) -> io::Result<PathBuf> {
        let path = self.layers.join("empty");
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&path)?;
        Ok(path)
    }

    /// Unpacks a layer, checks both digests, and only then gives it its name. If another process was faster, its
    /// result is taken: the name says that they are the same.
    pub(super) fn add(&self, source: impl Read, packed: &Packed, diff_id: &Digest) -> Result<PathBuf, Refusal> {
        let work = self.workspace()?;
        let content = work.path.join("content");
        fs::DirBuilder::new().mode(0o755).create(&content)?;
        let root = open_directory(&content)?;
        rustix::fs::fchmod(&root, Mode::from_raw_mode(0o755)).map_err(io::Error::from)?;
        packed.read(source, diff_id, |tar| unpack::unpack(tar, root))?;
        Ok(self.publish(&content, diff_id.hex())?)
    }

    /// Gives a directory made in a workspace its name among the layers.
    pub(super) fn publish(&self, content: &Path, name: &str) -> io::Result<PathBuf> {
        let to = self.layers.join(name);
        if to.is_dir() {
            return Ok(to);
        }
        // Whole when it appears: a mark without a boot would condemn a layer that others already use.
        let mark = content.with_extension(UNSYNCED);
        let mut file = File::create(&mark)?;
        file.write_all(boot_id()?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&mark, self.layers.join(format!("{name}.{UNSYNCED}")))?;
        match rustix::fs::renameat_with(rustix::fs::CWD, content, rustix::fs::CWD, &to, RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(to),
            Err(e) => Err(e.into()),
        }
    }

    pub(super) fn workspace(&self) -> io::Result<Workspace> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let _making = self.lock()?;
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = self.tmp.join(format!("{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                // Left by a process of the same id, and to be swept.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            let directory = open_directory(&path)?;
            rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
            return Ok(Workspace { path, _locked: directory });
        }
    }

    /// Has the disk take every layer, then removes their marks. Slow on a busy disk: call it when nobody waits.
    pub(super) fn sync(&self) -> io::Result<()> {
        let marks = self.marks()?;
        if marks.is_empty() {
            return Ok(());
        }
        rustix::fs::syncfs(open_directory(&self.layers)?)?;
        for (_, mark) in marks {
            remove_file(&mark)?;
        }
        Ok(())
    }

    fn sweep_work(&self) -> io::Result<()> {
        let _sweeping = self.lock()?;
        let tmp = open_directory(&self.tmp)?;
        for entry in fs::read_dir(&self.tmp)? {
            let entry = entry?;
            if entry.file_name() == LOCK {
                continue;
            }
            let held = open_directory(&entry.path())
                .is_ok_and(|work| rustix::fs::flock(&work, FlockOperation::NonBlockingLockExclusive).is_err());
            if !held {
                beneath::remove_tree(tmp.as_fd(), &entry.file_name())?;
            }
        }
        Ok(())
    }

    fn sweep_unsynced(&self) -> io::Result<()> {
        let boot = boot_id()?;
        for (name, mark) in self.marks()? {
            if fs::read_to_string(&mark).is_ok_and(|unpacked_in| unpacked_in == boot) {
                continue;
            }
            beneath::remove_tree(open_directory(&self.layers)?.as_fd(), OsStr::new(&name))?;
            remove_file(&mark)?;
        }
        Ok(())
    }

    /// Names of layers marked as unsynced, and their marks.
    fn marks(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let mut marks = Vec::new();
        for entry in fs::read_dir(&self.layers)? {
            let path = entry?.path();
            if path.extension() == Some(OsStr::new(UNSYNCED))
                && let Some(name) = path.file_stem().and_then(OsStr::to_str)
            {
                marks.push((name.to_owned(), path.clone()));
            }
        }
        Ok(marks)
    }

    fn lock(&self) -> io::Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.tmp.join(LOCK))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }
}

impl Workspace {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let removed = match (self.path.parent(), self.path.file_name()) {
            (Some(tmp), Some(name)) => open_directory(tmp).and_then(|tmp| beneath::remove_tree(tmp.as_fd(), name)),
            _ => Ok(()),
        };
        if let Err(error) = removed {
            tracing::warn!(path = %self.path.display(), %error, "a work directory stays until the next start");
        }
    }
}

/// Whether a layer hides everything below it.
pub(super) fn hides_all_below(layer: &Path) -> bool {
    let mut value = [0u8; 1];
    matches!(rustix::fs::lgetxattr(layer, OPAQUE, &mut value), Ok(1) if value == *b"y")
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Changes with every boot (random(4)).
fn boot_id() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
}
