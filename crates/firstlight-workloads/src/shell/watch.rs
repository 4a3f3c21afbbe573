//! One watch for each resource, told to the loop; kept alive by kube's watcher, which lists anew when it must.

use super::Word;
use crate::world::Change;
use crate::world::WATCHED;
use firstlight_api::object::{Key, Resource, resources};
use firstlight_api::schema::Kind;
use futures::TryStreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

/// Starts all watches; they end when the answer is dropped.
pub(super) fn all(client: &Client, tell: &Sender<Word>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    for kind in WATCHED.into_iter().filter_map(Kind::of) {
        watches.spawn(watch(client.clone(), kind, tell.clone()));
    }
    watches
}

async fn watch(client: Client, kind: &'static Kind, tell: Sender<Word>) {
    let resource = ApiResource {
        group: kind.group.to_owned(),
        version: kind.version.to_owned(),
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
        plural: kind.resource.plural.to_owned(),
    };
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let mut events = Box::pin(watcher(api, Config::default()).default_backoff());
    let mut listed = BTreeSet::new();
    loop {
        let word = match events.try_next().await {
            Ok(Some(event)) => word(kind, event, &mut listed),
            Ok(None) => return,
            Err(error) => {
                // The watcher tries again by itself, ever more slowly.
                tracing::warn!(resource = kind.resource.plural, %error, "the watch broke off");
                continue;
            }
        };
        if let Some(word) = word
            && tell.send(word).await.is_err()
        {
            return;
        }
    }
}

fn word(kind: &'static Kind, event: Event<DynamicObject>, listed: &mut BTreeSet<Key>) -> Option<Word> {
    match event {
        Event::Init => {
            listed.clear();
            None
        }
        Event::InitApply(object) => {
            let (key, value) = whole(kind, object);
            listed.insert(key.clone());
            Some(Word::Change(Change::Put(key, value)))
        }
        Event::InitDone => Some(Word::Listed(kind.resource, std::mem::take(listed))),
        Event::Apply(object) => {
            let (key, value) = whole(kind, object);
            Some(Word::Change(Change::Put(key, value)))
        }
        Event::Delete(object) => Some(Word::Change(Change::Gone(key_of(kind.resource, &object)))),
    }
}

fn key_of(resource: Resource, object: &DynamicObject) -> Key {
    Key::new(resource, object.namespace().unwrap_or_default(), object.name_any())
}

/// The object as JSON, with its kind, which items of lists do not carry.
fn whole(kind: &'static Kind, object: DynamicObject) -> (Key, Value) {
    let key = key_of(kind.resource, &object);
    let DynamicObject { types: _, metadata, data } = object;
    let mut value = if carried(kind.resource) { data } else { json!({}) };
    if let Some(fields) = value.as_object_mut() {
        fields.insert("apiVersion".to_owned(), json!(kind.api_version()));
        fields.insert("kind".to_owned(), json!(kind.kind));
        fields.insert("metadata".to_owned(), json!(metadata));
    }
    (key, value)
}

/// Whether anything is decided from more than the metadata: what is secret or large and not needed is not kept.
fn carried(resource: Resource) -> bool {
    !matches!(resource, resources::SECRETS | resources::LEASES | resources::NODES)
}
