//! Which files hold an attempt's log, and in which order? Opened beneath the engine's own directory, through no link
//! (S10).

use rustix::fd::OwnedFd;
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, openat2};
use std::fs::File;
use std::path::{Component, Path};

/// The files of one attempt's log.
#[derive(Debug)]
pub(crate) struct Files {
    dir: Option<OwnedFd>,
    attempt: u32,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// `N.log.K`.
    Rotated(u64),
    /// `N.log`.
    Current,
}

impl Files {
    /// The files of `attempt` in `dir` beneath `root`. A directory that is not there has none.
    pub(crate) fn open(root: &Path, dir: &Path, attempt: u32) -> Files {
        Files { dir: beneath(root, dir), attempt }
    }

    /// The attempts that have a log in `dir` beneath `root`, oldest first.
    pub(crate) fn attempts(root: &Path, dir: &Path) -> Vec<u32> {
        let mut attempts: Vec<u32> = names(beneath(root, dir).as_ref())
            .iter()
            .filter_map(|name| name.strip_suffix(".log")?.parse().ok())
            .collect();
        attempts.sort_unstable();
        attempts
    }

    /// The parts that are there, oldest first.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let current = format!("{}.log", self.attempt);
        let prefix = format!("{current}.");
        let mut parts: Vec<Part> = names(self.dir.as_ref())
            .iter()
            .filter_map(|name| match name {
                name if *name == current => Some(Part::Current),
                name => name.strip_prefix(&prefix)?.parse().ok().map(Part::Rotated),
            })
            .collect();
        parts.sort_unstable();
        parts
    }

    /// Opens a part.
    pub(crate) fn part(&self, part: Part) -> Option<File> {
        let name = match part {
            Part::Current => format!("{}.log", self.attempt),
            Part::Rotated(number) => format!("{}.log.{number}", self.attempt),
        };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        openat2(self.dir.as_ref()?, name, flags, Mode::empty(), resolve).ok().map(File::from)
    }
}

fn beneath(root: &Path, dir: &Path) -> Option<OwnedFd> {
    if dir.components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir)) {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags, Mode::empty()).ok()?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    openat2(root, dir, flags, Mode::empty(), resolve).ok()
}

fn names(dir: Option<&OwnedFd>) -> Vec<String> {
    let entries = dir.and_then(|dir| Dir::read_from(dir).ok()).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned)).collect()
}
