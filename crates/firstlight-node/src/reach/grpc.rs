//! Is a gRPC server healthy, by its own word? Asked for gRPC probes (PRB-1).
//!
//! One unary call, `grpc.health.v1.Health/Check`, over HTTP/2 without TLS, as upstream's `pkg/probe/grpc` makes it. Its two
//! messages have one field each (`grpc/health/v1/health.proto`), so they are written and read here by hand:
//!
//! ```text
//!  request   0a LEN service         field 1, a string; nothing at all for the server as a whole
//!  response  08 STATUS              field 1, an enum: 1 is SERVING
//!  both are framed by a zero byte (not compressed) and four bytes of length, the most significant first
//! ```

use super::AGENT;
use bytes::Bytes;
use firstlight_pod::Millis;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::net::TcpStream;

/// The most that is read of an answer: a healthy one has seven bytes.
const ANSWER_MAX: usize = 4096;

/// What `ServingStatus` calls the one that is well.
const SERVING: u64 = 1;

/// Status codes of gRPC that say more than that it failed.
const DEADLINE_EXCEEDED: usize = 4;
const UNIMPLEMENTED: usize = 12;

/// The names of gRPC's status codes, as Go prints them.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// Whether the server behind `stream` says that `service` is well. Words are upstream's, which people search for.
pub(super) async fn check(stream: TcpStream, address: &str, service: &str, limit: Duration) -> Result<(), String> {
    let failed = |error: hyper::Error| format!("error: health rpc probe failed: {}", with_cause(&error));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(failed)?;
    let connection = tokio::spawn(connection);
    let outcome = async {
        let answer = sender.send_request(request(address, service)?).await.map_err(failed)?;
        let (head, body) = answer.into_parts();
        // A refusal has its status in the head, and no body.
        if let Some(code) = code(&head.headers) {
            judge(code, &head.headers, limit)?;
        }
        let whole = Limited::new(body, ANSWER_MAX).collect().await;
        let whole = whole.map_err(|error| format!("error: health rpc probe failed: {error}"))?;
        let trailers = whole.trailers().cloned().unwrap_or_default();
        match code(&trailers) {
            Some(code) => judge(code, &trailers, limit)?,
            None if head.status.is_success() => {}
            None => {
                return Err(format!("error: health rpc probe failed: the server answered with HTTP {}", head.status));
            }
        }
        match serving(&whole.to_bytes()) {
            Some(SERVING) => Ok(()),
            Some(other) => Err(format!("service unhealthy (responded with \"{}\")", status_name(other))),
            None => Err("error: health rpc probe failed: the answer is no HealthCheckResponse".to_owned()),
        }
    };
    let outcome = outcome.await;
    connection.abort();
    outcome
}

/// That no answer came in time.
pub(super) fn too_late(limit: Duration) -> String {
    format!("timeout: health rpc did not complete within {}", go(limit))
}

fn request(address: &str, service: &str) -> Result<Request<Full<Bytes>>, String> {
    Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", AGENT)
        .body(Full::new(asking(service)))
        .map_err(|error| error.to_string())
}

/// A framed `HealthCheckRequest`.
fn asking(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length > 0x7f {
            message.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or(0));
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0][..], &length, &message].concat().into()
}

/// The status in a framed `HealthCheckResponse`: 0 if it names none, as protobuf leaves out zeros; `None` if it is no such
/// message. Fields that are not known are passed over.
fn serving(frame: &[u8]) -> Option<u64> {
    let (head, mut rest) = frame.split_at_checked(5)?;
    let length = u32::from_be_bytes(head.get(1..)?.try_into().ok()?);
    if head.first() != Some(&0) || usize::try_from(length) != Ok(rest.len()) {
        return None;
    }
    let mut status = 0;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match tag & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if tag >> 3 == 1 {
                    status = value;
                }
            }
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn status_name(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => other.to_string(),
    }
}

fn code(headers: &HeaderMap) -> Option<usize> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn judge(code: usize, headers: &HeaderMap, limit: Duration) -> Result<(), String> {
    let said = headers.get("grpc-message").map(decoded).unwrap_or_default();
    match code {
        0 => Ok(()),
        UNIMPLEMENTED => Err(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {said}"
        )),
        DEADLINE_EXCEEDED => Err(too_late(limit)),
        code => {
            let name = CODES.get(code).map_or_else(|| format!("Code({code})"), |name| (*name).to_owned());
            Err(format!("error: health rpc probe failed: rpc error: code = {name} desc = {said}"))
        }
    }
}

/// `grpc-message` is percent-encoded (gRPC over HTTP/2, "Responses").
fn decoded(value: &HeaderValue) -> String {
    let mut out = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The library's words for a broken connection say little without what broke it.
fn with_cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn go(length: Duration) -> String {
    Millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)).go()
}

#[cfg(test)]
mod tests;
