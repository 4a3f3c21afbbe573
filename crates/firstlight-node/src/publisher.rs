//! What does the API say about the pod? One task per pod writes its status, apart from the worker, so that no action
//! waits for the disk.
//!
//! Statuses are written in order. One that is overtaken by a newer one before its turn to be written is not: a status
//! says what is, and what was in between stands in the Events.

use firstlight_api::object::{Key, at, resources, text};
use firstlight_api::write_status;
use firstlight_pod::{PodId, Status};
use firstlight_store::{Expect, Object, Refused, Store, Write};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long to wait before a write is tried again that the disk refused.
const PAUSE: Duration = Duration::from_secs(1);

/// What is to be written.
#[derive(Debug, Default)]
struct Word {
    status: Option<Status>,
    /// How many statuses there were up to this one.
    number: u64,
    /// The pod is forgotten: after its last status its object may go.
    forgotten: bool,
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct Publisher {
    word: watch::Sender<Word>,
    /// The number of the status that the API has.
    durable: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// Starts the pod's writing task.
    pub(crate) fn start(store: Store, pod: PodId, stop: CancellationToken) -> Publisher {
        let (word, heard) = watch::channel(Word::default());
        let (wrote, durable) = watch::channel(0);
        let task = tokio::spawn(Writer { store, pod, stop, wrote }.run(heard));
        Publisher { word, durable, task }
    }

    /// Hands a status over to be written, if it is not the one before. Answers whether it was handed over.
    pub(crate) fn publish(&self, status: &Status) -> bool {
        self.word.send_if_modified(|word| {
            let news = word.status.as_ref() != Some(status);
            if news {
                word.status = Some(status.clone());
                word.number += 1;
            }
            news
        })
    }

    /// The status that was handed over last.
    pub(crate) fn last(&self) -> Option<Status> {
        self.word.borrow().status.clone()
    }

    /// Whether the API has everything that was handed over.
    pub(crate) fn is_written(&self) -> bool {
        *self.durable.borrow() == self.word.borrow().number
    }

    /// Waits for that.
    pub(crate) async fn written(&mut self) {
        let number = self.word.borrow().number;
        // A writer that has ended writes nothing any more: its node stops.
        if self.durable.wait_for(|durable| *durable == number).await.is_err() {
            std::future::pending().await
        }
    }

    /// Ends when everything handed over is written and, if the pod is `forgotten`, the object of a deleted pod is
    /// removed. While the node stops, what the disk refuses is left to the next engine.
    pub(crate) async fn end(self, forgotten: bool) {
        let Publisher { word, durable: _, task } = self;
        word.send_modify(|word| word.forgotten = forgotten);
        drop(word);
        // A panic in it has been reported by then.
        let _ = task.await;
    }
}

struct Writer {
    store: Store,
    pod: PodId,
    stop: CancellationToken,
    wrote: watch::Sender<u64>,
}

impl Writer {
    async fn run(self, mut heard: watch::Receiver<Word>) {
        // Closed only after the last word was heard.
        while heard.changed().await.is_ok() {
            let (status, number, forgotten) = {
                let word = heard.borrow_and_update();
                (word.status.clone(), word.number, word.forgotten)
            };
            if let Some(status) = status
                && self.write(&status).await
            {
                self.wrote.send_replace(number);
            }
            if forgotten {
                self.remove().await;
            }
        }
    }

    /// Whether the API has the status now, or has no pod to have it.
    async fn write(&self, status: &Status) -> bool {
        self.change(|pod| {
            let new = write_status::apply(status, pod);
            let same = pod.get("status") == Some(&new);
            (!same).then(|| {
                let mut pod = pod.clone();
                if let Some(pod) = pod.as_object_mut() {
                    pod.insert("status".to_owned(), new);
                }
                Some(pod)
            })
        })
        .await
    }

    /// Takes the object of a deleted pod away, or, while others hold it by finalizers, says that its grace is over.
    async fn remove(&self) {
        self.change(|pod| {
            at(pod, &["metadata", "deletionTimestamp"])?;
            let held = at(pod, &["metadata", "finalizers"]).and_then(Value::as_array).is_some_and(|f| !f.is_empty());
            if !held {
                return Some(None);
            }
            let mut pod = pod.clone();
            let grace = pod.pointer_mut("/metadata/deletionGracePeriodSeconds")?;
            let over = *grace == json!(0);
            *grace = json!(0);
            (!over).then_some(Some(pod))
        })
        .await;
    }

    /// Changes the pod's object as it is now; once more whenever somebody wrote in between. `None` from `change` means
    /// that nothing is to be written, `Some(None)` that the object goes. Answers whether
    /// that is so now: false only if the node stops first.
    async fn change(&self, change: impl Fn(&Value) -> Option<Option<Value>>) -> bool {
        while let Some(object) = self.current() {
            let Some(value) = change(&object.value) else { return true };
            let write = Write { key: object.key.clone(), expect: Expect::At(object.revision), value };
            match self.store.commit(write).await {
                Ok(_) | Err(Refused::Missing) => return true,
                Err(Refused::Exists(_) | Refused::Stale(_)) => {}
                Err(Refused::Unavailable(reason)) => {
                    tracing::warn!(pod = self.pod.name, reason, "cannot write the pod's status; trying again");
                    tokio::select! {
                        biased;
                        () = self.stop.cancelled() => return false,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
        true
    }

    /// The pod's object, if it is still this pod's.
    fn current(&self) -> Option<Arc<Object>> {
        let key = Key::new(resources::PODS, &self.pod.namespace, &self.pod.name);
        self.store.get(&key).filter(|object| text(&object.value, &["metadata", "uid"]) == self.pod.uid)
    }
}
