//! `fl fetch`: brings one file here, whole and checked, or brings nothing.
//!
//! ```text
//!  record says it is here ─► done, at the price of a stat
//!            │ no
//!            ▼
//!  GET into a hidden part file ─► digest, size, content as told ─► fsync, rename, record
//!       ▲        │ cut off, refused, slow                │ damaged: from the start, three times at most
//!       └────────┴─ later again, from where it stopped ──┘
//! ```

mod download;
mod part;
mod post;
mod record;
mod source;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use firstlight_bootstrap::Digest;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::exit::Code;
use crate::expect::JsonRule;
use crate::failure::Failure;
use crate::http::Net;
use crate::miss::{Class, Miss};
use crate::names::Names;
use crate::secret::{Secret, secret_header};
use crate::tls;
use crate::url::Url;
use crate::value;
use crate::verb::{Done, Given, Outcome, Shared};
use source::Source;

/// Brings one file here, checked and all at once, then becomes COMMAND
///
/// SOURCE: http(s)://..., fl://HOST:PORT/ITEM (waits until it is published) or file:/PATH.
#[derive(Debug, clap::Args)]
#[command(override_usage = "fl fetch [OPTIONS] --to PATH SOURCE [-- COMMAND...]")]
pub struct Args {
    /// Where from
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Where to; its directory is made if it is missing
    #[arg(long, value_name = "PATH", required_unless_present = "data")]
    to: Option<PathBuf>,
    /// The digest it must have: 64 hex digits, or `auto` for the one the server announces [fl: auto]
    #[arg(long, value_name = "HEX", value_parser = wanted)]
    sha256: Option<Wanted>,
    /// A condition on the JSON document, as for `fl wait`
    #[arg(long, value_name = "RULE")]
    expect_json: Vec<JsonRule>,
    /// The file's mode
    #[arg(long, value_name = "OCTAL", default_value = "0640", value_parser = value::mode)]
    mode: u32,
    /// A request header, as NAME: VALUE; the value can be @/path
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// GET, or POST to send --data once
    #[arg(long, value_name = "METHOD", default_value = "GET", value_parser = ["GET", "POST"])]
    method: String,
    /// What to POST
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// The POST may be sent again when its answer was lost
    #[arg(long)]
    idempotent: bool,
    /// The overall deadline; 0 is none
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = value::duration)]
    timeout: Duration,
    /// A transfer without a byte for so long is broken off and resumed
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = value::duration)]
    stall: Duration,
    /// Refuse what is larger
    #[arg(long, value_name = "SIZE", default_value = "64GiB", value_parser = value::size)]
    max_size: u64,
    /// How a file that is already here is looked at
    #[arg(long, value_name = "HOW", default_value = "stat", value_parser = ["stat", "always"])]
    verify: String,
    /// Another authority to trust, in PEM
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
    /// Talk to link-local and metadata addresses too
    #[arg(long)]
    allow_link_local: bool,
    /// What to become when the file is here
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    pub shared: Shared,
}

/// Which digest the bytes must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Exact(Digest),
    /// The one the server announces; it has to.
    Announced,
    /// Any.
    Any,
}

fn wanted(text: &str) -> Result<Wanted, String> {
    match text {
        "auto" => Ok(Wanted::Announced),
        _ => Digest::parse(text).map(Wanted::Exact).ok_or_else(|| "write 64 hexadecimal digits, or auto".to_owned()),
    }
}

/// A fetch, settled: nothing below asks again what was meant.
#[derive(Debug)]
struct Order {
    source: Source,
    to: PathBuf,
    wanted: Wanted,
    rules: Vec<JsonRule>,
    mode: u32,
    headers: HeaderMap,
    stall: Duration,
    max_size: u64,
    always: bool,
    deadline: Option<Instant>,
    once: bool,
}

/// The verb.
pub async fn run(args: Args, given: &Given) -> Outcome {
    let source = Source::parse(&args.source).map_err(|why| Failure::usage(format!("source {why}")))?;
    source.url().map_or_else(Vec::new, Url::secrets).iter().for_each(|secret| given.log.secrets.learn(secret));
    let headers = headers(&args.header, given)?;
    if given.shared.explain {
        return Ok(Done::new(explanation(&args, &source)));
    }
    let net = net(&args, source.url())?;
    let once = given.shared.once;
    let deadline = if once || given.shared.dry_run { None } else { given.deadline(args.timeout) };
    if args.method == "POST" {
        return post::run(&args, &source, headers, &net, deadline, given).await;
    }
    if args.data.is_some() || args.idempotent {
        return Err(Failure::usage("--data and --idempotent are about --method POST"));
    }
    let to = args.to.ok_or_else(|| Failure::usage("--to is missing"))?;
    let wanted = args.sha256.unwrap_or(if source.announces() { Wanted::Announced } else { Wanted::Any });
    let order = Order {
        source,
        to,
        wanted,
        rules: args.expect_json,
        mode: args.mode,
        headers,
        stall: args.stall,
        max_size: args.max_size,
        always: args.verify == "always",
        deadline,
        once,
    };
    if given.shared.dry_run {
        return download::look(&order, &net).await;
    }
    let done = download::run(&order, &net, given).await?;
    Ok(Done { then: args.command, ..done })
}

fn headers(given_headers: &[String], given: &Given) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for text in given_headers {
        let wrong = || Failure::usage("--header is NAME: VALUE, without control characters");
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let value = match value.trim().strip_prefix('@') {
            Some(path) if path.starts_with('/') => {
                String::from_utf8(value::value_of(path.as_ref())?).map_err(|_| wrong())?
            }
            Some(_) | None => value.trim().to_owned(),
        };
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        if secret_header(name.as_str()) {
            given.log.secrets.learn(&Secret::new(value.as_str()));
            // "Bearer TOKEN": a server may echo the token alone.
            value.split(' ').next_back().iter().for_each(|word| given.log.secrets.learn(&Secret::new(*word)));
        }
        headers.append(name, HeaderValue::from_str(&value).map_err(|_| wrong())?);
    }
    Ok(headers)
}

fn net(args: &Args, url: Option<&Url>) -> Result<Net, Failure> {
    let encrypted = url.is_some_and(|url| url.tls);
    let tls = encrypted.then(|| tls::settings(args.ca_file.as_deref())).transpose().map_err(Failure::usage)?;
    let names = Names::from_system().map_err(|error| Failure::io("setting up the resolver", error))?;
    Ok(Net { names, tls, link_local: args.allow_link_local })
}

fn explanation(args: &Args, source: &Source) -> String {
    let check = match args.sha256 {
        Some(Wanted::Exact(digest)) => format!("refuse anything but sha256 {digest}"),
        Some(Wanted::Announced) => "refuse anything but what the server announces".to_owned(),
        Some(Wanted::Any) | None if source.announces() => "refuse anything but what the exposer committed".to_owned(),
        Some(Wanted::Any) | None => "check the length only".to_owned(),
    };
    let to = args.to.as_ref().map_or_else(|| "nowhere".to_owned(), |to| to.display().to_string());
    let end = if args.timeout.is_zero() { "for ever".to_owned() } else { format!("at most {:?}", args.timeout) };
    format!("would {} {source} to {to}, mode {:04o}, {check}; try {end}", args.method, args.mode)
}

/// The end of the tries: what to exit with after this miss.
fn given_up(source: &Source, miss: &Miss, attempts: u32, once: bool) -> Failure {
    let code = match (miss.class, once) {
        (Class::Fatal, _) => Code::Refused,
        (Class::Retry | Class::SlowDown(_), true) => Code::NotYet,
        (Class::Retry | Class::SlowDown(_), false) => Code::Deadline,
    };
    let tries = if code == Code::Deadline { format!(" ({attempts} tries)") } else { String::new() };
    let failure = Failure::new(code, miss.kind.word(), format!("{miss}{tries}"));
    let failure = failure.target(source.to_string()).attempts(attempts);
    match miss.kind.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
