//! How is one HTTP request made so that a hostile or broken server can neither hang us, fill us, nor send us where we
//! should not go? Asked by everything that talks to a registry.

use super::endpoint::{is_internal, may_be_plain};
use crate::images::reference::Reference;
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use std::sync::OnceLock;
use std::time::Duration;

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may think before it answers, and between two pieces of an answer.
const SILENCE: Duration = Duration::from_secs(60);
/// Most redirects of one request; what curl's documentation calls sane is 50, registries use one.
const REDIRECTS_MAX: usize = 5;
/// Waits before a request is tried again that failed for a passing reason (429, 5xx). Longer troubles are left to the
/// back-off of the pod (IMG-7).
const RETRIES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// Longest wait that a server may ask for (`Retry-After`).
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// Largest error answer that is read.
const ERROR_MAX: u64 = 64 << 10;
/// Longest text of a server that is shown.
const SHOWN_MAX: usize = 200;

/// Makes requests. The two clients are made when first needed: reading the system's certificates takes longer than an
/// engine's start may.
#[derive(Debug)]
pub(super) struct Http {
    plain_http: Vec<String>,
    /// For hosts of this machine: no proxy, whatever the environment says.
    near: OnceLock<Client>,
    far: OnceLock<Client>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    /// Of a form.
    Post,
}

/// A request; `authorization` goes to the host of `url` and to no other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) accept: Option<&'a str>,
    /// The first byte wanted.
    pub(super) from: Option<u64>,
    pub(super) authorization: Option<&'a str>,
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    method: Method,
    /// What was asked, fit to be shown.
    shown: String,
    /// Whether it came from the host that was asked, not from one it sent us to.
    direct: bool,
    /// What was received beyond a skip.
    leftover: Option<Bytes>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::images) enum Fault {
    /// It is not there.
    NotFound,
    /// We may not have it; what the server said about that.
    Denied(String),
    /// The server answered, but not what was asked for.
    Wrong(String),
    /// The exchange broke off, or never began.
    Broken(String),
}

impl Fault {
    /// In containerd's words.
    pub(in crate::images) fn say(&self, reference: &Reference) -> String {
        match self {
            Fault::NotFound => format!("{reference}: not found"),
            Fault::Denied(said) => {
                let said = if said.is_empty() { "insufficient_scope: authorization failed" } else { said };
                format!(
                    "pull access denied, repository does not exist or may require authorization: server message: {said}"
                )
            }
            Fault::Wrong(text) | Fault::Broken(text) => text.clone(),
        }
    }
}

impl Http {
    pub(super) fn new(plain_http: Vec<String>) -> Http {
        Http { plain_http, near: OnceLock::new(), far: OnceLock::new() }
    }

    /// Sends the request; follows redirects, and tries again what failed for a passing reason. Statuses that mean a
    /// refusal are answers, not faults.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, Fault> {
        self.retrying(request, None).await
    }

    /// Posts a form.
    pub(super) async fn post(&self, url: &str, form: String) -> Result<Answer, Fault> {
        let request = Request { method: Method::Post, url, accept: None, from: None, authorization: None };
        self.retrying(&request, Some(form)).await
    }

    async fn retrying(&self, request: &Request<'_>, form: Option<String>) -> Result<Answer, Fault> {
        let mut waits = RETRIES.into_iter();
        loop {
            let answer = self.following(request, form.clone()).await?;
            let status = answer.response.status();
            if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
                return Ok(answer);
            }
            let Some(wait) = waits.next() else { return Ok(answer) };
            tokio::time::sleep(answer.asked_wait().unwrap_or(wait)).await;
        }
    }

    async fn following(&self, request: &Request<'_>, form: Option<String>) -> Result<Answer, Fault> {
        let asked = Url::parse(request.url).map_err(|e| Fault::Wrong(format!("{}: {e}", request.url)))?;
        let mut url = asked.clone();
        for _ in 0..=REDIRECTS_MAX {
            let direct = url.origin() == asked.origin();
            let response = self.once(request, &url, direct, form.clone()).await?;
            let to = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(to) = to else {
                return Ok(Answer { response, method: request.method, shown: shown(&url), direct, leftover: None });
            };
            if request.method == Method::Post {
                return Err(Fault::Wrong(format!("{} redirects what must not be sent elsewhere", shown(&url))));
            }
            let next = to.to_str().ok().and_then(|to| url.join(to).ok());
            let next = next.ok_or_else(|| Fault::Wrong(format!("{} redirects to what is no URL", shown(&url))))?;
            self.check_redirect(&url, &next).map_err(Fault::Wrong)?;
            url = next;
        }
        Err(Fault::Wrong(format!("{} redirects more than {REDIRECTS_MAX} times", shown(&asked))))
    }

    async fn once(
        &self,
        request: &Request<'_>,
        url: &Url,
        direct: bool,
        form: Option<String>,
    ) -> Result<Response, Fault> {
        let client = self.client(url).map_err(|e| Fault::Broken(format!("cannot speak TLS: {}", innermost(&e))))?;
        let mut builder = match request.method {
            Method::Get => client.get(url.clone()),
            Method::Head => client.head(url.clone()),
            Method::Post => client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
        };
        if let Some(accept) = request.accept {
            builder = builder.header(ACCEPT, accept);
        }
        if let Some(from) = request.from {
            builder = builder.header(RANGE, format!("bytes={from}-"));
        }
        // S31: never to a host other than the one it is for.
        if let (Some(authorization), true) = (request.authorization, direct) {
            let mut value = HeaderValue::from_str(authorization)
                .map_err(|_| Fault::Wrong("a credential has characters that no header can carry".to_owned()))?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(form) = form {
            builder = builder.body(form);
        }
        let failed = |cause: String| {
            let verb = match request.method {
                Method::Get => "Get",
                Method::Head => "Head",
                Method::Post => "Post",
            };
            Fault::Broken(format!("failed to do request: {verb} \"{}\": {cause}", shown(url)))
        };
        match tokio::time::timeout(SILENCE, builder.send()).await {
            Err(_) => Err(failed(format!("no answer in {} s", SILENCE.as_secs()))),
            Ok(outcome) => outcome.map_err(|e| failed(innermost(&e))),
        }
    }

    fn client(&self, url: &Url) -> Result<&Client, reqwest::Error> {
        let near = url.host_str().is_some_and(super::endpoint::is_loopback);
        let place = if near { &self.near } else { &self.far };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let mut builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("firstlight/", env!("CARGO_PKG_VERSION")));
        if near {
            builder = builder.no_proxy();
        }
        let client = builder.build()?;
        Ok(place.get_or_init(|| client))
    }

    /// A redirect may not lead from TLS to plain text, nor from outside into this machine or its cloud's own services.
    fn check_redirect(&self, from: &Url, to: &Url) -> Result<(), String> {
        let host = to.host_str().unwrap_or_default();
        let plain_allowed = from.scheme() == "http" || may_be_plain(host, &self.plain_http);
        let fine = match to.scheme() {
            "https" => true,
            "http" => plain_allowed,
            _ => false,
        };
        if !fine || !to.username().is_empty() {
            return Err(format!("{} redirects to {}, which is refused", shown(from), shown(to)));
        }
        if is_internal(host) && !from.host_str().is_some_and(is_internal) {
            return Err(format!(
                "{} redirects into this machine's own network ({host}), which is refused",
                shown(from)
            ));
        }
        Ok(())
    }
}

impl Answer {
    pub(super) fn is_unauthorized(&self) -> bool {
        self.response.status() == StatusCode::UNAUTHORIZED
    }

    /// Whether the body begins where the request asked it to.
    pub(super) fn is_partial(&self) -> bool {
        self.response.status() == StatusCode::PARTIAL_CONTENT
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers(name).into_iter().next()
    }

    pub(super) fn headers(&self, name: &str) -> Vec<String> {
        self.response.headers().get_all(name).iter().filter_map(|v| v.to_str().ok()).map(str::to_owned).collect()
    }

    /// Turns a status that is no success into its fault.
    pub(super) async fn successful(self) -> Result<Answer, Fault> {
        let status = self.response.status();
        if matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return Ok(self);
        }
        let (direct, shown, method) = (self.direct, self.shown.clone(), self.method);
        // What a host says to which we were sent is not shown: it may be one that only this machine can reach.
        let said = if direct && method != Method::Head { self.error_text().await } else { String::new() };
        Err(match status {
            StatusCode::NOT_FOUND => Fault::NotFound,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::Denied(said),
            _ => {
                let said = if said.is_empty() { String::new() } else { format!(": {said}") };
                Fault::Wrong(format!("unexpected status from {method:?} request to {shown}: {status}{said}"))
            }
        })
    }

    /// The whole body, of at most `max` bytes.
    pub(super) async fn bytes(mut self, max: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if (bytes.len() + chunk.len()) as u64 > max {
                return Err(Fault::Wrong(format!("{} answers with more than {max} bytes", self.shown)));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        if let Some(leftover) = self.leftover.take() {
            return Ok(Some(leftover));
        }
        match tokio::time::timeout(SILENCE, self.response.chunk()).await {
            Err(_) => Err(Fault::Broken(format!("{}: nothing came for {} s", self.shown, SILENCE.as_secs()))),
            Ok(outcome) => outcome.map_err(|e| Fault::Broken(format!("{}: {}", self.shown, innermost(&e)))),
        }
    }

    /// Reads over the first `count` bytes of the body.
    pub(super) async fn skip(&mut self, mut count: u64) -> Result<(), Fault> {
        while count > 0 {
            let Some(mut chunk) = self.chunk().await? else {
                return Err(Fault::Broken(format!("{}: it ends before the place to go on from", self.shown)));
            };
            let over = usize::try_from(count).unwrap_or(usize::MAX).min(chunk.len());
            let rest = chunk.split_off(over);
            count -= over as u64;
            self.leftover = (!rest.is_empty()).then_some(rest);
        }
        Ok(())
    }

    fn asked_wait(&self) -> Option<Duration> {
        let seconds = self.response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
    }

    /// What the server says is wrong, in one line: the first message of the specification's error list.
    async fn error_text(self) -> String {
        let Ok(bytes) = self.bytes(ERROR_MAX).await else { return String::new() };
        let message = serde_json::from_slice::<serde_json::Value>(&bytes).ok().and_then(|body| {
            let first = body.get("errors")?.get(0)?;
            let [code, message] = ["code", "message"].map(|key| first.get(key).and_then(|text| text.as_str()));
            Some(format!("{}: {}", code.unwrap_or("error").to_lowercase(), message.unwrap_or_default()))
        });
        let printable = |c: &char| !c.is_control();
        message.unwrap_or_default().chars().filter(printable).take(SHOWN_MAX).collect()
    }
}

/// A URL without what may be secret: query, fragment, user.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The cause itself, without the layers around it that repeat the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if std::ptr::eq(cause, std::ptr::from_ref(error)) { "the connection failed".to_owned() } else { cause.to_string() }
}

#[cfg(test)]
mod tests;
