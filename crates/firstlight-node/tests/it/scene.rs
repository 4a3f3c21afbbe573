//! A node on a store of its own, with a runtime in memory.

use crate::runtime::{PATIENCE, Runtime, runtime};
use firstlight_api::object::{Key, Resource, resources, text};
use firstlight_node::{Clock, Node, NodeConfig};
use firstlight_pod::spec::Backoff;
use firstlight_pod::{Event, PodId};
use firstlight_store::{Expect, Object, Options, Store, Write};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) struct Scene {
    pub(crate) node: Node,
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene::with(tempfile::tempdir().unwrap(), Options::default(), Vec::new())
    }

    pub(crate) fn with(folder: TempDir, options: Options, recovered: Vec<(PodId, Vec<Event>)>) -> Scene {
        let store = Store::open_with(folder.path(), options).unwrap();
        Scene::on(store, folder, recovered)
    }

    pub(crate) fn on(store: Store, folder: TempDir, recovered: Vec<(PodId, Vec<Event>)>) -> Scene {
        let (runtime, channels) = runtime();
        let config = NodeConfig {
            name: "node1".to_owned(),
            host_ip: "10.88.0.1".to_owned(),
            backoff: Backoff::default(),
            clock: Clock::wall(),
        };
        let node = Node::start(config, store.clone(), channels, recovered);
        Scene { node, store, runtime, folder }
    }

    /// The node stops and another takes its place, with what the runtime recovered.
    pub(crate) async fn restarted(self, recovered: Vec<(PodId, Vec<Event>)>) -> Scene {
        let Scene { node, store, runtime, folder } = self;
        node.stop().await;
        drop(runtime);
        Scene::on(store, folder, recovered)
    }

    pub(crate) async fn create(&self, pod: Value) -> PodId {
        create(&self.store, resources::PODS, pod.clone()).await;
        id(&pod)
    }

    /// Waits until the pod's object is as wanted.
    pub(crate) async fn pod(&self, pod: &PodId, wanted: impl Fn(&Value) -> bool) -> Value {
        until(&self.store, &key(pod), |object| object.filter(|pod| wanted(pod)).cloned()).await
    }

    pub(crate) async fn phase(&self, pod: &PodId, phase: &str) -> Value {
        self.pod(pod, |pod| text(pod, &["status", "phase"]) == phase).await
    }

    /// Waits until the pod's object is gone.
    pub(crate) async fn gone(&self, pod: &PodId) {
        until(&self.store, &key(pod), |object| object.is_none().then_some(())).await;
    }

    /// Changes an object as it is now.
    pub(crate) async fn change(&self, key: &Key, change: impl Fn(&mut Value)) {
        loop {
            let object = self.store.get(key).unwrap();
            let mut value = object.value.clone();
            change(&mut value);
            let write = Write { key: key.clone(), expect: Expect::At(object.revision), value: Some(value) };
            if self.store.commit(write).await.is_ok() {
                return;
            }
        }
    }

    /// What the API does when a pod is deleted gracefully.
    pub(crate) async fn delete(&self, pod: &PodId) {
        self.change(&key(pod), |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-11-20T11:00:30Z");
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        })
        .await;
    }

    /// Takes an object away at once.
    pub(crate) async fn remove(&self, key: &Key) {
        while let Some(object) = self.store.get(key) {
            let write = Write { key: key.clone(), expect: Expect::At(object.revision), value: None };
            let _ = self.store.commit(write).await;
        }
    }

    /// The pod's events as `reason message`, oldest first, once there is one of this reason.
    pub(crate) async fn events(&self, until: &str) -> Vec<Arc<Object>> {
        let mut watch = self.store.watch(resources::EVENTS, None, self.store.revision()).unwrap();
        loop {
            let mut events = self.store.list(resources::EVENTS, None).items;
            events.sort_by_key(|event| event.key.name.clone());
            if events.iter().any(|event| text(&event.value, &["reason"]) == until) {
                return events;
            }
            let change = tokio::time::timeout(PATIENCE, watch.next()).await;
            change.unwrap_or_else(|_| panic!("no event {until}")).unwrap();
        }
    }
}

pub(crate) async fn create(store: &Store, resource: Resource, value: Value) {
    let key = Key::new(resource, text(&value, &["metadata", "namespace"]), text(&value, &["metadata", "name"]));
    store.commit(Write { key, expect: Expect::Absent, value: Some(value) }).await.unwrap();
}

/// Waits until `found` finds what it looks for in the object of this key.
pub(crate) async fn until<T>(store: &Store, key: &Key, found: impl Fn(Option<&Value>) -> Option<T>) -> T {
    let mut watch = store.watch(key.resource, None, store.revision()).unwrap();
    loop {
        let object = store.get(key);
        if let Some(found) = found(object.as_ref().map(|object| &object.value)) {
            return found;
        }
        let change = tokio::time::timeout(PATIENCE, watch.next()).await;
        change
            .unwrap_or_else(|_| panic!("{key:?} stays {:#}", object.map_or(Value::Null, |o| o.value.clone())))
            .unwrap();
    }
}

pub(crate) fn id(pod: &Value) -> PodId {
    let word = |field| text(pod, &["metadata", field]).to_owned();
    PodId { namespace: word("namespace"), name: word("name"), uid: word("uid") }
}

pub(crate) fn key(pod: &PodId) -> Key {
    Key::new(resources::PODS, &pod.namespace, &pod.name)
}

/// A pod as the API stores it, bound to the node; `spec` holds what is special about it.
pub(crate) fn pod(name: &str, spec: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "default", "uid": format!("uid-{name}"), "generation": 1,
                      "creationTimestamp": "2026-11-20T11:00:00Z" },
        "spec": { "nodeName": "node1", "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                  "containers": [container("m")] },
        "status": { "phase": "Pending" },
    });
    for (field, value) in spec.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pod
}

pub(crate) fn container(name: &str) -> Value {
    json!({ "name": name, "image": format!("{name}:1"), "imagePullPolicy": "IfNotPresent",
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File" })
}

pub(crate) fn condition<'a>(pod: &'a Value, kind: &str) -> &'a str {
    let conditions = pod["status"]["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == kind));
    found.map_or("", |condition| text(condition, &["status"]))
}
