//! An archive without end has an end.

use super::*;
use std::fs::File;

/// The entry `.` of a tar, over and over, without end.
struct Endless {
    block: [u8; 512],
    at: usize,
}

impl Endless {
    fn new() -> Endless {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_path("./").unwrap();
        header.set_size(0);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        Endless { block: *header.as_bytes(), at: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(512 - self.at);
        buffer[..count].copy_from_slice(&self.block[self.at..][..count]);
        self.at = (self.at + count) % 512;
        Ok(count)
    }
}

#[test]
fn s6_an_archive_without_end_is_stopped() {
    let tmp = tempfile::tempdir().unwrap();
    let error = unpack_at_most(100, Endless::new(), File::open(tmp.path()).unwrap().into()).unwrap_err();
    assert!(error.to_string().contains("more than 100 entries"), "{error}");
}
