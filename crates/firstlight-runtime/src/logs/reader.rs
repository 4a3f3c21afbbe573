//! Reads a log from file to file, as it grows.

use super::LogOptions;
use super::files::{Files, Part};
use super::line::{Line, start_of_last};
use jiff::Timestamp;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// A log being read.
#[derive(Debug)]
pub(crate) struct Reader {
    files: Files,
    options: LogOptions,
    since: Option<Timestamp>,
    /// The file being read; none before the first.
    file: Option<File>,
    /// The greatest number of a part that was read to its end.
    done: u64,
    /// Whether the file has been found renamed: no more is written to it.
    closed: bool,
    /// The beginning of an entry whose end is not written yet.
    begun: Vec<u8>,
    /// Whether the last entry ended its line.
    at_line_start: bool,
    left: Option<u64>,
}

impl Reader {
    /// Over these files, from where the options say.
    pub(crate) fn new(files: Files, options: LogOptions) -> Reader {
        let since = options.since.and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok());
        let mut reader = Reader {
            files,
            options,
            since,
            file: None,
            done: 0,
            closed: false,
            begun: Vec::new(),
            at_line_start: true,
            left: options.limit,
        };
        reader.begin();
        reader
    }

    /// What comes next as plain text; empty if there is nothing more now.
    pub(crate) fn read(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while text.is_empty() && !self.is_done() {
            let mut chunk = vec![0; CHUNK];
            let read = self.file.as_mut().map_or(0, |file| file.read(&mut chunk).unwrap_or(0));
            if read > 0 {
                self.take(&chunk[..read], &mut text);
            } else if !self.next_file() {
                break;
            }
        }
        text
    }

    /// Whether the limit is reached: nothing more will come.
    pub(crate) fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// Goes to the first entry that is wanted.
    fn begin(&mut self) {
        let parts = self.files.parts();
        let Some(mut wanted) = self.options.tail else {
            self.open(parts.first().copied());
            return;
        };
        for (position, &part) in parts.iter().enumerate().rev() {
            self.open(Some(part));
            let Some(file) = &mut self.file else { continue };
            let mut bytes = Vec::new();
            if file.read_to_end(&mut bytes).is_err() {
                continue;
            }
            let (from, found) = last_lines(&bytes, wanted);
            let _ = file.seek(SeekFrom::Start(from as u64));
            wanted -= found;
            if wanted == 0 || position == 0 {
                return;
            }
        }
    }

    fn open(&mut self, part: Option<Part>) {
        if let Some(Part::Rotated(number)) = part {
            self.done = number - 1;
        }
        self.closed = false;
        self.file = part.and_then(|part| self.files.part(part));
    }

    /// Goes on to the file after the one that was read to its end; false if that is still being written.
    fn next_file(&mut self) -> bool {
        let parts = self.files.parts();
        let Some(file) = &self.file else {
            self.open(parts.first().copied());
            return self.file.is_some();
        };
        let inode = |file: &File| file.metadata().map(|m| m.ino()).ok();
        let own = inode(file);
        let rotated = parts.iter().rev().find_map(|part| match part {
            Part::Rotated(number) if self.files.part(*part).and_then(|f| inode(&f)) == own => Some(*number),
            Part::Rotated(_) | Part::Current => None,
        });
        let is_current = self.files.part(Part::Current).and_then(|f| inode(&f)) == own;
        if is_current && rotated.is_none() {
            return false;
        }
        if !self.closed {
            // Its last entries may have come between the last look at it and its new name.
            self.closed = true;
            return true;
        }
        // Renamed under us, or so old that it is removed: then the oldest that is left.
        let done = rotated.unwrap_or(self.done);
        let next = parts.into_iter().find(|part| *part > Part::Rotated(done));
        let before = self.done;
        self.open(next);
        self.done = self.done.max(before).max(done);
        self.file.is_some()
    }

    fn take(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        let mut begun = std::mem::take(&mut self.begun);
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            begun.extend_from_slice(piece);
            if begun.last() == Some(&b'\n') {
                self.entry(&begun, text);
                begun.clear();
            }
        }
        self.begun = begun;
    }

    fn entry(&mut self, entry: &[u8], text: &mut Vec<u8>) {
        let Some(line) = Line::parse(entry) else { return };
        if self.since.is_some_and(|since| line.timestamp().is_some_and(|at| at < since)) {
            return;
        }
        let from = text.len();
        if self.options.timestamps && self.at_line_start {
            text.extend_from_slice(line.time);
            text.push(b' ');
        }
        text.extend_from_slice(line.text);
        text.extend(line.whole.then_some(b'\n'));
        self.at_line_start = line.whole;
        if let Some(left) = &mut self.left {
            let room = usize::try_from(*left).unwrap_or(usize::MAX).min(text.len() - from);
            text.truncate(from + room);
            *left -= room as u64;
        }
    }
}

/// Where the last `wanted` lines of a file's entries begin, and how many there are.
fn last_lines(bytes: &[u8], wanted: u64) -> (usize, u64) {
    let mut from = bytes.len();
    let mut found = 0;
    // An unfinished line at the end counts as one.
    let mut end_counts = true;
    while from > 0 {
        let start = start_of_last(&bytes[..from], 1);
        let whole = Line::parse(&bytes[start..from]).is_none_or(|line| line.whole);
        if whole || end_counts {
            if found == wanted {
                return (from, found);
            }
            found += 1;
        }
        end_counts = false;
        from = start;
    }
    (0, found)
}
