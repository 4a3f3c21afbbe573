//! What happened in a sandbox, durably? Written by its shim, read by recovery and by every new connection; recovery
//! completes the journal of a shim that died.
//!
//! One record per line: eight hexadecimal digits of CRC-32 (IEEE 802.3) over the JSON that follows a space. A line
//! that is cut short or does not match its sum ends the journal: a crash can only ever damage the last one,
//! because each is one `write`. While a shim lives it holds a lock on the file, which the kernel lets go when it
//! dies, however it dies; forked children do not inherit it.

use crate::wire::Record;
use rustix::fs::{FlockOperation, fcntl_lock, fdatasync};
use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The journal's name in the sandbox's directory.
pub(crate) const FILE: &str = "journal";

/// A journal being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    /// Bytes of whole records.
    length: u64,
    records: Vec<Record>,
}

impl Journal {
    /// Begins the journal of a new sandbox, and holds its lock for as long as this process lives.
    ///
    /// # Errors
    /// `AlreadyExists` if this generation has a journal: a sandbox is never made twice. Else what the kernel says.
    pub(crate) fn begin(dir: &Path) -> io::Result<Journal> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(dir.join(FILE))?;
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Journal { file, length: 0, records: Vec::new() })
    }

    /// Adds a fact. When this returns it survives the death of this process; an exit survives that of the machine.
    ///
    /// # Errors
    /// If it cannot be written: the fact must then not be told to anybody.
    pub(crate) fn add(&mut self, record: Record) -> io::Result<()> {
        let line = line(&record);
        if let Err(error) = self.write(&line, matches!(record, Record::Exited { .. } | Record::Gone { .. })) {
            // A part of a line would hide every record after it.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        self.records.push(record);
        Ok(())
    }

    fn write(&mut self, line: &str, to_disk: bool) -> io::Result<()> {
        self.file.write_all(line.as_bytes())?;
        if to_disk {
            fdatasync(&self.file)?;
        }
        Ok(())
    }

    /// Everything added so far, oldest first.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }
}

/// A journal found on disk.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its records, oldest first.
    pub(crate) records: Vec<Record>,
    /// The shim that writes it, if it lives.
    pub(crate) writer: Option<Pid>,
}

/// Reads the journal in `dir`.
///
/// # Errors
/// `NotFound` if there is none, else what the kernel answers. Damage is not an error: it ends the journal.
pub(crate) fn read(dir: &Path) -> io::Result<Found> {
    let writer = writer(dir)?;
    Ok(Found { records: parse(&std::fs::read(dir.join(FILE))?), writer })
}

/// Adds the end to the journal of a shim that died before it could.
///
/// # Errors
/// If a shim writes it after all, or what the kernel answers.
pub(crate) fn complete(dir: &Path, records: &[Record]) -> io::Result<()> {
    let path = dir.join(FILE);
    // Read before it is locked: closing any other descriptor of the file would let the lock go.
    let whole: usize = whole_lines(&std::fs::read(&path)?).map(|(line, _)| line.len()).sum();
    let mut file = OpenOptions::new().append(true).open(&path)?;
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)?;
    // A line that was cut short would hide every record after it.
    file.set_len(whole as u64)?;
    file.write_all(records.iter().map(line).collect::<String>().as_bytes())?;
    fdatasync(&file)?;
    Ok(())
}

/// The shim that holds the lock of the journal in `dir`, if one lives.
///
/// # Errors
/// `NotFound` if there is no journal, else what the kernel answers.
pub(crate) fn writer(dir: &Path) -> io::Result<Option<Pid>> {
    let file = OpenOptions::new().read(true).open(dir.join(FILE))?;
    let held = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))?;
    Ok(held.and_then(|lock| lock.pid))
}

fn line(record: &Record) -> String {
    let json = serde_json::to_string(record).expect("records have string keys and finite numbers");
    format!("{:08x} {json}\n", crc32(json.as_bytes()))
}

fn parse(bytes: &[u8]) -> Vec<Record> {
    whole_lines(bytes).map(|(_, record)| record).collect()
}

/// The lines up to the first that is damaged.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Record)> {
    bytes.split_inclusive(|&b| b == b'\n').map_while(|line| Some((line, parse_line(line)?)))
}

fn parse_line(line: &[u8]) -> Option<Record> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, json) = line.split_once(' ')?;
    let sum = u32::from_str_radix(sum, 16).ok()?;
    if sum != crc32(json.as_bytes()) {
        return None;
    }
    serde_json::from_str(json).ok()
}

/// CRC-32 as in IEEE 802.3, reflected, one bit at a time: journals are a few kilobytes.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests;
