//! The history of the template, kept as ControllerRevisions (upstream: `pkg/controller/history`).

use super::Set;
use super::replica::Pod;
use crate::act::{Act, Policy};
use crate::hash::{fnv, spelled};
use crate::world::{World, controller, deleting, name, uid};
use firstlight_api::object::{Key, resources};
use firstlight_api::view::View;
use serde_json::{Value, json};

/// The label that carries the hash of a revision's content.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";
/// The longest part of a revision's name that is the set's (upstream cuts there too).
const NAME_MAX: usize = 223;
/// How much history is kept if the set does not say (upstream's default).
const HISTORY_LIMIT: i64 = 10;

/// A state of the template.
#[derive(Debug, Clone)]
pub(super) struct Revision {
    /// Name of its ControllerRevision, which pods carry as a label.
    pub(super) name: String,
    /// The pod template of it.
    pub(super) template: Value,
}

/// Where the set is and where it is going; the same if it is there.
pub(super) struct Revisions {
    pub(super) current: Revision,
    pub(super) update: Revision,
    /// How often a hash was found taken by other content.
    pub(super) collisions: i64,
    /// What makes the history say so.
    pub(super) acts: Vec<Act>,
}

pub(super) fn settle(world: &World, set: &Set<'_>, pods: &[Pod<'_>]) -> Revisions {
    let history = history(world, set);
    let data = json!({ "spec": { "template": with_directive(set.spec.object("template")) } });
    let next = history.last().map_or(0, |last| last.int("revision").unwrap_or(0)).saturating_add(1);
    let mut acts = Vec::new();
    let mut collisions = set.object.object("status").int("collisionCount").unwrap_or(0);
    let update_name = match history.iter().rfind(|revision| revision.get("data") == Some(&data)) {
        Some(same) => {
            // A rollback: the old content becomes the newest again.
            if history.last().is_some_and(|last| name(last) != name(same)) {
                let key = Key::new(resources::CONTROLLERREVISIONS, &set.key.namespace, name(same));
                acts.push(Act::Patch { key, patch: json!({ "revision": next }) });
            }
            name(same).to_owned()
        }
        None => {
            let (hash, name) = free_name(world, set, &data, &mut collisions);
            acts.push(create(set, &name, &hash, &data, next));
            name
        }
    };
    let update = Revision { name: update_name, template: set.spec.object("template").clone() };
    let said = set.object.object("status").text("currentRevision");
    let current = history.iter().find(|revision| name(revision) == said);
    let current =
        current.map_or(update.clone(), |revision| Revision { name: said.to_owned(), template: template(revision) });
    acts.extend(truncate(set, &history, pods, [&current.name, &update.name]));
    Revisions { current, update, collisions, acts }
}

/// The set's revisions, oldest first.
fn history<'a>(world: &'a World, set: &Set<'_>) -> Vec<&'a Value> {
    let ours = |revision: &&Value| controller(revision).is_some_and(|owner| owner.text("uid") == uid(set.object));
    let all = world.list(resources::CONTROLLERREVISIONS, &set.key.namespace);
    let mut history: Vec<&Value> = all.filter(ours).filter(|revision| !deleting(revision)).collect();
    history.sort_by_key(|revision| {
        let age = revision.object("metadata").text("creationTimestamp");
        (revision.int("revision").unwrap_or(0), age, name(revision))
    });
    history
}

/// The template as upstream stores it: a strategic merge patch that replaces the whole.
fn with_directive(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(fields) = template.as_object_mut() {
        fields.insert("$patch".to_owned(), json!("replace"));
    }
    template
}

fn template(revision: &Value) -> Value {
    let mut template = revision.object("data").object("spec").object("template").clone();
    if let Some(fields) = template.as_object_mut() {
        fields.remove("$patch");
    }
    template
}

/// The hash of the content and a name with it that no other content has.
fn free_name(world: &World, set: &Set<'_>, data: &Value, collisions: &mut i64) -> (String, String) {
    let stem: String = set.name().chars().take(NAME_MAX).collect();
    loop {
        let salt = if *collisions > 0 { collisions.to_string() } else { String::new() };
        let hash = spelled(fnv(&[data.to_string().as_bytes(), salt.as_bytes()]));
        let name = format!("{stem}-{hash}");
        let key = Key::new(resources::CONTROLLERREVISIONS, &set.key.namespace, &name);
        if world.get(&key).is_none_or(|taken| taken.get("data") == Some(data)) {
            return (hash, name);
        }
        *collisions = collisions.saturating_add(1);
    }
}

fn create(set: &Set<'_>, name: &str, hash: &str, data: &Value, number: i64) -> Act {
    let labels = set.spec.object("template").object("metadata").object("labels");
    let mut labels = labels.as_object().cloned().unwrap_or_default();
    labels.insert(HASH_LABEL.to_owned(), json!(hash));
    let object = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "data": data, "revision": number,
        "metadata": { "name": name, "namespace": set.key.namespace, "labels": labels, "ownerReferences": [set.owner()] },
    });
    Act::Create { resource: resources::CONTROLLERREVISIONS, object, told: None }
}

/// Deletes the oldest revisions that nobody uses, beyond the limit.
fn truncate(set: &Set<'_>, history: &[&Value], pods: &[Pod<'_>], live: [&String; 2]) -> Vec<Act> {
    let used = |revision: &&&Value| {
        let name = name(revision);
        live.iter().any(|live| *live == name) || pods.iter().any(|pod| pod.revision() == name)
    };
    let limit = usize::try_from(set.spec.int("revisionHistoryLimit").unwrap_or(HISTORY_LIMIT)).unwrap_or(0);
    let unused: Vec<&&Value> = history.iter().filter(|revision| !used(revision)).collect();
    let surplus = unused.len().saturating_sub(limit);
    let delete = |revision: &&&Value| {
        let key = Key::new(resources::CONTROLLERREVISIONS, &set.key.namespace, name(revision));
        Act::Delete { key, uid: uid(revision).to_owned(), policy: Policy::Background, told: None }
    };
    unused.iter().take(surplus).map(delete).collect()
}
