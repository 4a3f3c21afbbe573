//! A container's log file: what it writes, line by line, in the CRI's format (LOG-5).
//!
//! `2026-11-20T10:00:00.123456789Z stdout F text`, `P` for a part of a line. A file that has grown to its bound is
//! renamed to `N.log.K`, K counting up, and the oldest are removed: one container cannot fill the disk (S30).

use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of one file, and how many older files are kept: the kubelet's `containerLogMaxSize` and
/// `containerLogMaxFiles` (10 MiB, 5 files in all).
const MAX_FILE: u64 = 10 << 20;
const KEPT: u64 = 4;

/// Longest part of a line in one entry: containerd's `max_container_log_line_size`.
pub(crate) const MAX_LINE: usize = 16 << 10;

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// A log being written.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    size: u64,
    rotations: u64,
    /// Begun lines, by stream.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Bytes that could not be written (a full disk): counted and told, never waited for.
    lost: u64,
}

impl Log {
    /// Opens the log of one attempt in the container's log directory.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(crate) fn open(dir: &Path, attempt: u32) -> io::Result<Log> {
        fs::create_dir_all(dir)?;
        let path = dir.join(format!("{attempt}.log"));
        let file = append(&path)?;
        let size = file.metadata()?.len();
        Ok(Log { path, file, size, rotations: 0, stdout: Vec::new(), stderr: Vec::new(), lost: 0 })
    }

    /// Takes what the container wrote.
    pub(crate) fn take(&mut self, stream: Stream, bytes: &[u8], at: Timestamp) {
        let mut entries = Vec::with_capacity(bytes.len() + 64);
        let begun = self.begun(stream);
        let mut line = std::mem::take(begun);
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            line.extend_from_slice(piece);
            let whole = line.pop_if(|b| *b == b'\n').is_some();
            while line.len() > MAX_LINE {
                entry(&mut entries, at, stream, 'P', &line[..MAX_LINE]);
                line.drain(..MAX_LINE);
            }
            if whole {
                entry(&mut entries, at, stream, 'F', &line);
                line.clear();
            }
        }
        *self.begun(stream) = line;
        self.write(&entries, at);
    }

    /// The stream has ended: a line without an end is written as it is.
    pub(crate) fn end(&mut self, stream: Stream, at: Timestamp) {
        let line = std::mem::take(self.begun(stream));
        if !line.is_empty() {
            let mut entries = Vec::new();
            entry(&mut entries, at, stream, 'P', &line);
            self.write(&entries, at);
        }
    }

    fn begun(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn write(&mut self, entries: &[u8], at: Timestamp) {
        if entries.is_empty() {
            return;
        }
        if self.size > 0 && self.size + entries.len() as u64 > MAX_FILE {
            // Without room for a new file the old one goes on growing until there is.
            let _ = self.rotate();
        }
        if self.lost > 0 {
            let mut note = Vec::new();
            let text = format!("firstlight: {} bytes of output were lost: the log could not be written", self.lost);
            entry(&mut note, at, Stream::Stderr, 'F', text.as_bytes());
            if self.file.write_all(&note).is_ok() {
                self.size += note.len() as u64;
                self.lost = 0;
            }
        }
        match self.file.write_all(entries) {
            Ok(()) => self.size += entries.len() as u64,
            Err(_) => self.lost += entries.len() as u64,
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let rotated = |n: u64| PathBuf::from(format!("{}.{n}", self.path.display()));
        fs::rename(&self.path, rotated(self.rotations + 1))?;
        self.rotations += 1;
        self.file = append(&self.path)?;
        self.size = 0;
        if self.rotations > KEPT {
            let _ = fs::remove_file(rotated(self.rotations - KEPT));
        }
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NOFOLLOW).open(path)
}

fn entry(into: &mut Vec<u8>, at: Timestamp, stream: Stream, tag: char, text: &[u8]) {
    let _ = write!(into, "{at:.9} {} {tag} ", stream.name());
    into.extend_from_slice(text);
    into.push(b'\n');
}

#[cfg(test)]
mod tests;
