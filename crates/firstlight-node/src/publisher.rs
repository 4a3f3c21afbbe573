//! What does the API say about the pod? One task per pod writes every status in order, apart from the worker, so
//! that no action waits for the disk.

use firstlight_api::object::{Key, at, resources, text};
use firstlight_api::write_status;
use firstlight_pod::{PodId, Status};
use firstlight_store::{Expect, Object, Refused, Store, Write};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long to wait before a write is tried again that the disk refused.
const PAUSE: Duration = Duration::from_secs(1);

enum Word {
    Status(Box<Status>),
    Finish(oneshot::Sender<()>),
}

/// The worker's end.
pub(crate) struct Publisher {
    words: mpsc::UnboundedSender<Word>,
    last: Option<Status>,
}

impl Publisher {
    /// Starts the pod's writing task.
    pub(crate) fn start(store: Store, pod: PodId) -> Publisher {
        // Unbounded: every status is history that watchers rely on, and a pod makes few of them.
        let (words, heard) = mpsc::unbounded_channel();
        tokio::spawn(Writer { store, pod }.run(heard));
        Publisher { words, last: None }
    }

    /// Hands a status over to be written, if it is not the one before. Answers whether it was handed over.
    pub(crate) fn publish(&mut self, status: &Status) -> bool {
        if self.last.as_ref() == Some(status) {
            return false;
        }
        self.last = Some(status.clone());
        // The task ends only with this end.
        let _ = self.words.send(Word::Status(Box::new(status.clone())));
        true
    }

    /// After everything handed over is written: removes the object of a deleted pod.
    pub(crate) async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        if self.words.send(Word::Finish(done)).is_ok() {
            // Closed means that the node is stopping; the next one finishes.
            let _ = finished.await;
        }
    }
}

struct Writer {
    store: Store,
    pod: PodId,
}

impl Writer {
    async fn run(self, mut words: mpsc::UnboundedReceiver<Word>) {
        while let Some(word) = words.recv().await {
            match word {
                Word::Status(status) => self.write(&status).await,
                Word::Finish(done) => {
                    self.remove().await;
                    let _ = done.send(());
                }
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
                    tokio::time::sleep(PAUSE).await;
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
