//! One worker per pod: turns changes and events into decisions, and decisions into actions and status.
//!
//! ```text
//!   store ──change──► keeper ──letters──► worker (one per pod) ──Do──► hands ──► runtime
//!   runtime ─event──►   │                  fold · decide · hand out        └───► network probes and hooks
//!                       │                            │
//!                       │                            ├─ status ─► publisher (one per pod, in order) ─► store
//!                       │                            └─ reports ► recorder ─► Events in the store
//!                       └─ machine: the Node object and its Lease
//! ```
//!
//! | file | question it answers |
//! | --- | --- |
//! | [`clock`] | what time is it |
//! | [`keeper`] | which pods are ours, and who is told what |
//! | [`pod_object`], [`source`] | what do the objects of the store say to a pod |
//! | [`worker`] | what happens to one pod now |
//! | [`hands`] | who performs an action |
//! | [`reach`] | does an address answer: network probes and hooks |
//! | [`publisher`] | what does the API say about the pod |
//! | [`recorder`] | what are people told as Kubernetes Events |
//! | [`machine`] | what does the API say about this node |
//! | [`journal`] | why did all that happen |
#![forbid(unsafe_code)]

mod clock;
mod hands;
mod journal;
mod keeper;
mod machine;
mod pod_object;
mod publisher;
mod reach;
mod recorder;
mod source;
mod worker;

pub use clock::Clock;
use firstlight_pod::spec::Backoff;
use firstlight_pod::{Do, Event, PodId};
use firstlight_store::Store;
pub use journal::Entry;
use keeper::{Keeper, Question};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a node is told about itself.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The node's name; pods bound to it are its own.
    pub name: String,
    /// The address its pods and the API know it by.
    pub host_ip: String,
    /// How long containers that crash wait (BKF-1, BKF-9, BKF-10).
    pub backoff: Backoff,
    /// What tells the time.
    pub clock: Clock,
}

/// The channels to whoever performs actions: the runtime, or a simulation.
#[derive(Debug)]
pub struct Channels {
    /// What to do.
    pub actions: mpsc::Sender<(PodId, Do)>,
    /// What happened.
    pub events: mpsc::Receiver<(PodId, Event)>,
}

/// A running node. Dropping it stops it without waiting; pods go on either way.
#[derive(Debug)]
pub struct Node {
    stop: CancellationToken,
    tasks: TaskTracker,
    questions: mpsc::Sender<Question>,
}

impl Node {
    /// Starts the node on a store. `recovered` is what a predecessor left: for each pod the journal of its latest
    /// sandbox as events, oldest first.
    #[must_use]
    pub fn start(config: NodeConfig, store: Store, channels: Channels, recovered: Vec<(PodId, Vec<Event>)>) -> Node {
        let (stop, tasks, clock) = (CancellationToken::new(), TaskTracker::new(), config.clock);
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let (book, recorders) = recorder::open(config.name.clone(), store.clone(), clock);
        tasks.spawn(book.run());
        tasks.spawn(machine::run(config.clone(), store.clone(), clock, stop.clone()));
        let keeper = Keeper::new(config, store, channels, recovered, clock, recorders, stop.clone());
        tasks.spawn(keeper.run(asked));
        tasks.close();
        Node { stop, tasks, questions }
    }

    /// Why a pod is where it is: its latest decisions, oldest first. Empty if the node does not know the pod.
    pub async fn why(&self, namespace: &str, pod: &str) -> Vec<Entry> {
        let (answer, answered) = oneshot::channel();
        let question = Question { namespace: namespace.to_owned(), pod: pod.to_owned(), answer };
        // A keeper that has stopped knows nothing any more.
        if self.questions.send(question).await.is_err() {
            return Vec::new();
        }
        answered.await.unwrap_or_default()
    }

    /// Stops deciding and waits until everything that was said is written; pods go on.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Questions that may wait: people ask them.
const QUESTIONS: usize = 16;
