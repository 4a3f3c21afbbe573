//! What is owned by what is gone (upstream: `pkg/controller/garbagecollector`).
//!
//! ```text
//!  owners of an object     all gone ────────► delete it (asking the API about each owner first)
//!                          some gone ───────► take those references away
//!  an owner being deleted  foregroundDeletion ► delete what it owns; when nothing is left that blocks it, let it go
//!                          orphan ────────────► take the references to it away; then let it go
//! ```

use crate::act::{Act, Plan, Policy};
use crate::world::{WATCHED, World, deleting, owners, uid};
use firstlight_api::object::Key;
use firstlight_api::schema::{Kind, group_version};
use firstlight_api::view::View;
use serde_json::{Value, json};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// What is to be done about an object and what it owns.
#[must_use]
pub fn decide(world: &World, key: &Key) -> Plan {
    let Some(object) = world.get(key) else { return Plan::default() };
    let acts = if has_finalizer(object, ORPHAN) && deleting(object) {
        orphan(world, key, object)
    } else if has_finalizer(object, FOREGROUND) && deleting(object) {
        foreground(world, key, object)
    } else if deleting(object) {
        Vec::new()
    } else {
        collect(world, key, object).into_iter().collect()
    };
    Plan { acts, wake_ms: None }
}

fn orphan(world: &World, key: &Key, owner: &Value) -> Vec<Act> {
    let gone = uid(owner);
    let mut acts: Vec<Act> =
        world.dependents(gone).map(|(key, dependent)| set_owners(key, dependent, without(dependent, gone))).collect();
    if acts.is_empty() {
        acts.push(without_finalizer(key, owner, ORPHAN));
    }
    acts
}

fn foreground(world: &World, key: &Key, owner: &Value) -> Vec<Act> {
    let gone = uid(owner);
    let mut acts = Vec::new();
    let mut blocked = false;
    for (key, dependent) in world.dependents(gone) {
        blocked |= owners(dependent).iter().any(|o| o.text("uid") == gone && o.flag("blockOwnerDeletion"));
        if deleting(dependent) {
            continue;
        }
        let others = without(dependent, gone);
        if others.iter().any(|other| stands(world, key, other) == Standing::Solid) {
            acts.push(set_owners(key, dependent, others));
        } else {
            let owns = world.dependents(uid(dependent)).next().is_some();
            let policy = if owns { Policy::Foreground } else { Policy::Background };
            acts.push(Act::Delete { key: key.clone(), uid: uid(dependent).to_owned(), policy, told: None });
        }
    }
    if !blocked {
        acts.push(without_finalizer(key, owner, FOREGROUND));
    }
    acts
}

fn collect(world: &World, key: &Key, object: &Value) -> Option<Act> {
    let standing = |owner: &&Value, wanted| stands(world, key, owner) == wanted;
    let gone: Vec<Value> = owners(object).iter().filter(|o| standing(o, Standing::Gone)).cloned().collect();
    if gone.is_empty() {
        return None;
    }
    let rest: Vec<Value> = owners(object).iter().filter(|o| !standing(o, Standing::Gone)).cloned().collect();
    // An owner that waits for its dependents to go does not hold one.
    let held = rest.iter().any(|owner| stands(world, key, owner) == Standing::Solid);
    Some(Act::Collect { key: key.clone(), uid: uid(object).to_owned(), gone, keep: held.then_some(rest) })
}

/// How an owner stands.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// It is there, or of a kind that is not watched and so is taken to be there.
    Solid,
    /// It waits for what it owns to go.
    Leaving,
    /// It is not there.
    Gone,
}

fn stands(world: &World, dependent: &Key, owner: &Value) -> Standing {
    let (group, _) = group_version(owner.text("apiVersion"));
    let watched = WATCHED.into_iter().filter_map(Kind::of).any(|k| k.group == group && k.kind == owner.text("kind"));
    match world.by_uid(owner.text("uid")) {
        // An owner lives in the same namespace or in none.
        Some((key, _)) if !key.namespace.is_empty() && key.namespace != dependent.namespace => Standing::Gone,
        Some((_, object)) if deleting(object) && has_finalizer(object, FOREGROUND) => Standing::Leaving,
        Some(_) => Standing::Solid,
        None if watched => Standing::Gone,
        None => Standing::Solid,
    }
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    object.object("metadata").list("finalizers").iter().any(|f| f.as_str() == Some(finalizer))
}

fn without(dependent: &Value, owner: &str) -> Vec<Value> {
    owners(dependent).iter().filter(|o| o.text("uid") != owner).cloned().collect()
}

/// Lists are replaced as a whole by a merge patch, so the version guards it.
fn set_owners(key: &Key, dependent: &Value, owners: Vec<Value>) -> Act {
    let version = dependent.object("metadata").text("resourceVersion");
    let patch = json!({ "metadata": { "ownerReferences": owners, "resourceVersion": version } });
    Act::Patch { key: key.clone(), patch }
}

fn without_finalizer(key: &Key, object: &Value, finalizer: &str) -> Act {
    let metadata = object.object("metadata");
    let rest: Vec<String> = metadata.texts("finalizers").into_iter().filter(|f| f != finalizer).collect();
    let patch = json!({ "metadata": { "finalizers": rest, "resourceVersion": metadata.text("resourceVersion") } });
    Act::Patch { key: key.clone(), patch }
}
