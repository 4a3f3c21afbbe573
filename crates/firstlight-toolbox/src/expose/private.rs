//! What an exposer never publishes (rule S20): private keys and mnemonics, by name and by content.
//!
//! A detector can only refuse what it knows; the allow-list of items is what keeps everything else in.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::Value;

/// Why a file of this name is not published.
pub fn by_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let exact = [
        "priv_validator_key.json",
        "node_key.json",
        "keys.json",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "shadow",
        ".netrc",
        ".pgpass",
        ".env",
        "kubeconfig",
        ".dockerconfigjson",
    ];
    let endings = [".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk"];
    let words = ["mnemonic", "private_key", "privatekey", "private-key", "seed_phrase", "seed-phrase"];
    let in_secrets = path.starts_with("/var/run/secrets") || path.starts_with("/run/secrets");
    let named = exact.contains(&name.as_str())
        || endings.iter().any(|ending| name.ends_with(ending))
        || words.iter().any(|word| name.contains(word));
    (named || in_secrets).then(|| "its name is that of a private key or a secret".to_owned())
}

/// Larger files are searched for keys in PEM only.
const PARSED: usize = 16 << 20;

/// Why content like this is not published.
pub fn by_content(bytes: &[u8]) -> Option<&'static str> {
    if pem(bytes) || pem_in_base64(bytes) {
        return Some("it holds a private key in PEM");
    }
    if der(bytes) {
        return Some("it is a private key in DER");
    }
    if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        return Some("it is a Java key store");
    }
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= PARSED)?;
    if text.contains("AGE-SECRET-KEY-1") {
        return Some("it holds an age key");
    }
    if text.lines().any(mnemonic) || mnemonic(text) {
        return Some("it holds what looks like a mnemonic");
    }
    serde_json::from_str(text).ok().and_then(|document: Value| json(&document))
}

/// `-----BEGIN ... PRIVATE KEY...-----`, whatever stands between.
fn pem(bytes: &[u8]) -> bool {
    find(bytes, b"-----BEGIN ").any(|at| {
        let line = &bytes[at..bytes.len().min(at + 80)];
        let line = line.split(|byte| *byte == b'\n' || *byte == b'\\').next().unwrap_or_default();
        find(line, b"PRIVATE KEY").next().is_some()
    })
}

/// The same inside base64, as kubeconfigs and Secrets carry it.
fn pem_in_base64(bytes: &[u8]) -> bool {
    find(bytes, b"LS0tLS1CRUdJTi").any(|at| {
        let base64 = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let run: Vec<u8> = bytes[at..].iter().take(160).take_while(base64).copied().collect();
        let whole = &run[..run.len() / 4 * 4];
        STANDARD_NO_PAD.decode(whole).or_else(|_| STANDARD.decode(whole)).is_ok_and(|decoded| pem(&decoded))
    })
}

fn find<'a>(bytes: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(word.len()).enumerate().filter(move |(_, window)| *window == word).map(|(at, _)| at)
}

/// PKCS#1, PKCS#8, SEC 1 and PKCS#12: a sequence over the whole file that opens with a version and what belongs to it.
fn der(bytes: &[u8]) -> bool {
    let (head, length) = match bytes {
        [0x30, length @ 0..=0x7f, ..] => (2, usize::from(*length)),
        [0x30, 0x81, length, ..] => (3, usize::from(*length)),
        [0x30, 0x82, high, low, ..] => (4, usize::from(*high) << 8 | usize::from(*low)),
        _ => return false,
    };
    // A line end after it does not make it anything else.
    let whole = (head + length..=head + length + 2).contains(&bytes.len());
    let inside = bytes.get(head..).unwrap_or_default();
    whole
        && matches!(
            inside,
            [0x02, 0x01, 0x00, 0x30 | 0x02, ..] | [0x02, 0x01, 0x01, 0x04 | 0x30, ..] | [0x02, 0x01, 0x03, 0x30, ..]
        )
}

/// As many lower-case words as BIP-39 phrases have, and nothing else.
fn mnemonic(text: &str) -> bool {
    let text = text.trim().trim_end_matches(',');
    let text = text.rsplit_once(": ").map_or(text, |(_, value)| value).trim_matches(['"', '\'']);
    let words = text.split_whitespace();
    let word = |word: &str| (3..=8).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase());
    matches!(words.clone().count(), 12 | 15 | 18 | 21 | 24) && words.clone().all(word)
}

/// Keys of JSON objects that hold what must not be shown, in the spellings of the chains, JWKs and cloud accounts.
const PRIVATE_KEYS: [&str; 12] = [
    "privkey",
    "privatekey",
    "privatekeyid",
    "secretkey",
    "mnemonic",
    "mnemonics",
    "seedphrase",
    "ciphertext",
    "clientkeydata",
    "clientsecret",
    "password",
    "passphrase",
];

fn json(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(object) => {
            // RFC 7517: `d` is the private part of a key pair, `k` a shared key.
            if object.contains_key("kty") && (object.contains_key("d") || object.contains_key("k")) {
                return Some("it holds a private JSON Web Key");
            }
            let private = object.iter().any(|(key, value)| {
                let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
                PRIVATE_KEYS.contains(&plain.to_ascii_lowercase().as_str()) && !empty(value)
            });
            if private {
                return Some("it holds a field that is named as a private key or a secret");
            }
            object.values().find_map(json)
        }
        Value::Array(list) => {
            let bytes = list.iter().all(|value| value.as_u64().is_some_and(|number| number < 256));
            if bytes && matches!(list.len(), 32 | 64) {
                return Some("it holds a key as a list of bytes");
            }
            list.iter().find_map(json)
        }
        Value::String(text) if mnemonic(text) => Some("it holds what looks like a mnemonic"),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn empty(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value.as_str().is_some_and(str::is_empty)
}

#[cfg(test)]
mod tests;
