//! An imaginary API: keeps objects as the real one would, as far as the desks can tell, and does their acts at once.

use firstlight_api::object::{Key, Resource, resources};
use firstlight_api::schema::Kind;
use firstlight_api::view::View;
use firstlight_api::{admit, defaults, time, validate};
use firstlight_workloads::act::{Act, Policy};
use firstlight_workloads::desk::{Question, concerned, decide};
use firstlight_workloads::world::{Change, name, owners, uid};
use firstlight_workloads::{Settings, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// More rounds than any story needs: beyond them the desks chase their own tails.
const ROUNDS: usize = 1000;

pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) now_ms: u64,
    settings: Settings,
    questions: BTreeSet<Question>,
    wakes: BTreeSet<(u64, Question)>,
    version: u64,
    uids: u64,
}

impl Cluster {
    pub(crate) fn new(settings: Settings) -> Cluster {
        Cluster {
            world: World::default(),
            now_ms: 1_795_176_000_000,
            settings,
            questions: BTreeSet::new(),
            wakes: BTreeSet::new(),
            version: 0,
            uids: 0,
        }
    }

    /// Makes an object, or merges into it.
    pub(crate) fn put(&mut self, key: &Key, patch: &Value) {
        let kind = Kind::of(key.resource).unwrap();
        match self.world.get(key).cloned() {
            None => {
                let mut object = json!({ "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {
                    "name": key.name, "namespace": key.namespace } });
                json_patch::merge(&mut object, patch);
                self.create(key.resource, object);
            }
            Some(old) => {
                let mut new = old.clone();
                json_patch::merge(&mut new, patch);
                defaults::apply(kind, &mut new);
                let status = new["status"].clone();
                admit::update(kind, &old, &mut new);
                if !status.is_null() {
                    new["status"] = status;
                }
                self.store(key, new);
            }
        }
    }

    fn create(&mut self, resource: Resource, mut object: Value) {
        let kind = Kind::of(resource).unwrap();
        let key = Key::new(resource, object["metadata"]["namespace"].as_str().unwrap_or(""), name(&object));
        if self.world.get(&key).is_some() {
            return;
        }
        let given = object["status"].clone();
        defaults::apply(kind, &mut object);
        admit::create(kind, &mut object);
        let errors = validate::create(kind, &object);
        assert!(errors.is_empty(), "{key:?}: {errors:?}\n{object}");
        if !given.is_null() {
            json_patch::merge(&mut object["status"], &given);
        }
        self.uids += 1;
        object["metadata"]["uid"] = json!(format!("u{}", self.uids));
        object["metadata"]["creationTimestamp"] = json!(time::write(time::Now(self.now_ms)));
        self.store(&key, object);
    }

    fn store(&mut self, key: &Key, mut object: Value) {
        let going = object["metadata"].get("deletionTimestamp").is_some();
        let held = !object["metadata"].object("finalizers").as_array().is_none_or(Vec::is_empty)
            || !object["spec"].object("finalizers").as_array().is_none_or(Vec::is_empty);
        // A pod that is going away is let go by its node.
        if going && !held && key.resource != resources::PODS {
            return self.fold(Change::Gone(key.clone()));
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.fold(Change::Put(key.clone(), object));
    }

    /// As DELETE does: at once, or after what holds the object lets go.
    pub(crate) fn delete(&mut self, key: &Key, policy: Option<&str>) {
        let Some(mut object) = self.world.get(key).cloned() else { return };
        if object["metadata"].get("deletionTimestamp").is_some() {
            return;
        }
        let finalizer = match policy {
            Some("Foreground") => Some("foregroundDeletion"),
            Some("Orphan") => Some("orphan"),
            _ => None,
        };
        if let Some(finalizer) = finalizer {
            let mut all = object["metadata"].texts("finalizers");
            all.push(finalizer.to_owned());
            object["metadata"]["finalizers"] = json!(all);
        }
        object["metadata"]["deletionTimestamp"] = json!(time::write(time::Now(self.now_ms)));
        self.store(key, object);
    }

    pub(crate) fn gone(&mut self, key: &Key) {
        self.fold(Change::Gone(key.clone()));
    }

    fn fold(&mut self, change: Change) {
        if let Some(folded) = self.world.fold(change) {
            self.questions.extend(concerned(&self.world, &folded));
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let due: Vec<_> = self.wakes.iter().take_while(|(at, _)| *at <= self.now_ms).cloned().collect();
        for wake in due {
            self.wakes.remove(&wake);
            self.questions.insert(wake.1);
        }
    }

    /// Asks and does until nobody wants anything; answers with everything that was done.
    pub(crate) fn settle(&mut self) -> Vec<Act> {
        let mut done = Vec::new();
        for _ in 0..ROUNDS {
            let Some(question) = self.questions.pop_first() else { return done };
            let plan = decide(&question, &self.world, &self.settings, self.now_ms);
            if let Some(at) = plan.wake_ms {
                assert!(at > self.now_ms, "a wake is in the future");
                self.wakes.insert((at, question.clone()));
            }
            for act in plan.acts {
                self.perform(&act);
                done.push(act);
            }
        }
        panic!("{ROUNDS} rounds and no end: {:?}", &done[done.len().saturating_sub(6)..]);
    }

    fn perform(&mut self, act: &Act) {
        match act {
            Act::Create { resource, object, .. } => self.create(*resource, object.clone()),
            Act::Replace { key, object } | Act::Status { key, object } => {
                let known = self.world.get(key).unwrap();
                assert_eq!(known["metadata"]["resourceVersion"], object["metadata"]["resourceVersion"], "stale write");
                self.store(key, object.clone());
            }
            Act::Patch { key, patch } => {
                let mut object = self.world.get(key).unwrap().clone();
                json_patch::merge(&mut object, patch);
                self.store(key, object);
            }
            Act::Delete { key, uid: expected, policy, .. } => {
                assert_eq!(uid(self.world.get(key).unwrap()), expected);
                self.delete(key, (*policy == Policy::Foreground).then_some("Foreground"));
            }
            Act::DeleteAll { resource, namespace } => {
                let all: Vec<String> = self.world.list(*resource, namespace).map(|o| name(o).to_owned()).collect();
                all.iter().for_each(|name| self.delete(&Key::new(*resource, namespace, name), None));
            }
            Act::Finalize { namespace } => {
                self.store(&Key::new(resources::NAMESPACES, "", name(namespace)), namespace.clone());
            }
            Act::Collect { key, gone, keep, .. } => {
                let found = |owner: &Value| self.world.by_uid(owner.text("uid"));
                assert!(gone.iter().all(|owner| found(owner).is_none_or(|(at, _)| at.namespace != key.namespace)));
                match keep {
                    None => self.delete(key, None),
                    Some(keep) => {
                        let mut object = self.world.get(key).unwrap().clone();
                        assert_eq!(owners(&object).len(), gone.len() + keep.len());
                        object["metadata"]["ownerReferences"] = json!(keep);
                        self.store(key, object);
                    }
                }
            }
            Act::Tell(_) => {}
        }
    }
}
