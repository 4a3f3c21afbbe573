//! The loop: takes changes in, asks the desks, hands their acts out.
//!
//! One owner of the world and of the ledger; watches and hands are tasks that speak to it over one bounded channel.
//!
//! | file | what it does |
//! | --- | --- |
//! | `shell/watch.rs` | one watch for each resource |
//! | `shell/request.rs` | one request for each act |
//! | `shell/recorder.rs` | Kubernetes Events, repeats counted |

mod recorder;
mod request;
mod watch;

use crate::desk::{Question, Settings, concerned, decide};
use crate::ledger::Ledger;
use crate::world::{Change, WATCHED, World};
use anyhow::bail;
use firstlight_api::object::{Key, Resource};
use kube::Client;
use recorder::Recorder;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Changes that may wait to be taken in; a list of that size is taken in within milliseconds.
const CHANGES: usize = 1024;
/// Questions worked on at a time. Each sends one request after the other.
const HANDS: usize = 16;

/// What the loop is told.
#[derive(Debug)]
enum Word {
    /// An object changed.
    Change(Change),
    /// All objects of a resource have been told; any other of it is gone.
    Listed(Resource, BTreeSet<Key>),
}

/// Works until told to stop.
pub(crate) async fn work(client: Client, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let (tell, mut told) = mpsc::channel(CHANGES);
    let _watches = watch::all(&client, &tell);
    let recorder = Recorder::new(client.clone());
    let mut hands: JoinSet<(Question, bool)> = JoinSet::new();
    let mut desks = Desks { world: World::default(), ledger: Ledger::default(), unlisted: WATCHED.into(), settings };
    loop {
        let due = desks.next_due(hands.len());
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            Some(done) = hands.join_next() => {
                let (question, well) = done?;
                desks.ledger.finished(&question, well, now_ms());
            }
            word = told.recv() => match word {
                Some(word) => desks.hear(word),
                None => bail!("nobody watches any more"),
            },
            () = sleep_until(due) => {}
        }
        while let Some((question, acts)) = desks.next(hands.len()) {
            hands.spawn(request::perform(client.clone(), recorder.clone(), tell.clone(), question, acts));
        }
    }
}

/// The world, and what is to be asked about it.
struct Desks {
    world: World,
    ledger: Ledger,
    /// Resources that have not been listed yet; until all have, what is missing may only be untold.
    unlisted: BTreeSet<Resource>,
    settings: Settings,
}

impl Desks {
    fn hear(&mut self, word: Word) {
        match word {
            Word::Change(change) => self.fold(change),
            Word::Listed(resource, present) => {
                let gone: Vec<Key> = self.world.keys(resource).filter(|key| !present.contains(*key)).cloned().collect();
                gone.into_iter().for_each(|key| self.fold(Change::Gone(key)));
                self.unlisted.remove(&resource);
            }
        }
    }

    fn fold(&mut self, change: Change) {
        if let Some(folded) = self.world.fold(change) {
            let now = now_ms();
            concerned(&self.world, &folded).into_iter().for_each(|question| self.ledger.ask(question, now));
        }
    }

    /// The next question whose answer asks for something to be done.
    fn next(&mut self, busy: usize) -> Option<(Question, Vec<crate::act::Act>)> {
        if !self.unlisted.is_empty() || busy >= HANDS {
            return None;
        }
        let now = now_ms();
        while let Some(question) = self.ledger.take(now) {
            let plan = decide(&question, &self.world, &self.settings, now);
            if let Some(wake) = plan.wake_ms {
                self.ledger.ask(question.clone(), wake);
            }
            if plan.acts.is_empty() {
                self.ledger.finished(&question, true, now);
            } else {
                return Some((question, plan.acts));
            }
        }
        None
    }

    fn next_due(&self, busy: usize) -> Option<u64> {
        self.ledger.next_due().filter(|_| self.unlisted.is_empty() && busy < HANDS)
    }
}

/// Until a time; for ever if there is none.
async fn sleep_until(at_ms: Option<u64>) {
    match at_ms {
        Some(at) => tokio::time::sleep(Duration::from_millis(at.saturating_sub(now_ms()))).await,
        None => std::future::pending().await,
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
