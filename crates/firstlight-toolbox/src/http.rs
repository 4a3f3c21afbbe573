//! One HTTP request over one connection: no pool, no redirect followed, every error told apart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;

use crate::dial;
use crate::miss::{Class, Kind, Miss};
use crate::names::Names;
use crate::tls;
use crate::url::Url;

/// Who we say we are.
const AGENT: &str = concat!("firstlight-fl/", env!("CARGO_PKG_VERSION"));

/// Everything needed to reach the network; made once per process.
#[derive(Debug)]
pub struct Net {
    /// The resolver.
    pub names: Names,
    /// Whom we trust; `None` until an `https` address is among the targets.
    pub tls: Option<Arc<ClientConfig>>,
    /// Whether link-local and metadata addresses may be contacted.
    pub link_local: bool,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// GET, HEAD or POST.
    pub method: Method,
    /// Where to.
    pub url: &'a Url,
    /// Beyond `Host`, `User-Agent` and what the address itself carries.
    pub headers: HeaderMap,
    /// Empty for none.
    pub body: Bytes,
}

/// How far a request got before it missed: a POST that was sent may have had its effect.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub miss: Miss,
    /// Whether any byte may have reached the server.
    pub sent: bool,
}

impl Net {
    /// Sends one request and reads the answer's head.
    pub async fn send(&self, call: Call<'_>) -> Result<Response<Incoming>, Unanswered> {
        let before = |miss| Unanswered { miss, sent: false };
        let stream =
            dial::connect(&self.names, &call.url.host, call.url.port, self.link_local).await.map_err(before)?;
        if !call.url.tls {
            return exchange(TokioIo::new(stream), call).await;
        }
        let settings = self.tls.as_ref().ok_or_else(|| before(Miss::fatal(Kind::Tls, "TLS was not set up")))?;
        let stream = tls::encrypt(settings, &call.url.host, stream).await.map_err(before)?;
        exchange(TokioIo::new(stream), call).await
    }
}

async fn exchange<T>(io: T, call: Call<'_>) -> Result<Response<Incoming>, Unanswered>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::handshake(io).await.map_err(|error| Unanswered { miss: explain(&error), sent: false })?;
    tokio::spawn(async move {
        // Its errors reach us through the request or the body.
        let _told = connection.await;
    });
    let request = request(call).map_err(|miss| Unanswered { miss, sent: false })?;
    sender.send_request(request).await.map_err(|error| Unanswered { miss: explain(&error), sent: true })
}

fn request(call: Call<'_>) -> Result<Request<Full<Bytes>>, Miss> {
    let Call { method, url, headers, body } = call;
    let illegal = |error: http::Error| Miss::fatal(Kind::Protocol, error.to_string());
    let mut request =
        Request::builder().method(method).uri(url.path.as_str()).body(Full::new(body)).map_err(illegal)?;
    let target = request.headers_mut();
    *target = headers;
    let host = HeaderValue::from_str(&url.authority()).map_err(|error| illegal(error.into()))?;
    target.insert(HOST, host);
    target.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    if let Some(authorization) = &url.authorization {
        let mut value = HeaderValue::from_str(authorization.expose()).map_err(|error| illegal(error.into()))?;
        value.set_sensitive(true);
        target.entry(AUTHORIZATION).or_insert(value);
    }
    Ok(request)
}

/// Why a request or a body was cut short.
pub fn explain(error: &hyper::Error) -> Miss {
    if error.is_parse() {
        return Miss::retry(Kind::Protocol, format!("the answer is no HTTP: {error}"));
    }
    if error.is_incomplete_message() {
        return Miss::retry(Kind::BrokenOff, "the connection ended in the middle of the answer");
    }
    let inner = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match inner {
        Some(io) => Miss::socket(io),
        None => Miss::retry(Kind::BrokenOff, error.to_string()),
    }
}

/// Reads a whole body, up to `limit` bytes.
pub async fn read_all(mut body: Incoming, limit: usize) -> Result<Vec<u8>, Miss> {
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| explain(&error))?;
        if let Some(data) = frame.data_ref() {
            if all.len() + data.len() > limit {
                return Err(Miss::retry(Kind::Content, format!("the answer is longer than {limit} bytes")));
            }
            all.extend_from_slice(data);
        }
    }
    Ok(all)
}

/// Whether a status means "slow down", and for how long.
pub fn slow_down(status: StatusCode, headers: &HeaderMap) -> Option<Class> {
    let slow = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
    slow.then(|| Class::SlowDown(retry_after(headers)))
}

/// `Retry-After` as a delay (RFC 9110 section 10.2.3); a date in the past is no delay.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).expect("legal"))])
    }

    #[test]
    fn retry_after_is_read_in_seconds_or_as_a_date() {
        assert_eq!(retry_after(&headers("7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers("Sun, 06 Nov 1994 08:49:37 GMT")), Some(Duration::ZERO));
        assert!(retry_after(&headers("Fri, 06 Nov 2099 08:49:37 GMT")).is_some_and(|wait| wait.as_secs() > 86_400));
        assert_eq!(retry_after(&headers("soon")), None);
        assert_eq!(slow_down(StatusCode::INTERNAL_SERVER_ERROR, &headers("7")), None);
    }
}
