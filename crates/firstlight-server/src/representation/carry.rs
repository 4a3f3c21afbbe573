//! What carries an answer: status, headers, warnings, and compression of what is long.

use crate::body::{Body, full};
use bytes::Bytes;
use firstlight_api::object::Resource;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use std::io::Write as _;

/// Answers from this size on are compressed for who takes it: 128 KiB, level 1
/// (`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters`).
const COMPRESSED_FROM: usize = 128 << 10;

/// Whether the client takes gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    said.flat_map(|value| value.split(',')).any(|coding| coding.split(';').next().map(str::trim) == Some("gzip"))
}

/// An answer of JSON text. `asked` are the request's headers.
pub(crate) fn respond(code: StatusCode, text: Bytes, warnings: &[String], asked: &HeaderMap) -> Response<Body> {
    let compressed = (text.len() >= COMPRESSED_FROM && takes_gzip(asked)).then(|| compress(&text)).flatten();
    let gzip = compressed.is_some();
    let mut response = with_headers(code, full(compressed.map_or(text, Bytes::from)), warnings);
    if gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

/// An answer whose text comes as things happen.
pub(crate) fn respond_stream(body: Body, warnings: &[String]) -> Response<Body> {
    with_headers(StatusCode::OK, body, warnings)
}

/// What is answered where nothing is left to show.
pub(crate) fn success(resource: Resource, name: &str, uid: &str) -> Value {
    let Resource { group, plural } = resource;
    let details = [("name", name), ("group", group), ("kind", plural), ("uid", uid)];
    let details = details.into_iter().filter(|(_, text)| !text.is_empty());
    let details: Value =
        details.map(|(key, text)| (key.to_owned(), Value::from(text))).collect::<serde_json::Map<_, _>>().into();
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

fn with_headers(code: StatusCode, body: Body, warnings: &[String]) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    for warning in warnings {
        if let Ok(value) = HeaderValue::from_str(&warning_text(warning)) {
            headers.append(header::WARNING, value);
        }
    }
    response
}

/// Code 299, no agent, and a quoted text (RFC 7234, section 5.5).
fn warning_text(warning: &str) -> String {
    let mut quoted = String::with_capacity(warning.len() + 8);
    for letter in warning.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            _ => quoted.push(' '),
        }
    }
    format!("299 - \"{quoted}\"")
}

fn compress(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::new(1));
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}
