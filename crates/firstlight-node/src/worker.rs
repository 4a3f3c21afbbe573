//! What happens to one pod now? Waits for the next thing, folds it, decides, hands out; nobody else touches the pod.

use crate::clock::Clock;
use crate::hands::Hands;
use crate::journal::{Entry, Journal};
use crate::publisher::Publisher;
use crate::recorder::Recorder;
use firstlight_pod::status::{Condition, Status};
use firstlight_pod::{Do, Event, Now, Plan, Seen, Spec, Wait, decide, report};
use tokio::sync::{mpsc, oneshot};

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Letter {
    /// The pod was asked for anew.
    Spec(Box<Spec>),
    /// Something happened to it.
    Event(Event),
    /// Conditions that others wrote into its status: readiness gates.
    Conditions(Vec<Condition>),
    /// Somebody wants to know why.
    Why(oneshot::Sender<Vec<Entry>>),
}

/// One pod's worker.
pub(crate) struct Worker {
    pub(crate) spec: Box<Spec>,
    pub(crate) seen: Seen,
    /// Not bounded, because whoever fills it must never wait for a worker that waits for the runtime: that could be a
    /// circle. A worker empties it before every decision.
    pub(crate) inbox: mpsc::UnboundedReceiver<Letter>,
    pub(crate) clock: Clock,
    pub(crate) hands: Hands,
    pub(crate) publisher: Publisher,
    pub(crate) recorder: Recorder,
    pub(crate) waits: Vec<Wait>,
    pub(crate) journal: Journal,
}

impl Worker {
    /// Takes in what happened before this worker: nothing of it is news.
    pub(crate) fn recall(&mut self, past: Vec<Event>) {
        let now = self.clock.now();
        for mut event in past {
            event.not_after(now);
            self.seen.fold(&event);
        }
    }

    /// Lives until the pod is forgotten or the node stops.
    pub(crate) async fn run(mut self) {
        let forgotten = loop {
            let now = self.clock.now();
            let plan = decide(&self.spec, &self.seen, now);
            self.journal.record(now, &plan);
            let Plan { actions, status, waits, wake } = plan;
            let quiet = actions.is_empty();
            let forgets = actions.iter().any(|action| action.what == Do::Forget);
            // Watchers hear what was known before anything is done about it (SYN-2).
            if self.publisher.publish(&status) {
                self.fold(&Event::Said { status: Box::new(status), at: now });
            }
            for action in actions {
                self.fold(&Event::Asked { what: action.what.clone(), at: now });
                self.hands.perform(action.what, self.seen.pod_ip()).await;
            }
            // All that was folded so far is in the status that was handed over last.
            let written = self.seen.waits_to_be_written() && self.publisher.is_written();
            if written {
                self.fold(&Event::Written);
            }
            self.wait_for(waits);
            if forgets {
                break true;
            }
            // What was done is news too: decided about at once, until nothing more is to be done.
            if !quiet || written {
                continue;
            }
            match self.next(wake).await {
                Turn::Letter(letter) => self.take(letter),
                Turn::Timer | Turn::Written => {}
                Turn::Stop => break false,
            }
            // Everything that has arrived meanwhile belongs to the same decision.
            while let Ok(letter) = self.inbox.try_recv() {
                self.take(letter);
            }
        };
        self.publisher.end(forgotten).await;
    }

    async fn next(&mut self, wake: Option<Now>) -> Turn {
        let timer = async {
            match wake {
                Some(at) => tokio::time::sleep_until(self.clock.instant(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            letter = self.inbox.recv() => letter.map_or(Turn::Stop, Turn::Letter),
            () = timer => Turn::Timer,
            () = self.publisher.written(), if self.seen.waits_to_be_written() => Turn::Written,
        }
    }

    fn take(&mut self, letter: Letter) {
        match letter {
            Letter::Spec(spec) => self.spec = spec,
            Letter::Event(mut event) => {
                event.not_after(self.clock.now());
                self.journal.hear(&event);
                self.fold(&event);
            }
            Letter::Conditions(conditions) => self.fold_conditions(conditions),
            // Whoever asked may have gone.
            Letter::Why(answer) => drop(answer.send(self.journal.entries())),
        }
    }

    /// The rest of the status is this worker's own word, which the API may not have yet.
    fn fold_conditions(&mut self, conditions: Vec<Condition>) {
        let Some(said) = self.publisher.last() else { return };
        let status = Status { conditions: said.conditions.iter().cloned().chain(conditions).collect(), ..said };
        self.fold(&Event::Said { status: Box::new(status), at: self.clock.now() });
    }

    fn fold(&mut self, event: &Event) {
        self.recorder.record(report::of_event(&self.spec, &self.seen, event));
        self.seen.fold(event);
    }

    /// Tells of the waits that were not there before.
    fn wait_for(&mut self, waits: Vec<Wait>) {
        for wait in waits.iter().filter(|wait| !self.waits.contains(wait)) {
            self.recorder.record(report::of_wait(&self.spec, wait));
        }
        self.waits = waits;
    }
}

enum Turn {
    Letter(Letter),
    Timer,
    Written,
    Stop,
}
