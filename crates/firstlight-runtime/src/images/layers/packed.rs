//! Is a packed layer what its manifest says, and does it stay within bounds while it is read? Asked by `layers.rs`.

use crate::images::digest::{Digest, Hashing};
use crate::images::manifest::Compression;
use crate::images::unpack::Refusal;
use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Largest unpacked layer, in bytes (S6).
pub(in crate::images) const UNPACKED_MAX: u64 = 64 << 30;
/// From this size on, a layer may not unpack to more than [`RATIO_MAX`] times what it takes packed. Below it even a
/// bomb is harmless; above it, nothing real shrinks so well (gzip's own limit is 1032).
const RATIO_FROM: u64 = 1 << 30;
const RATIO_MAX: u64 = 200;
/// Largest window of a zstd stream, as the power of two: what the zstd command takes without being told otherwise.
const ZSTD_WINDOW: u32 = 27;

/// A packed layer as its descriptor promises it.
#[derive(Debug, Clone)]
pub(in crate::images) struct Packed {
    pub(in crate::images) compression: Compression,
    /// Digest and size of the packed bytes; `None` where only the unpacked digest is known (docker-archive).
    pub(in crate::images) promised: Option<(Digest, u64)>,
}

impl Packed {
    /// Unpacks `source` into `unpack`, which reads to the end; then compares size and digests.
    pub(super) fn read(
        &self,
        source: impl Read,
        diff_id: &Digest,
        unpack: impl FnOnce(&mut dyn Read) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let packed_count = Rc::new(Cell::new(0));
        let size = self.promised.as_ref().map_or(u64::MAX, |(_, size)| *size);
        let mut packed = Hashing::new(Counted { source, count: Rc::clone(&packed_count), max: size });
        {
            let plain: Box<dyn Read + '_> = match self.compression {
                Compression::None => Box::new(&mut packed),
                Compression::Gzip => Box::new(MultiGzDecoder::new(&mut packed)),
                Compression::Zstd => {
                    let mut decoder = zstd::stream::read::Decoder::new(&mut packed)?;
                    decoder.window_log_max(ZSTD_WINDOW)?;
                    Box::new(decoder)
                }
            };
            let mut plain = Hashing::new(Bounded { source: plain, count: 0, packed: packed_count });
            unpack(&mut plain)?;
            let (found, _) = plain.finish();
            if found != *diff_id {
                return Err(Refusal::Archive(format!("its content has digest {found}, not {diff_id}")));
            }
        }
        // What follows the compressed data belongs to the digest too.
        io::copy(&mut packed, &mut io::sink())?;
        let (found, count) = packed.finish();
        match &self.promised {
            Some((digest, size)) if *digest != found || *size != count => Err(Refusal::Archive(format!(
                "it has {count} bytes with digest {found}, not {size} bytes with digest {digest}"
            ))),
            _ => Ok(()),
        }
    }
}

/// Refuses the byte after the last one that was promised.
struct Counted<R> {
    source: R,
    count: Rc<Cell<u64>>,
    max: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let count = self.count.get() + read as u64;
        self.count.set(count);
        if count > self.max {
            return Err(io::Error::other(format!("it has more than the {} bytes promised", self.max)));
        }
        Ok(read)
    }
}

/// Stops bombs.
struct Bounded<R> {
    source: R,
    count: u64,
    packed: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count += read as u64;
        let ratio_broken = self.count > RATIO_FROM && self.count / RATIO_MAX > self.packed.get();
        if self.count > UNPACKED_MAX || ratio_broken {
            return Err(io::Error::other(format!(
                "{} packed bytes unpack to more than {}: refused as a decompression bomb",
                self.packed.get(),
                self.count
            )));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
