//! Measuring bytes: SHA-256 while they pass, or of a file, without ever holding up a signal for long.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firstlight_bootstrap::Digest;
use sha2::{Digest as _, Sha256};

/// Bytes read at once: large enough that system calls do not count, small enough that a signal is seen in time.
pub const CHUNK: usize = 256 << 10;

/// A digest in the making.
#[derive(Debug, Clone, Default)]
pub struct Hasher {
    state: Sha256,
    /// Bytes so far.
    pub size: u64,
}

impl Hasher {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// The digest of everything taken in.
    pub fn digest(&self) -> Digest {
        Digest(self.state.clone().finalize().into())
    }
}

/// The digest of bytes in memory.
pub fn of_bytes(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Reads the file from its start to its end, whatever its cursor; gives way to other work after each chunk.
pub async fn of_file(file: &File) -> io::Result<Hasher> {
    let mut hasher = Hasher::default();
    let mut chunk = vec![0u8; CHUNK];
    loop {
        let read = file.read_at(&mut chunk, hasher.size)?;
        if read == 0 {
            return Ok(hasher);
        }
        hasher.update(&chunk[..read]);
        tokio::task::yield_now().await;
    }
}

/// The digest as an HTTP field value (RFC 9530 section 3): `sha-256=:BASE64:`.
pub fn to_field(digest: Digest) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest.0))
}

/// The SHA-256 digest in a `Repr-Digest` field, if there is one.
pub fn from_field(field: &str) -> Option<Digest> {
    let member = field.split(',').find_map(|member| member.trim().strip_prefix("sha-256=:"))?;
    let bytes = STANDARD.decode(member.strip_suffix(':')?).ok()?;
    bytes.try_into().ok().map(Digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_goes_through_a_header_field_and_back() {
        let digest = of_bytes(b"genesis");
        assert_eq!(from_field(&to_field(digest)), Some(digest));
        assert_eq!(from_field(&format!("sha-512=:AA==:, {}", to_field(digest))), Some(digest));
        assert_eq!(from_field("sha-256=:AA==:"), None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_file_is_measured_whole() {
        let mut file = tempfile::tempfile().expect("a file");
        let bytes = vec![7u8; CHUNK * 2 + 5];
        io::Write::write_all(&mut file, &bytes).expect("written");
        let hasher = of_file(&file).await.expect("read");
        assert_eq!((hasher.size, hasher.digest()), (bytes.len() as u64, of_bytes(&bytes)));
    }
}
