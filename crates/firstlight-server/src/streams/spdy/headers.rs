//! SPDY's header blocks: names and values, compressed with one zlib stream per direction and a preset dictionary.
//!
//! The compression state spans all blocks of a connection, so every block must be read, also of streams that are
//! refused; a block that cannot be read ends the connection. Source: SPDY draft 3.1, section 2.6.10.

use super::Broken;
use bytes::{Buf, BufMut, Bytes};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::sync::LazyLock;

/// Names and values, names in lower case.
pub(in crate::streams) type Headers = Vec<(String, String)>;

/// What one block may become when it is unpacked: our peers' are about a hundred bytes.
const BLOCK_LIMIT: usize = 16 << 10;

/// 2^11 bytes hold the dictionary; a larger window would cost 256 KiB per connection for nothing.
const DEFLATE_WINDOW_BITS: u8 = 11;

/// Unpacks the peer's blocks.
pub(super) struct Inflater(Decompress);

impl Inflater {
    pub(super) fn new() -> Inflater {
        Inflater(Decompress::new(true))
    }

    pub(super) fn block(&mut self, packed: &[u8]) -> Result<Headers, Broken> {
        parse(Bytes::from(self.inflate(packed)?))
    }

    fn inflate(&mut self, packed: &[u8]) -> Result<Vec<u8>, Broken> {
        const DAMAGED: Broken = Broken("a damaged header block");
        let mut plain = Vec::with_capacity(1 << 10);
        let start = self.0.total_in();
        loop {
            if plain.len() == plain.capacity() {
                if plain.len() >= BLOCK_LIMIT {
                    return Err(Broken("a header block of more than 16 KiB"));
                }
                plain.reserve(plain.len());
            }
            let read = usize::try_from(self.0.total_in() - start).map_err(|_| DAMAGED)?;
            let rest = packed.get(read..).ok_or(DAMAGED)?;
            let written = plain.len();
            match self.0.decompress_vec(rest, &mut plain, FlushDecompress::Sync) {
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(&DICTIONARY).map_err(|_| Broken("another dictionary"))?;
                }
                Err(_) | Ok(Status::StreamEnd) => return Err(DAMAGED),
                Ok(Status::Ok | Status::BufError) => {
                    let consumed = self.0.total_in() - start == packed.len() as u64;
                    if consumed && plain.len() < plain.capacity() {
                        return Ok(plain);
                    }
                    if !consumed && plain.len() == written && plain.len() < plain.capacity() {
                        return Err(DAMAGED);
                    }
                }
            }
        }
    }
}

fn parse(mut block: Bytes) -> Result<Headers, Broken> {
    const SHORT: Broken = Broken("a short header block");
    let mut headers = Headers::new();
    let count = block.try_get_u32().map_err(|_| SHORT)?;
    for _ in 0..count {
        let mut text = || {
            let length = block.try_get_u32().map_err(|_| SHORT)? as usize;
            if length > block.len() {
                return Err(SHORT);
            }
            String::from_utf8(block.split_to(length).to_vec()).map_err(|_| Broken("a header that is not text"))
        };
        let name = text()?.to_ascii_lowercase();
        headers.push((name, text()?));
    }
    Ok(headers)
}

/// Packs our blocks.
pub(super) struct Deflater(Compress);

impl Deflater {
    pub(super) fn new() -> Deflater {
        let mut compress = Compress::new_with_window_bits(Compression::fast(), true, DEFLATE_WINDOW_BITS);
        compress.set_dictionary(&DICTIONARY).expect("a fresh compressor takes a dictionary");
        Deflater(compress)
    }

    pub(super) fn block(&mut self, headers: &Headers) -> Vec<u8> {
        let mut plain = Vec::new();
        plain.put_u32(headers.len() as u32);
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.put_u32(text.len() as u32);
            plain.put_slice(text.as_bytes());
        }
        let mut packed = Vec::with_capacity(plain.len() + 64);
        let start = self.0.total_in();
        loop {
            let rest = &plain[(self.0.total_in() - start) as usize..];
            self.0.compress_vec(rest, &mut packed, FlushCompress::Sync).expect("packing into memory does not fail");
            if packed.len() < packed.capacity() {
                return packed;
            }
            packed.reserve(packed.len());
        }
    }
}

/// The preset dictionary of 2.6.10.1: words with their lengths before them, then a text.
static DICTIONARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut dictionary = Vec::new();
    for word in WORDS.split_whitespace() {
        // The one word with a space in it is written with an underscore below.
        let word = word.replace('_', " ");
        dictionary.put_u32(word.len() as u32);
        dictionary.put_slice(word.as_bytes());
    }
    dictionary.put_slice(TEXT.as_bytes());
    dictionary
});

const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
     accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
     content-length content-location content-md5 content-range content-type date etag expect expires from host \
     if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
     proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
     user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie \
     keep-alive origin";

const TEXT: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
     203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized\
     403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable\
     Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT\
     chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,\
     text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

#[cfg(test)]
mod tests;
