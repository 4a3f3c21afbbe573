//! What do people ask for, and when do they change their minds? Writes to the store, as the API server makes them.

use crate::luck::Luck;
use crate::manifest::{self, CONFIG};
use crate::witness::{Shape, Witness};
use firstlight_api::object::{Key, Resource, at, resources, text};
use firstlight_api::time;
use firstlight_pod::{Millis, Now};
use firstlight_store::{Expect, Revision, Store, Write};
use serde_json::{Value, json};

/// How many pods there are at most, and how many names they share.
const NAMES: u64 = 5;

/// What somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A pod of one of the names, or the deletion of the one that has it: with its own grace, or with this one.
    Toggle(u64, Option<u64>),
    /// The object of a pod is removed at once.
    Force(u64),
    /// Another image for a main container.
    Image(u64),
    /// The ConfigMap that pods need is there or not.
    Config(bool),
}

impl Wish {
    pub(crate) fn drawn(luck: &mut Luck) -> Wish {
        let name = luck.below(NAMES);
        match luck.below(20) {
            0..=8 => Wish::Toggle(name, None),
            9..=11 => Wish::Toggle(name, Some(luck.below(20))),
            12 => Wish::Force(name),
            13..=15 => Wish::Image(name),
            _ => Wish::Config(luck.happens(600)),
        }
    }
}

/// What a wish comes to: a write, and what the witness must know of it first.
pub(crate) struct People {
    luck: Luck,
    pods: u64,
}

impl People {
    pub(crate) fn new(luck: Luck) -> People {
        People { luck, pods: 0 }
    }

    /// When the next of them does something, and what.
    pub(crate) fn next(&mut self) -> (Millis, Wish) {
        let pause = self.luck.about(Millis(4000));
        (pause, Wish::drawn(&mut self.luck))
    }

    /// The write that a wish comes to now, if any.
    pub(crate) fn write(&mut self, wish: &Wish, store: &Store, witness: &mut Witness, now: Now) -> Option<Write> {
        match *wish {
            Wish::Toggle(name, grace) => match get(store, resources::PODS, &pod_name(name)) {
                Some((revision, pod)) => Some(delete(revision, pod, grace, now)),
                None => Some(self.create(&pod_name(name), witness, now)),
            },
            Wish::Force(name) => {
                let (revision, _) = get(store, resources::PODS, &pod_name(name))?;
                Some(write(resources::PODS, &pod_name(name), Expect::At(revision), None))
            }
            Wish::Image(name) => {
                let (revision, mut pod) = get(store, resources::PODS, &pod_name(name))?;
                let image = pod.pointer_mut("/spec/containers/0/image")?;
                *image = json!(format!("main0:{}", 2 + self.luck.below(3)));
                let generation = pod["metadata"]["generation"].as_u64().unwrap_or(1);
                pod["metadata"]["generation"] = json!(generation + 1);
                Some(write(resources::PODS, &pod_name(name), Expect::At(revision), Some(pod)))
            }
            Wish::Config(there) => config(store, there),
        }
    }

    fn create(&mut self, name: &str, witness: &mut Witness, now: Now) -> Write {
        self.pods += 1;
        let uid = format!("{name}-{}", self.pods);
        let pod = manifest::pod(name, &uid, &time::write(now), &mut self.luck);
        let inits = at(&pod, &["spec", "initContainers"]).and_then(Value::as_array).cloned().unwrap_or_default();
        let inits = inits.iter().map(|init| {
            let sidecar = init.get("restartPolicy").is_some_and(|policy| policy == "Always");
            (text(init, &["name"]).to_owned(), sidecar)
        });
        witness.asked(&uid, Shape { inits: inits.collect() });
        write(resources::PODS, name, Expect::Absent, Some(pod))
    }
}

/// The write that makes the ConfigMap be there or not; none if it is so.
pub(crate) fn config(store: &Store, there: bool) -> Option<Write> {
    match (get(store, resources::CONFIGMAPS, CONFIG), there) {
        (None, true) => {
            let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"},
                               "metadata": {"name": CONFIG, "namespace": "default"}});
            Some(write(resources::CONFIGMAPS, CONFIG, Expect::Absent, Some(value)))
        }
        (Some((revision, _)), false) => Some(write(resources::CONFIGMAPS, CONFIG, Expect::At(revision), None)),
        (None, false) | (Some(_), true) => None,
    }
}

/// The write that begins a pod's deletion, or hastens it; the object of a pod that needs no time goes at once.
pub(crate) fn delete(revision: Revision, mut pod: Value, grace: Option<u64>, now: Now) -> Write {
    let name = text(&pod, &["metadata", "name"]).to_owned();
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(0);
    let left = pod["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(u64::MAX);
    let ended = matches!(text(&pod, &["status", "phase"]), "Succeeded" | "Failed");
    let grace = if ended { 0 } else { grace.unwrap_or(own).min(left) };
    if grace == 0 {
        return write(resources::PODS, &name, Expect::At(revision), None);
    }
    if left == u64::MAX {
        let ends = now.plus(Millis::secs(grace));
        pod["metadata"]["deletionTimestamp"] = json!(time::write(ends));
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    }
    write(resources::PODS, &name, Expect::At(revision), Some(pod))
}

/// An object of `default`, as it is.
pub(crate) fn get(store: &Store, resource: Resource, name: &str) -> Option<(Revision, Value)> {
    let object = store.get(&Key::new(resource, "default", name))?;
    Some((object.revision, object.value.clone()))
}

fn write(resource: Resource, name: &str, expect: Expect, value: Option<Value>) -> Write {
    Write { key: Key::new(resource, "default", name), expect, value }
}

fn pod_name(number: u64) -> String {
    format!("pod{number}")
}
