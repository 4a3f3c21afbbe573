//! What names content? Asked by everything here: a SHA-256 digest, and readers that compute one as bytes pass.

use super::reference::is_hex;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Read};

/// `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Digest(String);

impl Digest {
    /// Reads a digest; SHA-256 is the only algorithm taken.
    pub(super) fn parse(text: &str) -> Result<Digest, String> {
        match text.split_once(':') {
            Some(("sha256", hex)) if is_hex(hex, 64) => Ok(Digest(hex.to_owned())),
            Some((algorithm @ ("sha512" | "sha384"), _)) => {
                Err(format!("digest algorithm {algorithm} is not supported; use sha256"))
            }
            _ => Err(format!("{text:?} is not a digest")),
        }
    }

    pub(super) fn of(bytes: &[u8]) -> Digest {
        Digest::finish(Sha256::new_with_prefix(bytes))
    }

    /// The 64 digits alone: safe as a file name.
    pub(super) fn hex(&self) -> &str {
        &self.0
    }

    fn finish(hasher: Sha256) -> Digest {
        use fmt::Write;
        let mut hex = String::with_capacity(64);
        for byte in hasher.finalize() {
            write!(hex, "{byte:02x}").expect("writing to a String does not fail");
        }
        Digest(hex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

/// Passes bytes on and computes their digest and number.
pub(super) struct Hashing<R> {
    source: R,
    hasher: Sha256,
    count: u64,
}

impl<R: Read> Hashing<R> {
    pub(super) fn new(source: R) -> Hashing<R> {
        Hashing { source, hasher: Sha256::new(), count: 0 }
    }

    /// Digest and number of everything read so far.
    pub(super) fn finish(self) -> (Digest, u64) {
        (Digest::finish(self.hasher), self.count)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}
