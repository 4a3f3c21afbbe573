//! What happens to one pod now? Waits for the next thing, folds it, decides, hands out; nobody else touches the pod.

use crate::clock::Clock;
use crate::hands::Hands;
use crate::journal::{Entry, Journal};
use crate::publisher::Publisher;
use crate::recorder::Recorder;
use firstlight_pod::{Do, Event, Now, Plan, Seen, Spec, Wait, decide, report};
use tokio::sync::{mpsc, oneshot};

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Letter {
    /// The pod was asked for anew.
    Spec(Box<Spec>),
    /// Something happened to it.
    Event(Event),
    /// Somebody wants to know why.
    Why(oneshot::Sender<Vec<Entry>>),
}

/// Turns in a row without anything new from outside; a decision settles in two or three.
const SETTLES_WITHIN: usize = 16;

/// One pod's worker.
pub(crate) struct Worker {
    pub(crate) spec: Box<Spec>,
    pub(crate) seen: Seen,
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
        for event in past {
            self.learn(&event);
        }
    }

    /// Lives until the pod is forgotten or the node stops. Answers whether the pod was forgotten.
    pub(crate) async fn run(mut self) -> bool {
        loop {
            let (wake, forgotten) = self.settle().await;
            if forgotten {
                return true;
            }
            match self.next(wake).await {
                Turn::Letter(letter) => self.take(letter),
                Turn::Timer => {}
                Turn::Stop => return false,
            }
            // Everything that has arrived meanwhile belongs to the same decision.
            while let Ok(letter) = self.inbox.try_recv() {
                self.take(letter);
            }
        }
    }

    /// Decides until nothing more is to be done now. Answers when to look again, and whether the pod is forgotten.
    async fn settle(&mut self) -> (Option<Now>, bool) {
        let mut wake = None;
        for _ in 0..SETTLES_WITHIN {
            let now = self.clock.now();
            let plan = decide(&self.spec, &self.seen, now);
            self.journal.record(now, &plan);
            let Plan { actions, status, waits, wake: next } = plan;
            wake = next;
            let quiet = actions.is_empty();
            for action in actions {
                let forgets = action.what == Do::Forget;
                self.fold(Event::Asked { what: action.what.clone(), at: now });
                self.hands.perform(action.what).await;
                if forgets {
                    self.publisher.finish().await;
                    return (None, true);
                }
            }
            if self.publisher.publish(&status) {
                self.fold(Event::Said { status: Box::new(status), at: now });
            }
            self.wait_for(waits);
            if quiet {
                break;
            }
        }
        (wake, false)
    }

    async fn next(&mut self, wake: Option<Now>) -> Turn {
        let timer = async {
            match wake {
                Some(at) => tokio::time::sleep_until(self.clock.instant(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            letter = self.inbox.recv() => letter.map_or(Turn::Stop, Turn::Letter),
            () = timer => Turn::Timer,
        }
    }

    fn take(&mut self, letter: Letter) {
        match letter {
            Letter::Spec(spec) => self.spec = spec,
            Letter::Event(event) => self.fold(event),
            // Whoever asked may have gone.
            Letter::Why(answer) => drop(answer.send(self.journal.entries())),
        }
    }

    fn fold(&mut self, event: Event) {
        self.recorder.record(report::of_event(&self.spec, &self.seen, &event));
        self.learn(&event);
    }

    fn learn(&mut self, event: &Event) {
        if let Event::SandboxReady { pod_ip, .. } = event {
            self.hands.address = Some(pod_ip.clone());
        }
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
    Stop,
}
