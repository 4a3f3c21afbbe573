//! Short names from content: FNV-1a, written with letters that spell no words.
//!
//! Upstream names ControllerRevisions and templates this way (`pkg/controller/history`, `rand.SafeEncodeString`).

/// The letters: no vowels, none that look alike.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// 32 bits of FNV-1a.
#[must_use]
pub fn fnv(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// A number's decimal digits as safe letters.
#[must_use]
pub fn spelled(number: u32) -> String {
    let letter = |digit: u8| LETTERS.get(usize::from(digit) % LETTERS.len()).copied().unwrap_or(b'b');
    number.to_string().bytes().map(|digit| char::from(letter(digit))).collect()
}
