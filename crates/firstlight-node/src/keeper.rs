//! Which pods are ours, and who is told what? One task watches the store and the runtime, keeps one worker per pod,
//! and hands each its letters.

use crate::clock::Clock;
use crate::hands::Hands;
use crate::journal::{Entry, Journal};
use crate::pod_object::{Deletion, deletion, id, is_held, is_over, without_status};
use crate::publisher::Publisher;
use crate::recorder::Recorders;
use crate::worker::{Letter, Worker};
use crate::{Channels, NodeConfig, machine, source};
use firstlight_api::object::{Key, resources, text};
use firstlight_api::status_error::FieldError;
use firstlight_api::{settle, write_status};
use firstlight_pod::spec::SourceRef;
use firstlight_pod::status::{Phase, Status};
use firstlight_pod::{Do, Event, Millis, PodId, Rules, Seen, Spec};
use firstlight_store::{Change, Object, Revision, Store, Watch};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Somebody wants to know why a pod is where it is.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) answer: oneshot::Sender<Vec<Entry>>,
}

/// Why a pod fails that its node cannot run (upstream `pkg/kubelet/lifecycle/predicate.go`).
const REJECTED: &str = "UnexpectedAdmissionError";

/// The grace of pods whose object is already gone (TRM-15).
const ORPHAN_GRACE: Millis = Millis::secs(1);

pub(crate) struct Keeper {
    config: NodeConfig,
    store: Store,
    runtime: mpsc::Sender<(PodId, Do)>,
    events: mpsc::Receiver<(PodId, Event)>,
    recovered: BTreeMap<PodId, Vec<Event>>,
    clock: Clock,
    recorders: Recorders,
    pods: BTreeMap<PodId, Kept>,
    /// Pods nobody asks for whose sandboxes are being removed.
    orphans: BTreeSet<PodId>,
    workers: JoinSet<PodId>,
    rules: Rules,
    stop: CancellationToken,
}

/// A pod that has a worker.
struct Kept {
    letters: mpsc::UnboundedSender<Letter>,
    sources: Vec<SourceRef>,
    /// What the settled spec was made from: the object without its status.
    asked: Value,
    /// Readiness gates are conditions that others write, so the status matters too.
    gated: bool,
    deletion: Option<Deletion>,
}

impl Keeper {
    pub(crate) fn new(
        config: NodeConfig,
        store: Store,
        channels: Channels,
        recovered: Vec<(PodId, Vec<Event>)>,
        clock: Clock,
        recorders: Recorders,
        stop: CancellationToken,
    ) -> Keeper {
        Keeper {
            rules: machine::rules(config.backoff),
            config,
            store,
            runtime: channels.actions,
            events: channels.events,
            recovered: recovered.into_iter().collect(),
            clock,
            recorders,
            pods: BTreeMap::new(),
            orphans: BTreeSet::new(),
            workers: JoinSet::new(),
            stop,
        }
    }

    pub(crate) async fn run(mut self, mut questions: mpsc::Receiver<Question>) {
        let mut watches = self.begin();
        self.end_orphans();
        loop {
            tokio::select! {
                // In this order, so that the same arrivals are taken in the same order whenever a life is told again.
                biased;
                () = self.stop.cancelled() => break,
                Some((pod, event)) = self.events.recv() => self.happened(&pod, event),
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
                change = watches.claims.next() => match change {
                    Ok(change) => self.source_changed(&change),
                    Err(_) => watches = self.begin(),
                },
                Some(ended) = self.workers.join_next() => self.worker_ended(&ended),
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
            self.tell_all_sources();
            return watches;
        }
    }

    /// What a predecessor left of pods that the store does not know: ended, because nobody asks for it (KRE-7).
    fn end_orphans(&mut self) {
        for (pod, events) in std::mem::take(&mut self.recovered) {
            let sandbox = events.iter().rev().find_map(|event| match event {
                Event::SandboxReady { attempt, .. } => Some(Some(*attempt)),
                Event::SandboxGone { .. } => Some(None),
                _ => None,
            });
            match sandbox.flatten() {
                Some(attempt) => {
                    self.orphans.insert(pod.clone());
                    self.ask_runtime(pod, Do::RemoveSandbox { attempt });
                }
                None => self.ask_runtime(pod, Do::Forget),
            }
        }
    }

    /// Asks for something about a pod that has no worker, without waiting: the runtime may be waiting for us.
    fn ask_runtime(&self, pod: PodId, what: Do) {
        let runtime = self.runtime.clone();
        tokio::spawn(async move {
            // A runtime that has ended has nothing to end.
            let _ = runtime.send((pod, what)).await;
        });
    }

    /// News from the runtime; late news of what has been forgotten is none.
    fn happened(&mut self, pod: &PodId, event: Event) {
        if matches!(event, Event::SandboxGone { .. }) && self.orphans.remove(pod) {
            self.ask_runtime(pod.clone(), Do::Forget);
        }
        self.tell(pod, Letter::Event(event));
    }

    fn pod_changed(&mut self, change: &Change) {
        if change.deleted {
            let pod = &change.object.value;
            if text(pod, &["spec", "nodeName"]) == self.config.name {
                self.object_gone(&id(pod));
            }
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
        let asked = without_status(pod);
        if kept.asked != asked {
            kept.asked = asked;
            match settle::pod(pod) {
                Ok(spec) => {
                    let spec = Spec { rules: self.rules.clone(), ..spec };
                    // Sources named anew are told first: nothing is decided about them unseen.
                    let news = spec.sources().into_iter().filter(|source| !kept.sources.contains(source));
                    letters.extend(news.map(|source| Letter::Event(source::now(&self.store, &id.namespace, &source))));
                    kept.sources = spec.sources();
                    letters.push(Letter::Spec(Box::new(spec)));
                }
                Err(refused) => cannot_settle(&id, &refused),
            }
        }
        let deletion = deletion(pod);
        if kept.deletion != deletion {
            kept.deletion = deletion;
            // The API knows the second; it was asked just now.
            let at = self.clock.now();
            letters.extend(deletion.map(|Deletion { grace, .. }| Letter::Event(Event::Deletion { at, grace })));
        }
        if kept.gated {
            letters.push(Letter::Conditions(write_status::read(pod).conditions));
        }
        for letter in letters {
            // A worker that has ended is replaced when its end is seen.
            let _ = kept.letters.send(letter);
        }
    }

    /// A pod that has no worker gets one, unless it is over and may stay as it is.
    fn take_on(&mut self, id: PodId, pod: &Value) {
        let recovered = self.recovered.remove(&id).unwrap_or_default();
        let deletion = deletion(pod);
        if is_over(pod) && (deletion.is_none() || is_held(pod)) && recovered.is_empty() {
            return;
        }
        let spec = match settle::pod(pod) {
            Ok(spec) => Spec { rules: self.rules.clone(), ..spec },
            Err(refused) => {
                cannot_settle(&id, &refused);
                match deletion {
                    Some(_) => self.let_go(id),
                    None => self.reject(id, pod, &refused),
                }
                return;
            }
        };
        let (letters, inbox) = mpsc::unbounded_channel();
        let recorder = self.recorders.of(&spec);
        if text(pod, &["status", "startTime"]).is_empty() {
            recorder.scheduled(&self.config.name);
        }
        let kept = Kept {
            letters: letters.clone(),
            sources: spec.sources(),
            asked: without_status(pod),
            gated: !spec.readiness_gates.is_empty(),
            deletion,
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
                stop: self.stop.clone(),
            },
            publisher: Publisher::start(self.store.clone(), id.clone(), self.stop.clone()),
            recorder,
            waits: Vec::new(),
            journal: Journal::default(),
            spec: Box::new(spec),
        };
        worker.recall(self.past(&id, pod, &kept, recovered));
        self.pods.insert(id.clone(), kept);
        self.workers.spawn(async move {
            worker.run().await;
            id
        });
    }

    /// What a new worker must know before it decides: what the API says, what was asked, what the sources hold, and
    /// what a predecessor's sandbox has done.
    fn past(&self, id: &PodId, pod: &Value, kept: &Kept, recovered: Vec<Event>) -> Vec<Event> {
        let said = Event::Said { status: Box::new(write_status::read(pod)), at: self.clock.now() };
        let sources = kept.sources.iter().map(|source| source::now(&self.store, &id.namespace, source));
        let deletion = kept.deletion.map(|Deletion { at, grace }| Event::Deletion { at, grace });
        std::iter::once(said).chain(deletion).chain(sources).chain(recovered).collect()
    }

    /// A pod that cannot be settled, and hence never ran here, is let go when its deletion is asked for.
    fn let_go(&mut self, id: PodId) {
        self.ask_runtime(id.clone(), Do::Forget);
        let publisher = Publisher::start(self.store.clone(), id.clone(), self.stop.clone());
        self.workers.spawn(async move {
            publisher.end(true).await;
            id
        });
    }

    /// PHA-12: a pod that this node cannot run fails before anything of it starts, and says why.
    fn reject(&mut self, id: PodId, pod: &Value, refused: &[FieldError]) {
        let words: Vec<String> = refused.iter().map(ToString::to_string).collect();
        let message = format!("Pod was rejected: {}", words.join("; "));
        let reason = REJECTED.to_owned();
        let said = write_status::read(pod);
        let status = Status { phase: Phase::Failed, reason, message, start_time: Some(self.clock.now()), ..said };
        let publisher = Publisher::start(self.store.clone(), id.clone(), self.stop.clone());
        publisher.publish(&status);
        self.workers.spawn(async move {
            publisher.end(false).await;
            id
        });
    }

    /// The object went without the pod's end (a forced deletion, or a pod that was over): the pod is ended at once.
    fn object_gone(&mut self, id: &PodId) {
        if !self.pods.contains_key(id) {
            // It was over when this engine began, and has no worker: its volumes and logs are all that is left.
            return self.ask_runtime(id.clone(), Do::Forget);
        }
        let grace = Event::Deletion { at: self.clock.now(), grace: ORPHAN_GRACE };
        self.tell(id, Letter::Event(grace));
    }

    fn source_changed(&mut self, change: &Change) {
        let value = (!change.deleted).then_some(&change.object.value);
        self.source_is(&change.object.key, value);
    }

    /// A ConfigMap, Secret or claim is this now: told to the pods that name it.
    fn source_is(&self, key: &Key, value: Option<&Value>) {
        let Some(source) = source::of(key) else { return };
        let content = value.map(firstlight_api::source::data);
        for (id, kept) in &self.pods {
            if id.namespace == key.namespace && kept.sources.contains(&source) {
                self.tell(id, Letter::Event(Event::Source { source: source.clone(), content: content.clone() }));
            }
        }
    }

    /// What every source holds now is told to every pod that names it: changes may have been missed.
    fn tell_all_sources(&self) {
        for (id, kept) in &self.pods {
            for source in &kept.sources {
                self.tell(id, Letter::Event(source::now(&self.store, &id.namespace, source)));
            }
        }
    }

    fn tell(&self, id: &PodId, letter: Letter) {
        if let Some(kept) = self.pods.get(id) {
            let _ = kept.letters.send(letter);
        }
    }

    fn worker_ended(&mut self, ended: &Result<PodId, JoinError>) {
        match ended {
            Ok(id) => {
                self.pods.remove(id);
                // What happened to the object while the worker was ending has reached nobody.
                let key = Key::new(resources::PODS, &id.namespace, &id.name);
                if let Some(object) = self.store.get(&key).filter(|_| !self.stop.is_cancelled()) {
                    self.pod_is(&object);
                }
            }
            // The pod's own worker is lost, the others go on, and so do its containers. No other worker takes them on: only
            // the next engine learns from the runtime what runs.
            Err(error) => {
                tracing::error!(%error, "a pod's worker has failed; restart the engine to take the pod up again")
            }
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
    claims: Watch,
}

impl Watches {
    fn from(store: &Store, revision: Revision) -> Result<Watches, firstlight_store::Expired> {
        let watch = |resource| store.watch(resource, None, revision);
        Ok(Watches {
            pods: watch(resources::PODS)?,
            configs: watch(resources::CONFIGMAPS)?,
            secrets: watch(resources::SECRETS)?,
            claims: watch(resources::PERSISTENTVOLUMECLAIMS)?,
        })
    }
}

/// A Pod in the store that another version of this program admitted, or that was put there by hand.
fn cannot_settle(id: &PodId, refused: &[FieldError]) {
    let why: Vec<String> = refused.iter().map(ToString::to_string).collect();
    tracing::error!(pod = id.name, namespace = id.namespace, why = why.join("; "), "the stored pod cannot be settled");
}
