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
    /// The pod is forgotten: after its last status its object may go.
    forgotten: bool,
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct Publisher {
    word: watch::Sender<Word>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// Starts the pod's writing task.
    pub(crate) fn start(store: Store, pod: PodId, stop: CancellationToken) -> Publisher {
        let (word, heard) = watch::channel(Word::default());
        let task = tokio::spawn(Writer { store, pod, stop }.run(heard));
        Publisher { word, task }
    }

    /// Hands a status over to be written, if it is not the one before. Answers whether it was handed over.
    pub(crate) fn publish(&self, status: &Status) -> bool {
        self.word.send_if_modified(|word| {
            let news = word.status.as_ref() != Some(status);
            if news {
                word.status = Some(status.clone());
            }
            news
        })
    }

    /// The status that was handed over last.
    pub(crate) fn last(&self) -> Option<Status> {
        self.word.borrow().status.clone()
    }

    /// Ends when everything handed over is written and, if the pod is `forgotten`, the object of a deleted pod is
    /// removed. While the node stops, what the disk refuses is left to the next engine.
    pub(crate) async fn end(self, forgotten: bool) {
        let Publisher { word, task } = self;
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
}

impl Writer {
    async fn run(self, mut heard: watch::Receiver<Word>) {
        // Closed only after the last word was heard.
        while heard.changed().await.is_ok() {
            let (status, forgotten) = {
                let word = heard.borrow_and_update();
                (word.status.clone(), word.forgotten)
            };
            if let Some(status) = status {
                self.write(&status).await;
            }
            if forgotten {
                self.remove().await;
            }
        }
    }

    async fn write(&self, status: &Status) {
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
        .await;
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
    /// that nothing is to be written, `Some(None)` that the object goes.
    async fn change(&self, change: impl Fn(&Value) -> Option<Option<Value>>) {
        while let Some(object) = self.current() {
            let Some(value) = change(&object.value) else { return };
            let write = Write { key: object.key.clone(), expect: Expect::At(object.revision), value };
            match self.store.commit(write).await {
                Ok(_) | Err(Refused::Missing) => return,
                Err(Refused::Exists(_) | Refused::Stale(_)) => {}
                Err(Refused::Unavailable(reason)) => {
                    tracing::warn!(pod = self.pod.name, reason, "cannot write the pod's status; trying again");
                    tokio::select! {
                        biased;
                        () = self.stop.cancelled() => return,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
    }

    /// The pod's object, if it is still this pod's.
    fn current(&self) -> Option<Arc<Object>> {
        let key = Key::new(resources::PODS, &self.pod.namespace, &self.pod.name);
        self.store.get(&key).filter(|object| text(&object.value, &["metadata", "uid"]) == self.pod.uid)
    }
}
