//! Whether the server serves: `/livez`, `/readyz`, `/healthz`.
//!
//! A server that answers is alive; it accepts requests only after its store is open, so it is ready too. What works
//! less than it should, as a disk that refuses writes, is said by the writes it refuses.

use crate::body::{Body, full};
use crate::failure::Failure;
use http::request::Parts;
use http::{HeaderValue, Method, Response, header};

/// The answer, if the path asks for one.
pub(crate) fn answer(parts: &Parts) -> Option<Result<Response<Body>, Failure>> {
    let asked = matches!(parts.uri.path(), "/livez" | "/readyz" | "/healthz") && parts.method == Method::GET;
    asked.then(|| {
        let mut response = Response::new(full("ok"));
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        Ok(response)
    })
}
