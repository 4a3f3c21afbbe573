//! What is answered to a request, given the items as they are.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE, RETRY_AFTER,
};
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::body::Answer;
use super::item::{Content, State};
use super::scan::Snapshot;
use crate::hash;
use crate::value;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The list of items.
    Items,
    /// One item.
    Item(Question),
    /// Whether all items are published.
    Ready,
    /// Whether we live.
    Health,
    /// Figures.
    Metrics,
    /// Nothing we have; this is the answer.
    Wrong(StatusCode, String),
}

/// A question for one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which.
    pub name: String,
    /// How long the question may stay open.
    pub wait: Duration,
    /// Only a later generation than this counts.
    pub after: u64,
}

/// The longest a question stays open; clients ask again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// RFC 9530.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// Ours: which generation an answer is of.
const GENERATION: HeaderName = HeaderName::from_static("firstlight-generation");

/// Reads a request's head.
pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap) -> Asked {
    if method != Method::GET && method != Method::HEAD {
        return Asked::Wrong(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not allowed"));
    }
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if length || headers.contains_key(http::header::TRANSFER_ENCODING) {
        return Asked::Wrong(StatusCode::BAD_REQUEST, "a question has no body".to_owned());
    }
    let asked = match uri.path() {
        "/v1/items" => Asked::Items,
        "/v1/ready" => Asked::Ready,
        "/healthz" => Asked::Health,
        "/metrics" => Asked::Metrics,
        path => match path.strip_prefix("/v1/items/") {
            Some(name) => return question(name, uri.query().unwrap_or_default()),
            None => return Asked::Wrong(StatusCode::NOT_FOUND, "there is no such place".to_owned()),
        },
    };
    match uri.query() {
        Some(query) if !query.is_empty() => {
            Asked::Wrong(StatusCode::BAD_REQUEST, format!("no option is known here: {query}"))
        }
        Some(_) | None => asked,
    }
}

fn question(name: &str, query: &str) -> Asked {
    let mut question = Question { name: name.to_owned(), wait: Duration::ZERO, after: 0 };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let understood = match pair.split_once('=') {
            Some(("wait", text)) => value::duration(text).map(|wait| question.wait = wait.min(LONGEST_WAIT)).is_ok(),
            Some(("after-generation", text)) => text.parse().map(|after| question.after = after).is_ok(),
            Some(_) | None => false,
        };
        if !understood {
            return Asked::Wrong(
                StatusCode::BAD_REQUEST,
                format!("\"{pair}\" is none of wait=TIME and after-generation=N"),
            );
        }
    }
    Asked::Item(question)
}

/// Whether the question can be answered now, or is worth keeping open.
pub fn answerable(question: &Question, snapshot: &Snapshot) -> bool {
    match snapshot.items.get(&question.name) {
        Some(State::Published(content)) => content.generation > question.after,
        Some(State::Waiting { .. }) => false,
        Some(State::Refused { .. }) | None => true,
    }
}

/// The answer about one item.
pub fn item(question: &Question, snapshot: &Snapshot, headers: &HeaderMap) -> Response<Answer> {
    let Question { name, wait, after } = question;
    match snapshot.items.get(name) {
        None => {
            let names: Vec<&String> = snapshot.items.keys().collect();
            json(StatusCode::NOT_FOUND, &json!({ "error": format!("no item \"{name}\""), "items": names }))
        }
        Some(State::Refused { why }) => json(StatusCode::FORBIDDEN, &json!({ "error": why, "item": name })),
        Some(State::Waiting { why }) => not_yet(name, why, *wait),
        Some(State::Published(content)) if content.generation <= *after => {
            not_yet(name, &format!("it is at generation {}", content.generation), *wait)
        }
        Some(State::Published(content)) => published(content, headers),
    }
}

fn not_yet(name: &str, why: &str, waited: Duration) -> Response<Answer> {
    let document = json!({ "error": "not published yet", "item": name, "why": why });
    let mut answer = json(StatusCode::SERVICE_UNAVAILABLE, &document);
    // Who held the line may ask again at once; who polls should not.
    let pause = if waited.is_zero() { "1" } else { "0" };
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(pause));
    answer
}

fn published(content: &Arc<Content>, asked: &HeaderMap) -> Response<Answer> {
    let etag = content.etag();
    let text = |name| asked.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let lists = |field: &str| field.split(',').any(|tag| tag.trim() == "*" || tag.trim() == etag);
    if text(IF_MATCH).is_some_and(|field| !lists(field)) {
        let document = json!({ "error": "another state is published", "sha256": content.sha256.to_string() });
        return described(json(StatusCode::PRECONDITION_FAILED, &document), content);
    }
    if text(IF_NONE_MATCH).is_some_and(lists) {
        let mut answer = Response::new(Answer::Text(None));
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return described(answer, content);
    }
    let ranged = text(IF_RANGE).is_none_or(|tag| tag == etag);
    let range = text(RANGE).filter(|_| ranged).map_or(Range::Whole, |field| range(field, content.size));
    let (status, next, end) = match range {
        Range::Whole => (StatusCode::OK, 0, content.size),
        Range::Part(next, end) => (StatusCode::PARTIAL_CONTENT, next, end),
        Range::Outside => {
            let mut answer =
                json(StatusCode::RANGE_NOT_SATISFIABLE, &json!({ "error": "the range is outside of the item" }));
            put(answer.headers_mut(), CONTENT_RANGE, &format!("bytes */{}", content.size));
            return described(answer, content);
        }
    };
    let mut answer = Response::new(Answer::Stretch { content: Arc::clone(content), next, end });
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content.content_type.clone());
    if status == StatusCode::PARTIAL_CONTENT {
        put(answer.headers_mut(), CONTENT_RANGE, &format!("bytes {next}-{}/{}", end - 1, content.size));
    }
    described(answer, content)
}

/// Which state an answer is about.
fn described(mut answer: Response<Answer>, content: &Content) -> Response<Answer> {
    let headers = answer.headers_mut();
    put(headers, ETAG, &content.etag());
    put(headers, REPR_DIGEST, &hash::to_field(content.sha256));
    put(headers, GENERATION, &content.generation.to_string());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// From a byte to the one after the last.
    Part(u64, u64),
    Outside,
}

/// One range of bytes (RFC 9110 section 14.2); what we do not understand is answered with the whole, as that allows.
fn range(field: &str, size: u64) -> Range {
    let Some((first, last)) = field.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Range::Whole;
    };
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    match (number(first), number(last)) {
        (Some(first), _) if first >= size && (last.is_empty() || number(last).is_some()) => Range::Outside,
        (Some(first), Some(last)) if first <= last => Range::Part(first, last.saturating_add(1).min(size)),
        (Some(first), None) if last.is_empty() => Range::Part(first, size),
        (None, Some(0)) if first.is_empty() => Range::Outside,
        (None, Some(count)) if first.is_empty() => Range::Part(size.saturating_sub(count), size),
        _ => Range::Whole,
    }
}

/// The list of items.
pub fn items(snapshot: &Snapshot) -> Response<Answer> {
    let list: Vec<Value> = snapshot
        .items
        .iter()
        .map(|(name, state)| match state {
            State::Published(content) => json!({
                "name": name,
                "published": true,
                "generation": content.generation,
                "size": content.size,
                "sha256": content.sha256.to_string(),
            }),
            State::Waiting { why } => json!({ "name": name, "published": false, "why": why }),
            State::Refused { why } => json!({ "name": name, "published": false, "refused": true, "why": why }),
        })
        .collect();
    json(StatusCode::OK, &json!({ "items": list }))
}

/// Whether everything is published.
pub fn ready(snapshot: &Snapshot) -> Response<Answer> {
    let missing: Vec<Value> =
        snapshot.missing().into_iter().map(|(name, why)| json!({ "item": name, "why": why })).collect();
    if missing.is_empty() && !snapshot.draining {
        return json(StatusCode::OK, &json!({ "ready": true }));
    }
    json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "ready": false, "stopping": snapshot.draining, "missing": missing }))
}

/// A refusal.
pub fn wrong(status: StatusCode, why: &str) -> Response<Answer> {
    let mut answer = json(status, &json!({ "error": why }));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    if status == StatusCode::BAD_REQUEST || status == StatusCode::METHOD_NOT_ALLOWED {
        // A body may follow that nobody is going to read.
        answer.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// A text.
pub fn text(text: String) -> Response<Answer> {
    let mut answer = Response::new(Answer::Text(Some(Bytes::from(text))));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    answer
}

fn json(status: StatusCode, document: &Value) -> Response<Answer> {
    let mut text = document.to_string();
    let _infallible = text.write_char('\n');
    let mut answer = Response::new(Answer::Text(Some(Bytes::from(text))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, target: &str) -> Asked {
        read(&method.parse().expect("a method"), &target.parse().expect("a target"), &HeaderMap::new())
    }

    #[test]
    fn only_declared_places_exist() {
        assert_eq!(asked("GET", "/v1/items"), Asked::Items);
        assert_eq!(asked("HEAD", "/healthz"), Asked::Health);
        for path in ["/", "/v1", "/genesis", "/keys", "/priv_keys", "/v2/items", "/v1/items2"] {
            assert!(matches!(asked("GET", path), Asked::Wrong(StatusCode::NOT_FOUND, _)), "{path}");
        }
        assert!(matches!(asked("POST", "/v1/items"), Asked::Wrong(StatusCode::METHOD_NOT_ALLOWED, _)));
        assert!(matches!(asked("GET", "/v1/items?x=1"), Asked::Wrong(StatusCode::BAD_REQUEST, _)));
    }

    #[test]
    fn a_question_can_stay_open_but_not_for_ever() {
        let Asked::Item(question) = asked("GET", "/v1/items/genesis?wait=10m&after-generation=3") else { panic!() };
        assert_eq!((question.name.as_str(), question.wait, question.after), ("genesis", LONGEST_WAIT, 3));
        for query in ["wait=x", "wait", "after-generation=-1", "Wait=1s", "wait=1s&x=1"] {
            let asked = asked("GET", &format!("/v1/items/genesis?{query}"));
            assert!(matches!(asked, Asked::Wrong(StatusCode::BAD_REQUEST, _)), "{query}");
        }
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_writes_them() {
        let cases = [
            ("bytes=0-4", Range::Part(0, 5)),
            ("bytes=5-", Range::Part(5, 10)),
            ("bytes=-3", Range::Part(7, 10)),
            ("bytes=-30", Range::Part(0, 10)),
            ("bytes=0-99", Range::Part(0, 10)),
            ("bytes=10-", Range::Outside),
            ("bytes=12-15", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=4-2", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("bytes=x-", Range::Whole),
            ("bytes=-", Range::Whole),
            ("lines=0-1", Range::Whole),
            ("bytes=0-18446744073709551615", Range::Part(0, 10)),
        ];
        for (field, expected) in cases {
            assert_eq!(range(field, 10), expected, "{field}");
        }
    }
}
