//! `GET pods/NAME/log`: what a container wrote, as plain text, at once or as it comes.

use super::container::{Run, logged_run};
use super::websocket::Socket;
use crate::body::Body;
use crate::console::LogOptions;
use crate::query::Query;
use firstlight_api::object::text;
use firstlight_api::status_error::{Details, FieldError, StatusError};
use futures::{SinkExt, StreamExt, TryStreamExt};
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::AsyncRead;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

/// Bytes sent at once. What is there is sent at once, however little, so that a follower sees each line as it comes.
const PIECE: usize = 16 << 10;

/// What the query asks for, in the state the pod is in.
///
/// Source of the rules: Kubernetes, `ValidatePodLogOptions` in `pkg/apis/core/v1/validation/validation.go`.
pub(super) fn options(query: &Query, pod: &Value, container: &str, now: Timestamp) -> Result<LogOptions, StatusError> {
    let tail = query.number("tailLines")?;
    let limit = query.number("limitBytes")?;
    let since_seconds = query.number("sinceSeconds")?;
    let since_time = match query.text("sinceTime") {
        None => None,
        Some(text) => Some(text.parse::<Timestamp>().map_err(|error| {
            StatusError::bad_request(format!("sinceTime: {text:?} is not a time as RFC 3339 has it: {error}"))
        })?),
    };
    let mut errors = Vec::new();
    errors.extend(tail.and_then(|lines| at_least(0, "tailLines", lines, "must be greater than or equal to 0")));
    errors.extend(limit.and_then(|bytes| at_least(1, "limitBytes", bytes, "must be greater than 0")));
    errors.extend(since_seconds.and_then(|seconds| at_least(1, "sinceSeconds", seconds, "must be greater than 0")));
    if since_seconds.is_some() && since_time.is_some() {
        errors.push(FieldError::forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    }
    if query.text("stream").is_some_and(|stream| stream != "All") {
        let why = "may not be specified: the log has both streams in the order of writing";
        errors.push(FieldError::forbidden("stream", why));
    }
    if !errors.is_empty() {
        return Err(invalid(text(pod, &["metadata", "name"]), &errors));
    }
    let since = since_time
        .map(Timestamp::as_millisecond)
        .or_else(|| since_seconds.map(|seconds| now.as_millisecond().saturating_sub(seconds.saturating_mul(1000))));
    let flag = |name| query.flag(name).unwrap_or(false);
    let previous = match logged_run(pod, container, flag("previous"))? {
        Run::Latest => false,
        Run::Before => true,
    };
    Ok(LogOptions {
        previous,
        follow: flag("follow"),
        tail: tail.and_then(|lines| u64::try_from(lines).ok()),
        since: since.map(|millis| u64::try_from(millis).unwrap_or(0)),
        timestamps: flag("timestamps"),
        limit: limit.and_then(|bytes| u64::try_from(bytes).ok()),
    })
}

fn at_least(least: i64, field: &str, value: i64, problem: &str) -> Option<FieldError> {
    (value < least).then(|| FieldError::invalid(field, value, problem))
}

/// 422, in the words of a kind that is no object and so has no schema.
fn invalid(name: &str, errors: &[FieldError]) -> StatusError {
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let said = if let [only] = &said[..] { only.clone() } else { format!("[{}]", said.join(", ")) };
    let causes = errors.iter().map(FieldError::cause).collect();
    let details = Details { name: name.to_owned(), kind: "PodLogOptions".to_owned(), causes, ..Details::default() };
    let message = format!("PodLogOptions {name:?} is invalid: {said}");
    StatusError { code: 422, reason: "Invalid", message, details: Box::new(details) }
}

/// The answer: `log` until it ends or the server stops. `place` is given back with it.
pub(super) fn answer(
    log: Box<dyn AsyncRead + Send + Unpin>,
    place: OwnedSemaphorePermit,
    stop: CancellationToken,
) -> Response<Body> {
    let pieces = ReaderStream::with_capacity(log, PIECE)
        .take_until(stop.cancelled_owned())
        .map_ok(Frame::data)
        .inspect(move |_| {
            let _ = &place;
        });
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(pieces)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The log as messages, until it ends, the client goes or the server stops.
pub(super) async fn over_websocket(log: Box<dyn AsyncRead + Send + Unpin>, socket: Socket, gone: &CancellationToken) {
    let (mut sink, mut stream) = socket.split();
    let mut pieces = std::pin::pin!(ReaderStream::with_capacity(log, PIECE).take_until(gone.cancelled()));
    let tell = async {
        while let Some(Ok(piece)) = pieces.next().await {
            if sink.send(Message::Binary(piece)).await.is_err() {
                return;
            }
        }
        // A client that is gone need not hear the end.
        let _ = sink.close().await;
    };
    // A client has nothing to say but that it goes.
    let hear = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::select! {
        () = tell => {}
        () = hear => {}
    }
}

#[cfg(test)]
mod tests;
