//! Sending something once: a POST is repeated only when it certainly had no effect, or was said to bear it.

use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};

use super::source::Source;
use super::{Args, given_up};
use crate::exit::Code;
use crate::failure::Failure;
use crate::http::{Call, Net, read_all, slow_down};
use crate::miss::{Class, Kind, Miss};
use crate::publish;
use crate::retry::{Next, Pace, Schedule, luck};
use crate::verb::{Done, Given, Outcome};

/// An answer is a receipt, not a download.
const LONGEST_ANSWER: usize = 16 << 20;

/// How a try ended without an answer that counts.
enum Ended {
    /// Nothing happened there, or repeating is allowed.
    Again(Miss),
    /// The server said no.
    Refused(Failure),
    /// The request was sent and its answer lost.
    Unknown(Miss),
}

/// Sends `--data` and keeps the answer.
pub async fn run(
    args: &Args,
    source: &Source,
    mut headers: HeaderMap,
    net: &Net,
    deadline: Option<Instant>,
    given: &Given,
) -> Outcome {
    let Source::Http { url } = source else { return Err(Failure::usage("--method POST needs an http(s) address")) };
    let data = args.data.clone().ok_or_else(|| Failure::usage("--method POST needs --data"))?;
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    if given.shared.dry_run {
        return Ok(Done::new(format!("{} bytes would be sent to {url}", data.len())));
    }
    let mut schedule = Schedule::new(Pace::COSTLY, given.started, deadline);
    let mut next = schedule.begin(Instant::now());
    let mut last = Miss::retry(Kind::TimedOut, "no time was left to try");
    while let Next::Try { at, limit: _ } = next {
        tokio::time::sleep_until(at.into()).await;
        let call = Call { method: Method::POST, url, headers: headers.clone(), body: Bytes::from(data.clone()) };
        let miss = match send(args, call, net, deadline).await {
            Ok(answer) => {
                keep(args, &answer)?;
                let message = format!("{url} took it");
                return Ok(Done { message, attempts: schedule.attempts, then: args.command.clone() });
            }
            Err(Ended::Refused(failure)) => return Err(failure.target(url.to_string()).attempts(schedule.attempts)),
            Err(Ended::Unknown(miss)) if !args.idempotent => {
                let why = format!("sent, but the answer was lost: {miss}");
                let failure = Failure::new(Code::Person, "unknown", why).hint(
                    "look whether it took effect; --idempotent if it may be sent twice, `fl run-once --already` to ask first",
                );
                return Err(failure.target(url.to_string()).attempts(schedule.attempts));
            }
            Err(Ended::Unknown(miss) | Ended::Again(miss)) => miss,
        };
        let line = given.log.info().target(url.to_string()).attempt(schedule.attempts).reason(miss.kind.word());
        line.elapsed(given.started.elapsed()).say(format!("not yet: {miss}"));
        let now = Instant::now();
        next = if given.shared.once { Next::Over { at: now } } else { schedule.after(now, miss.class, luck()) };
        last = miss;
    }
    Err(given_up(source, &last, schedule.attempts, given.shared.once))
}

async fn send(args: &Args, call: Call<'_>, net: &Net, deadline: Option<Instant>) -> Result<Vec<u8>, Ended> {
    // The work behind a POST may take as long as the caller is ready to wait.
    let until = deadline.unwrap_or_else(|| Instant::now() + args.stall);
    let until = until.max(Instant::now() + Pace::COSTLY.attempt);
    let lost = |miss| Ended::Unknown(miss);
    let exchange = async {
        let answer = net.send(call).await.map_err(|unanswered| match unanswered.sent {
            true => lost(unanswered.miss),
            false => Ended::Again(unanswered.miss),
        })?;
        let (head, body) = answer.into_parts();
        let text = read_all(body, LONGEST_ANSWER).await.map_err(lost)?;
        Ok((head, text))
    };
    let (head, text) = tokio::time::timeout_at(until.into(), exchange)
        .await
        .unwrap_or_else(|_| Err(lost(Miss::retry(Kind::TimedOut, "no answer in time"))))?;
    let excerpt: String = String::from_utf8_lossy(&text).trim().chars().take(300).collect();
    if let Some(class @ Class::SlowDown(_)) = slow_down(head.status, &head.headers) {
        return Err(Ended::Again(Miss {
            class,
            kind: Kind::Status,
            detail: format!("answers {}: {excerpt}", head.status),
        }));
    }
    if !head.status.is_success() {
        let why = format!("answers {}: {excerpt}", head.status);
        return Err(Ended::Refused(Failure::new(Code::Refused, "status", why)));
    }
    for rule in &args.expect_json {
        if let Err(why) = rule.check_bytes(&text) {
            let why = format!("{why}; the answer was: {excerpt}");
            return Err(Ended::Refused(Failure::new(Code::Refused, "content", why)));
        }
    }
    Ok(text)
}

fn keep(args: &Args, answer: &[u8]) -> Result<(), Failure> {
    let Some(to) = &args.to else { return Ok(()) };
    let local = |error| Failure::io(to.display(), error);
    to.parent().map_or(Ok(()), publish::create_directories).map_err(local)?;
    publish::write(to, answer, args.mode).map_err(local)
}
