//! Who performs an action? The runtime, but for what only needs the network: those probes and hooks happen here.

use crate::clock::Clock;
use crate::reach::{self, Tried, Wanted};
use crate::worker::Letter;
use firstlight_pod::spec::Handler;
use firstlight_pod::{Do, Event, Millis, PodId};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The longest a network hook may take that names no limit: hooks have none of their own (HOK-1), but a connection
/// that is never answered must end.
const HOOK_LIMIT: Duration = Duration::from_secs(600);

/// One pod's hands.
#[derive(Debug)]
pub(crate) struct Hands {
    pub(crate) pod: PodId,
    pub(crate) clock: Clock,
    pub(crate) runtime: mpsc::Sender<(PodId, Do)>,
    /// The worker's own inbox, for what is found out here. Weak: only the keeper keeps a worker alive.
    pub(crate) inbox: mpsc::WeakUnboundedSender<Letter>,
    pub(crate) stop: CancellationToken,
}

impl Hands {
    /// Performs it, or hands it on to be performed. Its outcome comes back as an event. `address` is the pod's own.
    pub(crate) async fn perform(&self, what: Do, address: Option<&str>) {
        let clock = self.clock;
        match what {
            Do::Probe { instance, probe, handler, timeout } if is_network(&handler) => {
                self.spawn(handler, address, Wanted::Success, millis(timeout), move |tried| {
                    let (outcome, warning) = match tried {
                        Ok(warning) => (Ok(()), warning),
                        Err(cause) => (Err(cause), None),
                    };
                    let warned = |message| Event::ProbeWarned { instance: instance.clone(), probe, message };
                    let warned = warning.map(warned);
                    let probed = Event::Probed { instance, probe, outcome, at: clock.now() };
                    warned.into_iter().chain([probed]).collect()
                });
            }
            Do::Hook { instance, hook, handler, timeout } if is_network(&handler) => {
                let limit = timeout.map_or(HOOK_LIMIT, millis);
                self.spawn(handler, address, Wanted::Answer, limit, move |tried| {
                    vec![Event::HookDone { instance, hook, outcome: tried.map(drop), at: clock.now() }]
                });
            }
            what => {
                // A runtime that has ended, or does not take it before the node stops, performs nothing; the next
                // engine asks again.
                let handed = self.runtime.send((self.pod.clone(), what));
                let _ = self.stop.run_until_cancelled(handed).await;
            }
        }
    }

    fn spawn(
        &self,
        handler: Handler,
        address: Option<&str>,
        wanted: Wanted,
        limit: Duration,
        events: impl FnOnce(Tried) -> Vec<Event> + Send + 'static,
    ) {
        let (inbox, address, stop) = (self.inbox.clone(), address.map(str::to_owned), self.stop.clone());
        tokio::spawn(async move {
            let tried = reach::try_once(&handler, address.as_deref(), wanted, limit);
            let Some(tried) = stop.run_until_cancelled(tried).await else { return };
            // The worker may be gone by now.
            let Some(inbox) = inbox.upgrade() else { return };
            for event in events(tried) {
                let _ = inbox.send(Letter::Event(event));
            }
        });
    }
}

fn is_network(handler: &Handler) -> bool {
    match handler {
        Handler::Http { .. } | Handler::Tcp { .. } | Handler::Grpc { .. } | Handler::Sleep(_) => true,
        Handler::Exec(_) => false,
    }
}

fn millis(length: Millis) -> Duration {
    Duration::from_millis(length.0)
}
