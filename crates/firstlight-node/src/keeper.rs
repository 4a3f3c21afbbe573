//! Which pods are ours, and who is told what? One task watches the store and the runtime, keeps one worker per pod,
//! and hands each its letters.

use crate::clock::Clock;
use crate::hands::Hands;
use crate::journal::{Entry, Journal};
use crate::publisher::Publisher;
use crate::recorder::Recorders;
use crate::worker::{Letter, Worker};
use crate::{Channels, NodeConfig};
use firstlight_api::object::{Key, Resource, at, resources, text};
use firstlight_api::{settle, source, time, write_status};
use firstlight_pod::spec::SourceRef;
use firstlight_pod::{Do, Event, Millis, Now, PodId, Seen};
use firstlight_store::{Change, Object, Revision, Store, Watch};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Somebody wants to know why a pod is where it is.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) answer: oneshot::Sender<Vec<Entry>>,
}

/// The grace of pods whose object is already gone (TRM-15).
const ORPHAN_GRACE: Millis = Millis::secs(1);

pub(crate) struct Keeper {
    config: NodeConfig,
    store: Store,
    runtime: mpsc::Sender<(PodId, Do)>,
    events: mpsc::Receiver<(PodId, Event)>,
    recovered: HashMap<PodId, Vec<Event>>,
    clock: Clock,
    recorders: Recorders,
    pods: HashMap<PodId, Kept>,
    workers: JoinSet<(PodId, bool)>,
    stop: CancellationToken,
}

/// A pod that has a worker.
struct Kept {
    letters: mpsc::UnboundedSender<Letter>,
    sources: Vec<SourceRef>,
    /// What the settled spec was made from: the object without its status.
    generation: Value,
    /// Readiness gates are conditions that others write, so the status matters too.
    gated: bool,
    deletion: Option<Event>,
}

impl Keeper {
    pub(crate) fn new(
        config: NodeConfig,
        store: Store,
        channels: Channels,
        recovered: Vec<(PodId, Vec<Event>)>,
        stop: CancellationToken,
    ) -> Keeper {
        let clock = Clock::start();
        let recorders = Recorders::start(config.name.clone(), store.clone(), clock, stop.clone());
        Keeper {
            config,
            store,
            runtime: channels.actions,
            events: channels.events,
            recovered: recovered.into_iter().collect(),
            clock,
            recorders,
            pods: HashMap::new(),
            workers: JoinSet::new(),
            stop,
        }
    }

    pub(crate) async fn run(mut self, mut questions: mpsc::Receiver<Question>) {
        let mut watches = self.begin();
        self.end_orphans().await;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                Some((pod, event)) = self.events.recv() => self.tell(&pod, Letter::Event(event)),
                change = watches.pods.next() => match change {
                    Ok(change) => self.pod_changed(&change),
                    Err(_) => watches = self.begin(),
                },
                change = watches.configs.next() => match change {
                    Ok(change) => self.source_changed(&change),
                    Err(_) => watches = self.begin(),
                },
                change = watches.secrets.next() => match change {
                    Ok(change) => self.source_changed(&change),
                    Err(_) => watches = self.begin(),
                },
                Some(ended) = self.workers.join_next() => self.worker_ended(ended),
                Some(question) = questions.recv() => self.ask(question),
            }
        }
        // Workers end when their letters do; pods go on.
        self.pods.clear();
        while self.workers.join_next().await.is_some() {}
    }

    /// Watches from a consistent list, and takes that list in: at the start, and when history was lost.
    fn begin(&mut self) -> Watches {
        loop {
            let snapshot = self.store.snapshot();
            let Ok(watches) = Watches::from(&self.store, snapshot.revision()) else { continue };
            let pods = snapshot.list(resources::PODS, None).items;
            let gone: Vec<PodId> =
                self.pods.keys().filter(|pod| !pods.iter().any(|o| id(&o.value) == **pod)).cloned().collect();
            for pod in gone {
                self.object_gone(&pod);
            }
            for object in pods {
                self.pod_is(&object);
            }
            for resource in [resources::CONFIGMAPS, resources::SECRETS] {
                for object in snapshot.list(resource, None).items {
                    self.source_is(&object.key, Some(&object.value));
                }
            }
            return watches;
        }
    }

    /// What a predecessor left of pods that the store does not know: ended, because nobody asked for it (KRE-7).
    async fn end_orphans(&mut self) {
        for (pod, events) in std::mem::take(&mut self.recovered) {
            let sandbox = events.iter().rev().find_map(|event| match event {
                Event::SandboxReady { attempt, .. } => Some(*attempt),
                _ => None,
            });
            let removal = sandbox.map(|attempt| Do::RemoveSandbox { attempt });
            for what in removal.into_iter().chain([Do::Forget]) {
                // A runtime that has ended has nothing to end.
                let _ = self.runtime.send((pod.clone(), what)).await;
            }
        }
    }

    fn pod_changed(&mut self, change: &Change) {
        if change.deleted {
            self.object_gone(&id(&change.object.value));
        } else {
            self.pod_is(&change.object);
        }
    }

    /// The pod's object is this now.
    fn pod_is(&mut self, object: &Arc<Object>) {
        let pod = &object.value;
        if text(pod, &["spec", "nodeName"]) != self.config.name {
            return;
        }
        let id = id(pod);
        if !self.pods.contains_key(&id) {
            return self.take_on(id, pod);
        }
        let Some(kept) = self.pods.get_mut(&id) else { return };
        let mut letters = Vec::new();
        let generation = without_status(pod);
        if kept.generation != generation {
            kept.generation = generation;
            if let Ok(mut spec) = settle::pod(pod) {
                spec.rules.backoff_cap = self.config.backoff_cap;
                kept.sources = spec.sources();
                letters.push(Letter::Spec(Box::new(spec)));
            }
        }
        let deletion = deletion(pod);
        if kept.deletion != deletion {
            kept.deletion.clone_from(&deletion);
            letters.extend(deletion.map(Letter::Event));
        }
        if kept.gated {
            letters.push(Letter::Event(said(pod, &self.clock)));
        }
        for letter in letters {
            // A worker that has ended is replaced when its end is seen.
            let _ = kept.letters.send(letter);
        }
    }

    /// A pod that has no worker gets one.
    fn take_on(&mut self, id: PodId, pod: &Value) {
        if is_over(pod) && deletion(pod).is_none() && !self.recovered.contains_key(&id) {
            return;
        }
        let mut spec = match settle::pod(pod) {
            Ok(spec) => spec,
            Err(refused) => {
                let why: Vec<String> = refused.iter().map(ToString::to_string).collect();
                tracing::error!(pod = id.name, why = why.join("; "), "the stored pod cannot be settled");
                return;
            }
        };
        spec.rules.backoff_cap = self.config.backoff_cap;
        let (letters, inbox) = mpsc::unbounded_channel();
        let recorder = self.recorders.of(&spec);
        if text(pod, &["status", "startTime"]).is_empty() {
            recorder.scheduled(&self.config.name);
        }
        let kept = Kept {
            letters: letters.clone(),
            sources: spec.sources(),
            generation: without_status(pod),
            gated: !spec.readiness_gates.is_empty(),
            deletion: deletion(pod),
        };
        let mut worker = Worker {
            seen: Seen::default(),
            inbox,
            clock: self.clock,
            hands: Hands {
                pod: id.clone(),
                clock: self.clock,
                runtime: self.runtime.clone(),
                inbox: letters.downgrade(),
                address: None,
            },
            publisher: Publisher::start(self.store.clone(), id.clone()),
            recorder,
            waits: Vec::new(),
            journal: Journal::default(),
            spec: Box::new(spec),
        };
        worker.recall(self.past(&id, pod, &kept));
        self.pods.insert(id.clone(), kept);
        self.workers.spawn(async move { (id, worker.run().await) });
    }

    /// What a new worker must know before it decides: what the API says, what was asked, what the sources hold, and
    /// what a predecessor's sandbox has done.
    fn past(&mut self, id: &PodId, pod: &Value, kept: &Kept) -> Vec<Event> {
        let mut events = vec![said(pod, &self.clock)];
        events.extend(kept.deletion.clone());
        for source in &kept.sources {
            events.push(self.source_now(&id.namespace, source));
        }
        events.extend(self.recovered.remove(id).unwrap_or_default());
        events
    }

    fn source_now(&self, namespace: &str, source: &SourceRef) -> Event {
        let (resource, name) = match source {
            SourceRef::ConfigMap(name) => (resources::CONFIGMAPS, name),
            SourceRef::Secret(name) => (resources::SECRETS, name),
        };
        let object = self.store.get(&Key::new(resource, namespace, name));
        Event::Source { source: source.clone(), content: object.map(|object| source::data(&object.value)) }
    }

    /// The object went without the pod's end (a forced deletion): the pod is ended at once.
    fn object_gone(&mut self, id: &PodId) {
        let grace = Event::Deletion { at: self.clock.now(), grace: ORPHAN_GRACE };
        self.tell(id, Letter::Event(grace));
    }

    fn source_changed(&mut self, change: &Change) {
        let value = (!change.deleted).then_some(&change.object.value);
        self.source_is(&change.object.key, value);
    }

    /// A ConfigMap or Secret is this now: told to the pods that name it.
    fn source_is(&mut self, key: &Key, value: Option<&Value>) {
        let Some(source) = source_ref(key.resource, &key.name) else { return };
        let content = value.map(source::data);
        for (id, kept) in &self.pods {
            if id.namespace == key.namespace && kept.sources.contains(&source) {
                let event = Event::Source { source: source.clone(), content: content.clone() };
                let _ = kept.letters.send(Letter::Event(event));
            }
        }
    }

    /// Events of pods that have no worker are late news of what has been forgotten.
    fn tell(&self, id: &PodId, letter: Letter) {
        if let Some(kept) = self.pods.get(id) {
            let _ = kept.letters.send(letter);
        }
    }

    fn worker_ended(&mut self, ended: Result<(PodId, bool), tokio::task::JoinError>) {
        match ended {
            Ok((id, _)) => {
                self.pods.remove(&id);
            }
            // The pod's own worker is lost, the others go on; its containers do too, until the engine restarts.
            Err(error) => tracing::error!(%error, "a pod's worker panicked"),
        }
    }

    fn ask(&self, question: Question) {
        let Question { namespace, pod, answer } = question;
        let kept = self.pods.iter().find(|(id, _)| id.namespace == namespace && id.name == pod);
        if let Some((_, kept)) = kept {
            let _ = kept.letters.send(Letter::Why(answer));
        }
    }
}

struct Watches {
    pods: Watch,
    configs: Watch,
    secrets: Watch,
}

impl Watches {
    fn from(store: &Store, revision: Revision) -> Result<Watches, firstlight_store::Expired> {
        let watch = |resource| store.watch(resource, None, revision);
        Ok(Watches {
            pods: watch(resources::PODS)?,
            configs: watch(resources::CONFIGMAPS)?,
            secrets: watch(resources::SECRETS)?,
        })
    }
}

fn id(pod: &Value) -> PodId {
    let word = |field: &str| text(pod, &["metadata", field]).to_owned();
    PodId { namespace: word("namespace"), name: word("name"), uid: word("uid") }
}

/// The deletion asked for: the API keeps when it ends, which is its grace later than when it was asked.
fn deletion(pod: &Value) -> Option<Event> {
    let ends = time::read(text(pod, &["metadata", "deletionTimestamp"]))?;
    let seconds = at(pod, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_u64).unwrap_or(0);
    let grace = Millis::secs(seconds);
    Some(Event::Deletion { at: Now(ends.0.saturating_sub(grace.0)), grace })
}

fn said(pod: &Value, clock: &Clock) -> Event {
    Event::Said { status: Box::new(write_status::read(pod)), at: clock.now() }
}

/// Whether the pod's phase is final: such a pod needs a worker only to be deleted.
fn is_over(pod: &Value) -> bool {
    matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

fn without_status(pod: &Value) -> Value {
    let mut pod = pod.clone();
    if let Some(map) = pod.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
            metadata.remove("managedFields");
        }
    }
    pod
}

fn source_ref(resource: Resource, name: &str) -> Option<SourceRef> {
    if resource == resources::CONFIGMAPS {
        Some(SourceRef::ConfigMap(name.to_owned()))
    } else if resource == resources::SECRETS {
        Some(SourceRef::Secret(name.to_owned()))
    } else {
        None
    }
}
