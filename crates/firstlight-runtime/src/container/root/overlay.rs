//! The overlay mount: layers below, a private writable directory on top.

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mkdirat, mknodat, setxattr};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Component, Path, PathBuf};

/// What a root is put together from.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    /// Layers, the topmost first.
    pub(crate) layers: &'a [PathBuf],
    /// Paths of the layers that must not be seen.
    pub(crate) masks: &'a [PathBuf],
    /// The container's own directory: `upper` and `work` are made in it.
    pub(crate) dir: &'a Path,
}

impl Overlay<'_> {
    /// Mounts it, attached nowhere.
    ///
    /// The writable layer is on disk, as Kubernetes promises for what a container writes, but `volatile`: nothing
    /// of it has to survive a power cut, so the kernel need not sync it when the container goes. Where the disk's
    /// filesystem cannot be an upper layer (an overlay itself, in CI containers) it is in memory.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(crate) fn mount(&self, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
        self.prepare()?;
        self.try_mount(attributes).map_err(|error| {
            io::Error::other(format!("overlay of {} layers on {}: {error}", self.layers.len(), self.dir.display()))
        })
    }

    fn prepare(&self) -> io::Result<()> {
        for name in ["upper", "work"] {
            match mkdirat(CWD, self.dir.join(name), Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.masks.iter().try_for_each(|mask| self.hide(mask))
    }

    fn try_mount(&self, attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
        let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for layer in self.layers {
            fsconfig_set_string(&fs, "lowerdir+", layer)?;
        }
        fsconfig_set_string(&fs, "upperdir", self.dir.join("upper"))?;
        fsconfig_set_string(&fs, "workdir", self.dir.join("work"))?;
        fsconfig_set_flag(&fs, "volatile")?;
        fsconfig_set_string(&fs, "source", "overlay")?;
        fsconfig_create(&fs)?;
        fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    }

    /// Hides one path of the layers, in the writable layer: an empty directory, or nothing where a file was. Unlike
    /// a mount over it, this cannot be taken away by a container that may unmount.
    fn hide(&self, mask: &Path) -> io::Result<()> {
        let path = relative(mask);
        let Some(below) = self.below(&path) else { return Ok(()) };
        let at = self.dir.join("upper").join(&path);
        for parent in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            self.copy_directory(parent)?;
        }
        if below.is_dir() {
            self.copy_directory(&path)?;
            setxattr(&at, "trusted.overlay.opaque", b"y", XattrFlags::empty())?;
        } else {
            mknodat(CWD, &at, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))?;
        }
        Ok(())
    }

    /// Makes a directory of the layers in the writable layer too, with its mode and owner, without its content.
    fn copy_directory(&self, path: &Path) -> io::Result<()> {
        let at = self.dir.join("upper").join(path);
        let Some(below) = self.below(path).filter(|_| !at.exists()) else { return Ok(()) };
        fs::create_dir(&at)?;
        chown(&at, Some(below.uid()), Some(below.gid()))?;
        fs::set_permissions(&at, below.permissions())
    }

    fn below(&self, path: &Path) -> Option<Metadata> {
        self.layers.iter().find_map(|layer| layer.join(path).symlink_metadata().ok())
    }
}

fn relative(path: &Path) -> PathBuf {
    path.components().filter(|c| matches!(c, Component::Normal(_))).collect()
}
