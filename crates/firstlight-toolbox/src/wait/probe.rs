//! One look at one target.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue, RANGE};
use http::{HeaderMap, Method, StatusCode};
use hyper::body::Incoming;

use super::target::Target;
use crate::dial;
use crate::expect::{HeaderRule, JsonRule, Statuses};
use crate::http::{Call, Net, read_all, slow_down};
use crate::miss::{Class, Kind, Miss};
use crate::url::Url;

/// What an answer must look like.
#[derive(Debug)]
pub struct Expectations {
    /// HTTP statuses.
    pub statuses: Statuses,
    /// HTTP headers.
    pub headers: Vec<HeaderRule>,
    /// Places in a JSON document.
    pub json: Vec<JsonRule>,
}

/// A status page is small; what is larger is no status page.
const LONGEST_ANSWER: usize = 4 << 20;

/// Looks at the target once.
pub async fn probe(target: &Target, net: &Net, expect: &Expectations, limit: Duration) -> Result<(), Miss> {
    match target {
        Target::Http { url } => http(url, net, expect).await,
        Target::Tcp { host, port } => dial::connect(&net.names, host, *port, net.link_local).await.map(drop),
        Target::Unix { path } => {
            tokio::net::UnixStream::connect(path).await.map(drop).map_err(|error| Miss::socket(&error))
        }
        Target::Dns { name, at_least } => {
            let found = net.names.addresses(name).await?.len();
            if found >= *at_least {
                return Ok(());
            }
            Err(Miss::retry(Kind::NoName, format!("dns: {found} of {at_least} addresses")))
        }
        Target::File { path, at_least } => file(path, *at_least, &expect.json),
        Target::Item { url, shown: _ } => item(url, net, limit).await,
    }
}

async fn http(url: &Url, net: &Net, expect: &Expectations) -> Result<(), Miss> {
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("*/*"))]);
    let call = Call { method: Method::GET, url, headers, body: Bytes::new() };
    let answer = net.send(call).await.map_err(|unanswered| unanswered.miss)?;
    let (head, body) = answer.into_parts();
    if !expect.statuses.contains(head.status.as_u16()) {
        let class = slow_down(head.status, &head.headers).unwrap_or(Class::Retry);
        let detail = format!("answers {}, wanted {}{}", head.status, expect.statuses, excerpt(body).await);
        return Err(Miss { class, kind: Kind::Status, detail });
    }
    let content = |why| Miss::retry(Kind::Content, why);
    expect.headers.iter().try_for_each(|rule| rule.check(&head.headers)).map_err(content)?;
    if expect.json.is_empty() {
        return Ok(());
    }
    let body = read_all(body, LONGEST_ANSWER).await?;
    expect.json.iter().try_for_each(|rule| rule.check_bytes(&body)).map_err(content)
}

/// The start of an answer that was not wanted: servers explain themselves there.
async fn excerpt(body: Incoming) -> String {
    let bytes = read_all(body, LONGEST_ANSWER).await.unwrap_or_default();
    let text: String = String::from_utf8_lossy(&bytes).chars().take(120).collect();
    if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim()) }
}

fn file(path: &Path, at_least: u64, rules: &[JsonRule]) -> Result<(), Miss> {
    let found = std::fs::metadata(path).map_err(|error| Miss::socket(&error))?;
    if found.is_file() && found.len() < at_least {
        return Err(Miss::retry(Kind::Content, format!("has {} of {at_least} bytes", found.len())));
    }
    if rules.is_empty() {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(|error| Miss::socket(&error))?;
    rules.iter().try_for_each(|rule| rule.check_bytes(&bytes)).map_err(|why| Miss::retry(Kind::Content, why))
}

/// Asks the exposer to answer when the item is published; it holds the question open instead of being polled.
async fn item(url: &Url, net: &Net, limit: Duration) -> Result<(), Miss> {
    // Shorter than our own limit, so that a silent exposer and an unpublished item read differently.
    let patience = limit.mul_f64(0.9).as_millis();
    let mut held = url.clone();
    held.path = format!("{}?wait={patience}ms", url.path);
    let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-0"))]);
    let call = Call { method: Method::GET, url: &held, headers, body: Bytes::new() };
    let answer = net.send(call).await.map_err(|unanswered| unanswered.miss)?;
    let (head, body) = answer.into_parts();
    match head.status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(()),
        StatusCode::SERVICE_UNAVAILABLE => {
            Err(Miss::retry(Kind::NotPublished, format!("not published{}", excerpt(body).await)))
        }
        StatusCode::NOT_FOUND => {
            Err(Miss::fatal(Kind::Absent, format!("the exposer has no such item{}", excerpt(body).await)))
        }
        status => Err(Miss {
            class: slow_down(status, &head.headers).unwrap_or(Class::Retry),
            kind: Kind::Status,
            detail: format!("answers {status}{}", excerpt(body).await),
        }),
    }
}
