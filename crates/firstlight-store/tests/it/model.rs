//! Whatever is done to the store, it answers as a plain map would, also after being opened again.

use crate::{content, mark};
use firstlight_api::object::{Key, Resource, resources};
use firstlight_store::{Expect, Refused, Revision, Store, Write};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const RESOURCES: [Resource; 3] = [resources::PODS, resources::CONFIGMAPS, resources::STATEFULSETS];
const NAMESPACES: [&str; 3] = ["a", "a-b", "b"];

#[derive(Debug, Clone)]
enum Step {
    Create(Key, u64),
    Update(Key, Guess, u64),
    Delete(Key, Guess),
    /// Many writes at once, answered together.
    Burst(Vec<(Key, u64)>),
    Reopen,
}

/// The revision a writer believes in.
#[derive(Debug, Clone, Copy)]
enum Guess {
    Right,
    Wrong,
}

fn key() -> impl Strategy<Value = Key> {
    (0..RESOURCES.len(), 0..NAMESPACES.len(), 0..4u8)
        .prop_map(|(resource, namespace, name)| Key::new(RESOURCES[resource], NAMESPACES[namespace], name.to_string()))
}

fn guess() -> impl Strategy<Value = Guess> {
    prop_oneof![4 => Just(Guess::Right), 1 => Just(Guess::Wrong)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (key(), any::<u64>()).prop_map(|(key, mark)| Step::Create(key, mark)),
        4 => (key(), guess(), any::<u64>()).prop_map(|(key, guess, mark)| Step::Update(key, guess, mark)),
        3 => (key(), guess()).prop_map(|(key, guess)| Step::Delete(key, guess)),
        1 => prop::collection::vec((key(), any::<u64>()), 1..12).prop_map(Step::Burst),
        1 => Just(Step::Reopen),
    ]
}

/// What should be there.
#[derive(Debug, Default)]
struct Model {
    objects: BTreeMap<Key, (Revision, u64)>,
    last: Revision,
}

impl Model {
    fn guess(&self, key: &Key, guess: Guess) -> Revision {
        let right = self.objects.get(key).map_or(Revision(1), |(revision, _)| *revision);
        match guess {
            Guess::Right => right,
            Guess::Wrong => Revision(right.0 + 1),
        }
    }

    /// The store said it made a write: was it right to, and at a revision never seen?
    fn written(&mut self, key: Key, revision: Revision, mark: Option<u64>) {
        assert!(revision > self.last, "{revision:?} is not after {:?}", self.last);
        self.last = revision;
        match mark {
            Some(mark) => self.objects.insert(key, (revision, mark)),
            None => self.objects.remove(&key),
        };
    }

    fn compare(&self, store: &Store) {
        for resource in RESOURCES {
            for namespace in NAMESPACES.into_iter().map(Some).chain([None]) {
                let found = store.list(resource, namespace);
                assert!(found.revision >= self.last);
                let found: Vec<_> =
                    found.items.iter().map(|object| (object.key.clone(), (object.revision, mark(object)))).collect();
                let wanted: Vec<_> = self
                    .objects
                    .iter()
                    .filter(|(key, _)| key.resource == resource && namespace.is_none_or(|n| n == key.namespace))
                    .map(|(key, value)| (key.clone(), *value))
                    .collect();
                assert_eq!(found, wanted);
                self.compare_pages(store, resource, namespace, &wanted);
            }
        }
        for (key, (revision, _)) in &self.objects {
            let object = store.get(key).unwrap();
            assert_eq!(object.value["metadata"]["resourceVersion"], revision.0.to_string());
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&object.bytes).unwrap(), object.value);
        }
    }

    fn compare_pages(
        &self,
        store: &Store,
        resource: Resource,
        namespace: Option<&str>,
        wanted: &[(Key, (Revision, u64))],
    ) {
        let (snapshot, mut last, mut keys) = (store.snapshot(), None::<Key>, Vec::new());
        while let Some(object) = snapshot.after(resource, namespace, last.as_ref()).next() {
            keys.push(object.key.clone());
            last = Some(object.key.clone());
        }
        assert!(keys.iter().eq(wanted.iter().map(|(key, _)| key)));
    }
}

async fn take(step: Step, store: Store, dir: &Path, model: &mut Model) -> Store {
    match step {
        Step::Create(key, mark) => {
            let there = model.objects.contains_key(&key);
            match crate::create(&store, key.clone(), mark).await {
                Ok(object) => {
                    assert!(!there);
                    model.written(key, object.revision, Some(mark));
                }
                Err(Refused::Exists(object)) => assert!(there && object.key == key),
                Err(other) => panic!("{other}"),
            }
        }
        Step::Update(key, guess, mark) => {
            let outcome = crate::update(&store, key.clone(), model.guess(&key, guess), mark).await;
            let revision = judge(model, &key, guess, outcome.map(|object| object.revision));
            if let Some(revision) = revision {
                model.written(key, revision, Some(mark));
            }
        }
        Step::Delete(key, guess) => {
            let outcome = crate::delete(&store, key.clone(), model.guess(&key, guess)).await;
            if let Some(revision) = judge(model, &key, guess, outcome.map(|object| object.revision)) {
                model.written(key, revision, None);
            }
        }
        Step::Burst(writes) => burst(&store, writes, model).await,
        Step::Reopen => {
            drop(store);
            return Store::open(dir).unwrap();
        }
    }
    store
}

fn judge(model: &Model, key: &Key, guess: Guess, outcome: Result<Revision, Refused>) -> Option<Revision> {
    match (model.objects.get(key), guess, outcome) {
        (Some(_), Guess::Right, Ok(revision)) => Some(revision),
        (Some((revision, _)), Guess::Wrong, Err(Refused::Stale(object))) => {
            assert_eq!(object.revision, *revision);
            None
        }
        (None, _, Err(Refused::Missing)) => None,
        (there, guess, outcome) => panic!("{there:?} {guess:?} {outcome:?}"),
    }
}

async fn burst(store: &Store, writes: Vec<(Key, u64)>, model: &mut Model) {
    let tasks: Vec<_> = writes
        .into_iter()
        .map(|(key, mark)| {
            let store = store.clone();
            let write = Write { key: key.clone(), expect: Expect::Absent, value: Some(content(mark)) };
            tokio::spawn(async move { (key, mark, store.commit(write).await) })
        })
        .collect();
    let mut made = Vec::new();
    for task in tasks {
        let (key, mark, outcome) = task.await.unwrap();
        match outcome {
            Ok(object) => made.push((object.revision, key, mark)),
            Err(Refused::Exists(object)) => assert_eq!(object.key, key),
            Err(other) => panic!("{other}"),
        }
    }
    made.sort();
    for (revision, key, mark) in made {
        assert!(!model.objects.contains_key(&key));
        model.written(key, revision, Some(mark));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_as_a_map_would_also_after_reopening(steps in prop::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut store, mut model) = (Store::open(dir.path()).unwrap(), Model::default());
            for step in steps {
                store = take(step, store, dir.path(), &mut model).await;
                model.compare(&store);
            }
        });
    }
}
