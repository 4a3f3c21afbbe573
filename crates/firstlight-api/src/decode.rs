//! What the client sent, as a JSON value: JSON and YAML with duplicate keys found, protobuf by the schema tables.
//!
//! Asked by the server for every request body, and by the command line for every manifest. Input comes from
//! anywhere, so every format is bounded: in bytes, in depth, and in what aliases may expand to.

mod protobuf;
mod tree;
mod yaml;

pub use yaml::{Document, DocumentError, documents};

use crate::status_error::StatusError;
use serde::de::DeserializeSeed;
use serde_json::Value;
pub(crate) use tree::Path;
use tree::{Notes, Tree};

/// The largest input read, in bytes. Kubernetes takes 3 MiB by HTTP; files may hold several objects.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json` and the JSON patch types.
    Json,
    /// `application/yaml` and apply patches.
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

impl Format {
    /// The format of a body by its `Content-Type`; JSON where none is given, as Kubernetes assumes.
    #[must_use]
    pub fn of_media_type(content_type: &str) -> Option<Format> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "" | "application/json" => Some(Format::Json),
            "application/yaml" => Some(Format::Yaml),
            "application/vnd.kubernetes.protobuf" => Some(Format::Protobuf),
            _ => None,
        }
    }
}

/// A decoded body.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// What was sent.
    pub value: Value,
    /// The paths of keys given more than once; the last one counts.
    pub duplicates: Vec<String>,
    /// Protobuf fields the tables do not know, by type and number: they have no name here and are dropped.
    pub dropped: Vec<String>,
}

/// Decodes one body.
///
/// # Errors
/// 400 where it is malformed or not one document, 413 where it is larger than [`MAX_BYTES`].
pub fn decode(format: Format, bytes: &[u8]) -> Result<Decoded, StatusError> {
    if bytes.len() > MAX_BYTES {
        return Err(StatusError::too_large(MAX_BYTES));
    }
    match format {
        Format::Json => json(bytes).map_err(|e| StatusError::bad_request(format!("the body is not JSON: {e}"))),
        Format::Yaml => yaml::one(bytes),
        Format::Protobuf => {
            let refuse = |e| StatusError::bad_request(format!("the body is not Kubernetes protobuf: {e}"));
            let protobuf::Read { value, unknown } = protobuf::decode(bytes).map_err(refuse)?;
            Ok(Decoded { value, duplicates: Vec::new(), dropped: unknown })
        }
    }
}

fn json(bytes: &[u8]) -> Result<Decoded, serde_json::Error> {
    let notes = Notes::json();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Tree { at: &Path::Root, notes: &notes }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(Decoded { value, duplicates: notes.duplicates(), dropped: Vec::new() })
}
