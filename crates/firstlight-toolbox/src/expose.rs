//! `fl expose`: serves declared items over HTTP, each only once its maker has committed it, byte for byte.
//!
//! ```text
//!  volume ──inotify, rescan──► scan: marker done? digest right? no key? ──► snapshot ──► answers, parked questions
//! ```
//!
//! There is an allow-list and nothing else: no directory, no listing, no upload.

mod answer;
mod body;
mod item;
mod patience;
mod private;
mod relay;
mod scan;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::exit::Code;
use crate::failure::Failure;
use crate::stop::Stop;
use crate::value;
use crate::verb::{Done, Given, Outcome, Shared};
use item::{Item, ReadyWhen, State};
use scan::{Scanner, Snapshot};

/// Serves items of this pod's state to other pods, each only when it is committed
///
/// GET /v1/items, /v1/items/NAME (?wait=30s, ?after-generation=N, Range), /v1/ready, /healthz, /metrics.
#[derive(Debug, clap::Args)]
#[command(override_usage = "fl expose --item NAME=PATH... [OPTIONS]")]
pub struct Args {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081", value_parser = listen)]
    listen: SocketAddr,
    /// Where the markers of `fl run-once` are
    #[arg(long, value_name = "PATH", env = "FIRSTLIGHT_DIR")]
    dir: Option<PathBuf>,
    /// A file to serve, as NAME=PATH[,content-type=TYPE]
    #[arg(long, value_name = "ITEM", required = true, value_parser = item::parse)]
    item: Vec<Item>,
    /// Not served yet: secret items need TLS and peer authentication
    #[arg(long, value_name = "ITEM")]
    secret_item: Vec<String>,
    /// When items count as published: marker:NAME (all of them), file:PATH, or exists (no marker needed)
    #[arg(long, value_name = "CONDITION", value_parser = item::ready_when)]
    ready_when: Vec<ReadyWhen>,
    /// Connections at one time; more have to wait
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    max_connections: usize,
    /// How long a client may take to send its request
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::duration)]
    header_timeout: Duration,
    /// How long a client may take nothing of its answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = value::duration)]
    write_timeout: Duration,
    #[command(flatten)]
    pub shared: Shared,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    full.parse().map_err(|_| format!("\"{text}\" is no address; write 0.0.0.0:8081, [::]:8081 or :8081"))
}

/// What is still answered after we were asked to stop, so that transfers end and readiness is seen to go.
const DRAIN: Duration = Duration::from_secs(1);

/// The verb.
pub async fn run(args: Args, given: &Given, stop: &mut Stop) -> Outcome {
    let Args {
        listen,
        dir,
        item: items,
        secret_item,
        ready_when,
        max_connections,
        header_timeout,
        write_timeout,
        shared: _,
    } = args;
    settle(&items, &secret_item, &ready_when, dir.is_some())?;
    if given.shared.explain {
        let names: Vec<String> = items.iter().map(|item| format!("{} ({})", item.name, item.path.display())).collect();
        return Ok(Done::new(format!("would serve {} on {listen}", names.join(", "))));
    }
    let mut scanner = Scanner::new(items, dir.clone(), ready_when);
    let first = scanner.scan().await;
    refuse_private(&first)?;
    if given.shared.once || given.shared.dry_run {
        return looked(&first);
    }
    let socket = TcpListener::bind(listen).await.map_err(|error| {
        Failure::new(Code::Usage, "listen", format!("cannot listen: {error}")).target(listen.to_string())
    })?;
    let address = socket.local_addr().map_err(|error| Failure::io("listening", error))?;
    given.log.info().target(address.to_string()).say("serving");
    scan::say(&Snapshot::default(), &first, &given.log);

    let (sender, receiver) = watch::channel(first);
    let limits = serve::Limits { connections: max_connections, header: header_timeout, write: write_timeout };
    let metrics = dir.map(|dir| dir.join("metrics"));
    let serving = serve::serve(socket, receiver, limits, metrics);
    let scanning = scan::keep(scanner, &sender, &given.log);
    let working = async {
        tokio::select! {
            error = serving => error,
            error = scanning => error,
        }
    };
    tokio::pin!(working);
    tokio::select! {
        failure = &mut working => return Err(failure),
        signal = stop.asked() => given.log.info().say(format!("stopping: signal {signal}")),
    }
    sender.send_modify(|snapshot| snapshot.draining = true);
    tokio::select! {
        failure = working => Err(failure),
        _ = stop.asked() => Ok(Done::new("stopped")),
        () = tokio::time::sleep(DRAIN) => Ok(Done::new("stopped")),
    }
}

fn settle(items: &[Item], secret: &[String], ready_when: &[ReadyWhen], dir: bool) -> Result<(), Failure> {
    if !secret.is_empty() {
        return Err(Failure::usage(
            "--secret-item is not served: it needs TLS and peer authentication, which this version does not have",
        )
        .hint("mount a Secret where the other pods need it"));
    }
    for (index, item) in items.iter().enumerate() {
        if items[..index].iter().any(|other| other.name == item.name) {
            return Err(Failure::usage(format!("--item {}: declared twice", item.name)));
        }
        if let Some(why) = private::by_name(&item.path) {
            return Err(refused(&item.name, &why));
        }
    }
    if !dir && !ready_when.contains(&ReadyWhen::Exists) {
        return Err(Failure::usage("--dir is missing: markers say when an item is committed")
            .hint("give --dir or FIRSTLIGHT_DIR, or --ready-when exists for files that are published by rename"));
    }
    Ok(())
}

fn refused(name: &str, why: &str) -> Failure {
    Failure::new(Code::Refused, "private", format!("is not published: {why}")).target(format!("item {name}"))
}

fn refuse_private(snapshot: &Snapshot) -> Result<(), Failure> {
    for (name, state) in &snapshot.items {
        if let State::Refused { why } = state {
            return Err(refused(name, why));
        }
    }
    Ok(())
}

/// `--once`: whether everything is published now.
fn looked(snapshot: &Snapshot) -> Outcome {
    let missing = snapshot.missing();
    if missing.is_empty() {
        return Ok(Done::new(format!("all {} items are published", snapshot.items.len())));
    }
    let missing: Vec<String> = missing.into_iter().map(|(name, why)| format!("{name}: {why}")).collect();
    Err(Failure::new(Code::NotYet, "not-published", missing.join("; ")))
}
