//! What is served, and when it counts as published.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use firstlight_bootstrap::Digest;
use http::HeaderValue;

/// A declared item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name in the address.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub content_type: HeaderValue,
}

/// A condition for publication beyond the item's own marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadyWhen {
    /// This step is done.
    Marker(String),
    /// This file exists.
    File(PathBuf),
    /// None: a file that exists is published. For files that appear by rename.
    Exists,
}

/// An item as it is now.
#[derive(Debug, Clone)]
pub enum State {
    /// Not to be had yet.
    Waiting {
        /// What is missing.
        why: String,
    },
    /// Never to be had: it is a secret.
    Refused {
        /// How that was seen.
        why: String,
    },
    /// Committed and checked.
    Published(Arc<Content>),
}

/// A published item: the open file, and what its bytes have to be.
#[derive(Debug)]
pub struct Content {
    /// Opened once; a rename in between cannot mix generations.
    pub file: File,
    /// Bytes.
    pub size: u64,
    /// Of the whole.
    pub sha256: Digest,
    /// Of each chunk: bytes that were written over in place are seen before they are sent.
    pub chunks: Vec<Digest>,
    /// How often state was committed under this name.
    pub generation: u64,
    /// What it is.
    pub content_type: HeaderValue,
}

impl Content {
    /// The entity tag: the digest.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.sha256)
    }
}

/// Reads `NAME=PATH[,content-type=TYPE]`.
pub fn parse(text: &str) -> Result<Item, String> {
    let (name, rest) = text.split_once('=').ok_or("write NAME=PATH")?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(legal) {
        return Err(format!("\"{name}\" is no item name: letters, digits, - _ and ."));
    }
    let mut parts = rest.split(',');
    let path = PathBuf::from(parts.next().unwrap_or_default());
    if !path.is_absolute() {
        return Err(format!("\"{}\" is no absolute path", path.display()));
    }
    let mut content_type = guess(&path);
    for option in parts {
        match option.split_once('=') {
            Some(("content-type", value)) => {
                content_type = HeaderValue::from_str(value).map_err(|_| format!("\"{value}\" is no content type"))?;
            }
            Some(_) | None => return Err(format!("\"{option}\": the only option is content-type=TYPE")),
        }
    }
    Ok(Item { name: name.to_owned(), path, content_type })
}

fn guess(path: &std::path::Path) -> HeaderValue {
    let known = path.extension().and_then(|extension| extension.to_str()).and_then(|extension| match extension {
        "json" => Some("application/json"),
        "txt" => Some("text/plain; charset=utf-8"),
        "pem" | "crt" => Some("application/x-pem-file"),
        _ => None,
    });
    HeaderValue::from_static(known.unwrap_or("application/octet-stream"))
}

/// Reads a condition.
pub fn ready_when(text: &str) -> Result<ReadyWhen, String> {
    match text.split_once(':') {
        None if text == "exists" => Ok(ReadyWhen::Exists),
        Some(("marker", name)) if crate::marker::legal_name(name) => Ok(ReadyWhen::Marker(name.to_owned())),
        Some(("file", path)) if path.starts_with('/') => Ok(ReadyWhen::File(PathBuf::from(path))),
        Some(_) | None => Err(format!("\"{text}\" is none of marker:NAME, file:/PATH and exists")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_a_name_and_an_absolute_path() {
        let item = parse("genesis=/chain/config/genesis.json").expect("an item");
        assert_eq!((item.name.as_str(), item.content_type.as_bytes()), ("genesis", &b"application/json"[..]));
        assert_eq!(parse("x=/y,content-type=text/css").expect("an item").content_type, "text/css");
        for text in ["x", "x=y", "=/y", "a/b=/y", "..=/y", "x=/y,schema=z", "x=/y,content-type=\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn conditions() {
        assert_eq!(ready_when("marker:genesis"), Ok(ReadyWhen::Marker("genesis".into())));
        assert_eq!(ready_when("exists"), Ok(ReadyWhen::Exists));
        for text in ["", "marker:", "marker:a/b", "file:x", "tcp://x:1", "now"] {
            assert!(ready_when(text).is_err(), "{text}");
        }
    }
}
