//! What is drawn by lot: UIDs and the ends of generated names.

use rustix::rand::{GetRandomFlags, getrandom};

/// Letters and digits that spell no words and are not mistaken for each other
/// (`k8s.io/apimachinery/pkg/util/rand`).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// How long the generated end of a name is (`k8s.io/apiserver/pkg/storage/names`).
const SUFFIX: usize = 5;

/// How much of `generateName` is kept, so that the name stays a label.
const BASE: usize = 63 - SUFFIX;

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = |range: std::ops::Range<usize>| -> String { bytes[range].iter().map(|b| format!("{b:02x}")).collect() };
    [hex(0..4), hex(4..6), hex(6..8), hex(8..10), hex(10..16)].join("-")
}

/// A name that begins with `generateName`.
pub(crate) fn name(generate_name: &str) -> String {
    let mut base = generate_name;
    while base.len() > BASE {
        let mut letters = base.chars();
        letters.next_back();
        base = letters.as_str();
    }
    // Two bytes for each letter: the remainder favours some letters by less than one in two thousand.
    let suffix = random::<{ 2 * SUFFIX }>()
        .chunks_exact(2)
        .map(|pair| char::from(ALPHABET[usize::from(u16::from_le_bytes([pair[0], pair[1]])) % ALPHABET.len()]))
        .collect::<String>();
    format!("{base}{suffix}")
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let got = getrandom(&mut bytes[..], GetRandomFlags::empty()).expect("the kernel has random bytes");
    assert_eq!(got, N, "up to 256 bytes come whole (getrandom(2))");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_a_random_uuid() {
        let uid = uid();
        let dashes: Vec<_> = uid.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((uid.len(), dashes, &uid[14..15]), (36, vec![8, 13, 18, 23], "4"));
        assert_ne!(uid, super::uid());
    }

    #[test]
    fn a_generated_name_has_five_letters_more_and_fits_a_label() {
        let name = name("web-");
        assert!(
            name.strip_prefix("web-").is_some_and(|end| end.bytes().all(|b| ALPHABET.contains(&b)) && end.len() == 5)
        );
        assert_eq!(super::name(&"x".repeat(100)).len(), 63);
    }
}
