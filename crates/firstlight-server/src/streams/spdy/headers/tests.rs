//! Header blocks: the dictionary is the draft's, the state spans blocks, bombs do not go off.

use super::{BLOCK_LIMIT, DICTIONARY, Deflater, Headers, Inflater};
use crate::streams::spdy::Broken;
use flate2::{Compress, Compression, FlushCompress};

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn pack(plain: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), true);
    compress.set_dictionary(&DICTIONARY).expect("a dictionary");
    let mut packed = Vec::with_capacity(plain.len() + 100);
    compress.compress_vec(plain, &mut packed, FlushCompress::Sync).expect("packed");
    packed
}

/// RFC 1950, section 9: its Adler-32 is the dictionary's name on the wire, the same for every implementation.
#[test]
fn the_dictionary_is_the_one_all_peers_have() {
    assert_eq!(DICTIONARY.len(), 1423);
    let mut compress = Compress::new(Compression::fast(), true);
    assert_eq!(compress.set_dictionary(&DICTIONARY).expect("a dictionary"), 0xe3c6_a7c2);
}

#[test]
fn blocks_share_one_compression_state() {
    let (mut out, mut back) = (Deflater::new(), Inflater::new());
    let first = headers(&[("streamtype", "error"), ("port", "8080"), ("requestid", "0")]);
    let second = headers(&[("streamtype", "data"), ("port", "8080"), ("requestid", "0")]);
    let (one, two) = (out.block(&first), out.block(&second));
    assert!(two.len() < one.len(), "the second block leans on the first: {} {}", one.len(), two.len());
    assert_eq!(back.block(&one), Ok(first));
    assert_eq!(back.block(&two), Ok(second));
    assert_eq!(Inflater::new().block(&two).map_err(|Broken(_)| ()), Err(()), "and cannot be read without it");
}

#[test]
fn a_block_as_large_as_allowed_is_read_and_packed() {
    let long = headers(&[("long", &"x".repeat(BLOCK_LIMIT - 100)), ("short", "")]);
    let packed = Deflater::new().block(&long);
    assert_eq!(Inflater::new().block(&packed), Ok(long));
}

#[test]
fn a_bomb_does_not_go_off() {
    let packed = pack(&vec![0; 4 << 20]);
    assert!(packed.len() < 16 << 10, "a small frame: {}", packed.len());
    assert_eq!(Inflater::new().block(&packed), Err(Broken("a header block of more than 16 KiB")));
}

#[test]
fn counts_and_lengths_that_lie_are_refused() {
    for plain in [
        &[][..],
        &[0, 0, 0, 1],
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, b'a'],
        &[0, 0, 0, 1, 0, 0, 0, 1, b'a', 0, 0, 0, 9, b'b'],
    ] {
        assert_eq!(Inflater::new().block(&pack(plain)), Err(Broken("a short header block")), "{plain:?}");
    }
    let not_text = [0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0, 0, 0, 0];
    assert_eq!(Inflater::new().block(&pack(&not_text)), Err(Broken("a header that is not text")));
}

#[test]
fn names_are_read_in_lower_case() {
    let block = Deflater::new().block(&headers(&[("StreamType", "Error")]));
    assert_eq!(Inflater::new().block(&block), Ok(headers(&[("streamtype", "Error")])));
}
