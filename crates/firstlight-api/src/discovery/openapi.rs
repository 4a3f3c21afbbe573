//! The OpenAPI v3 documents, one per group and version, compressed when the crate is built.
//!
//! A document never changes while the engine runs and its address carries its hash. Clients keep it only if the
//! answer says so: `Cache-Control: public, immutable` together with `Expires`.

use crate::status_error::StatusError;
use serde_json::{Map, Value, json};
use std::io::Read;

/// The document of one group and version.
#[derive(Debug, PartialEq, Eq)]
pub struct Document {
    /// Below `/openapi/v3/`: `apis/apps/v1`.
    pub path: &'static str,
    /// Of the content; the address carries it as `?hash=`.
    pub hash: &'static str,
    /// The JSON text, compressed: send it as it is with `Content-Encoding: gzip`.
    pub gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/openapi.rs"));

/// The document at a path below `/openapi/v3/`.
#[must_use]
pub fn document(path: &str) -> Option<&'static Document> {
    DOCUMENTS.iter().find(|d| d.path == path)
}

impl Document {
    /// The JSON text, for clients that do not take gzip.
    ///
    /// # Errors
    /// 500 if the stored bytes are damaged.
    pub fn json(&self) -> Result<Vec<u8>, StatusError> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(self.gzip).read_to_end(&mut text).map_err(StatusError::internal)?;
        Ok(text)
    }
}

/// `/openapi/v3`
pub(super) fn index() -> Value {
    let entry = |d: &Document| {
        let address = format!("/openapi/v3/{}?hash={}", d.path, d.hash);
        (d.path.to_owned(), json!({"serverRelativeURL": address}))
    };
    json!({"paths": DOCUMENTS.iter().map(entry).collect::<Map<_, _>>()})
}
