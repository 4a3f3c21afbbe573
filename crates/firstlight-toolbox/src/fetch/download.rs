//! Getting one file: the tries, what each answer means, and the checks before it is published.

use std::time::Instant;

use bytes::Bytes;
use firstlight_bootstrap::Digest;
use http::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, HeaderValue, IF_RANGE, LOCATION, RANGE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::part::{Part, Whole};
use super::source::Source;
use super::{Order, Wanted, given_up, record};
use crate::exit::Code;
use crate::failure::Failure;
use crate::hash;
use crate::http::{Call, Net, explain, read_all, slow_down};
use crate::miss::{Class, Kind, Miss};
use crate::publish;
use crate::retry::{Next, Pace, Schedule, luck};
use crate::url::Url;
use crate::verb::{Done, Given};

/// How often bytes that are not what they should be are fetched anew: transfers are damaged by chance, servers are
/// wrong for long.
const DAMAGED_TRIES: u32 = 3;

/// A chain of redirects that is longer leads nowhere.
const MOST_REDIRECTS: u32 = 5;

/// The larger a document, the less it is one a JSON rule was written for.
const LONGEST_JSON: u64 = 256 << 20;

/// RFC 9530.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Brings the file here.
pub async fn run(order: &Order, net: &Net, given: &Given) -> Result<Done, Failure> {
    let shown = order.to.display().to_string();
    if let Some(digest) = record::already_here(order).await {
        return Ok(Done::new(format!("{shown} is already here, sha256 {digest}")));
    }
    let local = |error: std::io::Error| Failure::io(&shown, error);
    order.to.parent().map_or(Ok(()), publish::create_directories).map_err(local)?;
    let mut part = lock(order, given).await?;
    if let Some(digest) = record::already_here(order).await {
        // Another process brought it while this one waited for its turn.
        part.abandon();
        return Ok(Done::new(format!("{shown} is here by now, sha256 {digest}")));
    }
    let fetched = Download { order, net, given, damaged: 0 }.tries(&mut part).await;
    match fetched {
        Ok((digest, attempts)) => {
            let size = part.hasher.size;
            part.publish(&order.to, order.mode).map_err(local)?;
            record::write(order, digest).map_err(local)?;
            Ok(Done { message: format!("{shown} is here, {size} bytes, sha256 {digest}"), attempts, then: Vec::new() })
        }
        Err(failure) => {
            // What can be continued later is kept only while more tries make sense.
            if failure.code == Code::Refused || part.whole.is_none() {
                part.abandon();
            }
            Err(failure)
        }
    }
}

/// Waits for our turn: one process at a time downloads a file.
async fn lock(order: &Order, given: &Given) -> Result<Part, Failure> {
    let may_continue = order.wanted != Wanted::Any;
    let mut said = false;
    loop {
        let part = Part::open(&order.to, may_continue).await;
        if let Some(part) = part.map_err(|error| Failure::io(order.to.display(), error))? {
            return Ok(part);
        }
        if order.once || order.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let failure = Failure::new(Code::Busy, "lock", "another process is fetching it and has not ended");
            return Err(failure.target(order.to.display().to_string()));
        }
        if !std::mem::replace(&mut said, true) {
            given
                .log
                .info()
                .target(order.to.display().to_string())
                .reason("lock")
                .say("another process is fetching it");
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

struct Download<'a> {
    order: &'a Order,
    net: &'a Net,
    given: &'a Given,
    damaged: u32,
}

impl Download<'_> {
    /// Tries until the part is whole and checked.
    async fn tries(mut self, part: &mut Part) -> Result<(Digest, u32), Failure> {
        let pace = match &self.order.source {
            Source::Item { .. } => Pace::HELD_OPEN,
            Source::Http { .. } | Source::File { .. } => Pace::COSTLY,
        };
        let mut schedule = Schedule::new(pace, self.given.started, self.order.deadline);
        let mut next = schedule.begin(Instant::now());
        let mut last: Option<Miss> = None;
        let mut said: Option<(Kind, Instant)> = None;
        while let Next::Try { at, limit } = next {
            tokio::time::sleep_until(at.into()).await;
            let miss = match self.attempt(part, limit).await {
                Ok(digest) => return Ok((digest, schedule.attempts)),
                Err(miss) => miss,
            };
            let now = Instant::now();
            if said.is_none_or(|(kind, at)| kind != miss.kind || now.duration_since(at).as_secs() >= 10) {
                said = Some((miss.kind, now));
                let line = self.given.log.info().target(self.order.source.to_string()).attempt(schedule.attempts);
                line.elapsed(self.given.started.elapsed()).reason(miss.kind.word()).say(format!("not yet: {miss}"));
            }
            next = if self.order.once { Next::Over { at: now } } else { schedule.after(now, miss.class, luck()) };
            last = Some(miss);
        }
        let last = last.unwrap_or_else(|| Miss::retry(Kind::TimedOut, "no time was left to try"));
        Err(given_up(&self.order.source, &last, schedule.attempts, self.order.once))
    }

    async fn attempt(&mut self, part: &mut Part, limit: std::time::Duration) -> Result<Digest, Miss> {
        let announced = match &self.order.source {
            Source::File { path } => copy(path, part).await.map(|()| None)?,
            Source::Http { url } => self.transfer(url.clone(), part, limit).await?,
            Source::Item { url, .. } => {
                let mut held = url.clone();
                // Shorter than our own limit, so that a silent exposer and an unpublished item read differently.
                held.path = format!("{}?wait={}ms", url.path, limit.mul_f64(0.9).as_millis());
                self.transfer(held, part, limit).await?
            }
        };
        let digest = part.hasher.digest();
        match self.judge(part, digest, announced) {
            Ok(()) => Ok(digest),
            Err(why) => {
                self.damaged += 1;
                part.restart(None).map_err(|error| on_disk(&error))?;
                let class = if self.damaged >= DAMAGED_TRIES { Class::Fatal } else { Class::Retry };
                Err(Miss { class, kind: Kind::Content, detail: format!("{why} (seen {} times)", self.damaged) })
            }
        }
    }

    /// Whether the bytes are what they should be.
    fn judge(&self, part: &Part, digest: Digest, announced: Option<Digest>) -> Result<(), String> {
        let must_be = match self.order.wanted {
            Wanted::Exact(exact) => Some(exact),
            Wanted::Announced | Wanted::Any => announced,
        };
        if let Some(expected) = must_be.filter(|expected| *expected != digest) {
            return Err(format!("sha256 is {digest}, expected {expected}"));
        }
        if self.order.rules.is_empty() {
            return Ok(());
        }
        if part.hasher.size > LONGEST_JSON {
            return Err(format!("{} bytes are too many for --expect-json", part.hasher.size));
        }
        let bytes = part.bytes().map_err(|error| error.to_string())?;
        self.order.rules.iter().try_for_each(|rule| rule.check_bytes(&bytes))
    }

    /// One exchange with the server; afterwards the part is whole. Returns the digest the server announced.
    async fn transfer(&self, url: Url, part: &mut Part, limit: std::time::Duration) -> Result<Option<Digest>, Miss> {
        let asked = self.ask(url, part);
        let answer = tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(Miss::timed_out(limit)))?;
        let (head, body) = answer.into_parts();
        let announced = self.announced(&head.headers)?;
        self.prepare(head.status, &head.headers, part)?;
        self.receive(body, part).await?;
        match &part.whole {
            Some(Whole { etag: _, size }) if part.hasher.size != *size => {
                return Err(Miss::retry(Kind::BrokenOff, format!("{} of {size} bytes came", part.hasher.size)));
            }
            Some(_) | None => {}
        }
        Ok(announced)
    }

    /// Asks, following redirects within the site.
    async fn ask(&self, mut url: Url, part: &Part) -> Result<Response<Incoming>, Miss> {
        for _ in 0..=MOST_REDIRECTS {
            let call = Call { method: Method::GET, url: &url, headers: self.request_headers(part), body: Bytes::new() };
            let answer = self.net.send(call).await.map_err(|unanswered| unanswered.miss)?;
            let status = answer.status();
            match status {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => return Ok(answer),
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => url = redirected(&url, &answer)?,
                _ => return Err(self.refused(answer).await),
            }
        }
        Err(Miss::fatal(Kind::Status, format!("more than {MOST_REDIRECTS} redirects")))
    }

    fn request_headers(&self, part: &Part) -> HeaderMap {
        let mut headers = self.order.headers.clone();
        // Bytes are compared, counted and continued as they are stored.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let (Some(Whole { etag, size: _ }), 1..) = (&part.whole, part.hasher.size) {
            let range = HeaderValue::from_str(&format!("bytes={}-", part.hasher.size));
            if let (Ok(range), Ok(etag)) = (range, HeaderValue::from_str(etag)) {
                headers.insert(RANGE, range);
                headers.insert(IF_RANGE, etag);
            }
        }
        headers
    }

    /// What an answer without the file means.
    async fn refused(&self, answer: Response<Incoming>) -> Miss {
        let (head, body) = answer.into_parts();
        let text = read_all(body, 64 << 10).await.unwrap_or_default();
        let text: String = String::from_utf8_lossy(&text).trim().chars().take(160).collect();
        let detail = format!("answers {}{}{text}", head.status, if text.is_empty() { "" } else { ": " });
        let item = matches!(self.order.source, Source::Item { .. });
        match head.status {
            StatusCode::SERVICE_UNAVAILABLE if item => Miss::retry(Kind::NotPublished, detail),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Miss::retry(Kind::Status, detail),
            status => match slow_down(status, &head.headers) {
                Some(class) => Miss { class, kind: Kind::Status, detail },
                None if status.is_server_error() => Miss::retry(Kind::Status, detail),
                None => Miss::fatal(Kind::Status, detail),
            },
        }
    }

    /// The digest the server says its file has.
    fn announced(&self, headers: &HeaderMap) -> Result<Option<Digest>, Miss> {
        let field = headers.get(REPR_DIGEST).and_then(|value| value.to_str().ok());
        let announced = field.and_then(hash::from_field);
        match (self.order.wanted, announced) {
            (Wanted::Announced, None) => Err(Miss::fatal(
                Kind::Content,
                "the server announces no digest (Repr-Digest, RFC 9530); give --sha256 HEX",
            )),
            (Wanted::Exact(exact), Some(announced)) if exact != announced => {
                // It says itself that it has something else: no need to carry it over.
                Err(Miss::fatal(Kind::Content, format!("the server has sha256 {announced}, expected {exact}")))
            }
            (Wanted::Exact(_) | Wanted::Announced | Wanted::Any, announced) => Ok(announced),
        }
    }

    /// Makes the part ready for the body: continued if the server continues, from the start otherwise.
    fn prepare(&self, status: StatusCode, headers: &HeaderMap, part: &mut Part) -> Result<(), Miss> {
        let continues = match (status, &part.whole) {
            (StatusCode::PARTIAL_CONTENT, Some(whole)) => continues_at(headers) == Some((part.hasher.size, whole.size)),
            _ => false,
        };
        if continues {
            return Ok(());
        }
        if status != StatusCode::OK {
            part.restart(None).map_err(|error| on_disk(&error))?;
            return Err(Miss::retry(Kind::Protocol, "the server does not continue where the part ends"));
        }
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let size: Option<u64> = text(http::header::CONTENT_LENGTH).and_then(|size| size.parse().ok());
        if let Some(size) = size {
            self.fits(size, part)?;
        }
        let strong = text(ETAG).filter(|etag| !etag.starts_with("W/"));
        let whole = strong.zip(size).map(|(etag, size)| Whole { etag: etag.to_owned(), size });
        part.restart(whole).map_err(|error| on_disk(&error))
    }

    fn fits(&self, size: u64, part: &Part) -> Result<(), Miss> {
        let free = part.free().map_err(|error| on_disk(&error))?;
        if size > self.order.max_size {
            return Err(Miss::fatal(
                Kind::Content,
                format!("{size} bytes, more than --max-size {}", self.order.max_size),
            ));
        }
        if size > free {
            return Err(Miss::retry(Kind::Disk, format!("{size} bytes, but only {free} are free here")));
        }
        Ok(())
    }

    async fn receive(&self, mut body: Incoming, part: &mut Part) -> Result<(), Miss> {
        loop {
            let stall = match self.order.deadline {
                Some(deadline) => self.order.stall.min(deadline.saturating_duration_since(Instant::now())),
                None => self.order.stall,
            };
            let frame = match tokio::time::timeout(stall, body.frame()).await {
                Err(_) => {
                    let after = stall.as_secs_f64();
                    return Err(Miss::retry(
                        Kind::TimedOut,
                        format!("no byte for {after:.1} s, {} came", part.hasher.size),
                    ));
                }
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => frame.map_err(|error| explain(&error))?,
            };
            let Some(data) = frame.data_ref() else { continue };
            if part.hasher.size + data.len() as u64 > self.order.max_size {
                return Err(Miss::fatal(Kind::Content, format!("more than --max-size {} bytes", self.order.max_size)));
            }
            part.write(data).map_err(|error| on_disk(&error))?;
        }
    }
}

fn on_disk(error: &std::io::Error) -> Miss {
    Miss::retry(Kind::Disk, format!("writing here: {error}"))
}

/// `Content-Range: bytes 5-9/10` as (5, 10); only if it runs to the end.
fn continues_at(headers: &HeaderMap) -> Option<(u64, u64)> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, size) = range.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, size.parse().ok()?);
    (last.checked_add(1) == Some(size)).then_some((first, size))
}

/// Where a redirect leads, if it stays on the host and does not give up encryption.
fn redirected(from: &Url, answer: &Response<Incoming>) -> Result<Url, Miss> {
    let fatal = |why: String| Miss::fatal(Kind::Status, why);
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| fatal(format!("answers {} without a location", answer.status())))?;
    let to = from.join(location).map_err(|why| fatal(format!("redirects to a place that cannot be read: {why}")))?;
    if to.host != from.host || (from.tls && !to.tls) {
        return Err(fatal(format!("redirects to {to}, another site: give that address if it is meant")));
    }
    Ok(to)
}

/// Copies a file of this container into the part.
async fn copy(path: &std::path::Path, part: &mut Part) -> Result<(), Miss> {
    use std::io::Read;
    part.restart(None).map_err(|error| on_disk(&error))?;
    let mut file = std::fs::File::open(path).map_err(|error| Miss::socket(&error))?;
    let mut chunk = vec![0u8; hash::CHUNK];
    loop {
        let read = file.read(&mut chunk).map_err(|error| Miss::socket(&error))?;
        if read == 0 {
            return Ok(());
        }
        part.write(&chunk[..read]).map_err(|error| on_disk(&error))?;
        tokio::task::yield_now().await;
    }
}

/// `--dry-run`: asks for the head only.
pub async fn look(order: &Order, net: &Net) -> Result<Done, Failure> {
    let shown = order.to.display().to_string();
    if let Some(digest) = record::already_here(order).await {
        return Ok(Done::new(format!("{shown} is already here, sha256 {digest}: nothing would be fetched")));
    }
    let Some(url) = order.source.url() else {
        return Ok(Done::new(format!("{} would be copied to {shown}", order.source)));
    };
    let call = Call { method: Method::HEAD, url, headers: order.headers.clone(), body: Bytes::new() };
    let limit = Pace::COSTLY.attempt;
    let answer = match tokio::time::timeout(limit, net.send(call)).await {
        Ok(Ok(answer)) if answer.status().is_success() => answer,
        Ok(Ok(answer)) => {
            let why = format!("answers {}", answer.status());
            return Err(Failure::new(Code::NotYet, Kind::Status.word(), why).target(order.source.to_string()));
        }
        Ok(Err(unanswered)) => return Err(given_up(&order.source, &unanswered.miss, 1, true)),
        Err(_) => return Err(given_up(&order.source, &Miss::timed_out(limit), 1, true)),
    };
    let size = answer
        .headers()
        .get(http::header::CONTENT_LENGTH)
        .and_then(|size| size.to_str().ok())
        .unwrap_or("an unknown number of");
    Ok(Done::new(format!("{} would be fetched to {shown}: {size} bytes", order.source)))
}
