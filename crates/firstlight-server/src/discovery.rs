//! What clients ask before they ask for anything: `/api`, `/apis`, `/version`, `/openapi`.

use crate::body::{Body, full};
use crate::failure::Failure;
use crate::representation::{respond, takes_gzip};
use bytes::Bytes;
use firstlight_api::discovery::{Answer, Document, answer as described, document};
use firstlight_api::object::Resource;
use firstlight_api::status_error::StatusError;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// `/openapi/v2`, asked for by `kubectl` about a kind that no v3 document describes; nor does this one, and so `kubectl`
/// goes on to say that there is no such kind. A protobuf `openapi.v2.Document` (github.com/google/gnostic-models):
/// swagger, info with title and version, no paths.
const OPENAPI_V2: &[u8] = b"\x0a\x032.0\x12\x10\x0a\x0aFirstlight\x12\x02v1\x42\x00";

/// Its media type as upstream writes it in answers (`k8s.io/kube-openapi/pkg/handler`): with a dot where clients write
/// the `@` that is not allowed there.
const OPENAPI_V2_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// How long a document named by its hash may be kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 365);

/// The answer, if the path asks for one.
pub(crate) fn answer(parts: &Parts, now: Timestamp) -> Option<Result<Response<Body>, Failure>> {
    let path = parts.uri.path();
    let found = of(path, parts, now)?;
    if parts.method != Method::GET {
        let plural = Resource { group: "", plural: "discovery" };
        return Some(Err(StatusError::method_not_allowed(plural, parts.method.as_str()).into()));
    }
    Some(found.map_err(Failure::from))
}

fn of(path: &str, parts: &Parts, now: Timestamp) -> Option<Result<Response<Body>, StatusError>> {
    if path == "/" {
        let paths = json!({"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]});
        return Some(Ok(respond(StatusCode::OK, Bytes::from(paths.to_string()), &[], &parts.headers)));
    }
    if let Some(document) = path.strip_prefix("/openapi/v3/").and_then(document) {
        return Some(openapi(document, parts, now));
    }
    if path == "/openapi/v2" {
        let mut response = Response::new(full(Bytes::from_static(OPENAPI_V2)));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OPENAPI_V2_TYPE));
        return Some(Ok(response));
    }
    let accept = parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let Answer { content_type, body } = described(path, &accept.collect::<Vec<_>>().join(","))?;
    let mut response = respond(StatusCode::OK, Bytes::from(body.to_string()), &[], &parts.headers);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
    Some(Ok(response))
}

/// A document as it is kept, compressed. Clients that may keep it do so only if told until when.
fn openapi(document: &'static Document, parts: &Parts, now: Timestamp) -> Result<Response<Body>, StatusError> {
    let gzip = takes_gzip(&parts.headers);
    let text = if gzip { Bytes::from_static(document.gzip) } else { Bytes::from(document.json()?) };
    let mut response = Response::new(full(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let named = parts.uri.query().is_some_and(|query| query.contains(document.hash));
    let until = now.checked_add(KEPT).unwrap_or(Timestamp::MAX).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let (true, Ok(until)) = (named, HeaderValue::from_str(&until)) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
        headers.insert(header::EXPIRES, until);
    } else {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    }
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", document.hash)) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}
