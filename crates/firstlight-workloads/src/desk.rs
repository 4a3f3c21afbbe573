//! Which desk a change concerns, and asking it.
//!
//! A desk looks after one kind of thing. Whatever changed, the desks it concerns are asked about the objects it
//! concerns; each answers from the whole [`World`], so a change that was missed or told twice makes no difference.

use crate::act::Plan;
use crate::world::{Folded, World, controller, deleting, name, owners, uid};
use crate::{accounts, claims, garbage, namespaces, slices, stateful_set};
use firstlight_api::object::{Key, resources};
use firstlight_api::select::Labels;
use firstlight_api::view::View;
use serde_json::Value;
use std::collections::BTreeSet;

/// The desks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Desk {
    /// Pods of StatefulSets, their revisions and status.
    StatefulSets,
    /// EndpointSlices of Services.
    Slices,
    /// What every Namespace has: an account and the cluster's certificate.
    Accounts,
    /// Namespaces that are going away.
    Namespaces,
    /// Claims that are going away.
    Claims,
    /// What is owned by what is gone.
    Garbage,
}

/// A desk and what it is to look at.
pub type Question = (Desk, Key);

/// What the desks are told besides the world.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The cluster's root certificate in PEM, published in every namespace as ConfigMap `kube-root-ca.crt`.
    pub root_ca: Option<String>,
}

/// Asks a desk.
#[must_use]
pub fn decide(question: &Question, world: &World, settings: &Settings, now_ms: u64) -> Plan {
    let (desk, key) = question;
    match desk {
        Desk::StatefulSets => stateful_set::decide(world, key, now_ms),
        Desk::Slices => slices::decide(world, key),
        Desk::Accounts => accounts::decide(world, key, settings),
        Desk::Namespaces => namespaces::decide(world, key),
        Desk::Claims => claims::decide(world, key),
        Desk::Garbage => garbage::decide(world, key),
    }
}

/// The questions that a change raises.
#[must_use]
pub fn concerned(world: &World, folded: &Folded) -> BTreeSet<Question> {
    let Folded { key, before } = folded;
    let after = world.get(key);
    let mut questions = BTreeSet::new();
    for object in before.iter().chain(after) {
        for_object(world, key, object, &mut questions);
    }
    garbage_questions(world, key, before.as_ref(), after, &mut questions);
    questions
}

fn for_object(world: &World, key: &Key, object: &Value, questions: &mut BTreeSet<Question>) {
    let namespace = Key::new(resources::NAMESPACES, "", &key.namespace);
    match key.resource {
        resources::STATEFULSETS => questions.extend([(Desk::StatefulSets, key.clone())]),
        resources::PODS => {
            questions.extend(sets_of(world, key, object).into_iter().map(|set| (Desk::StatefulSets, set)));
            questions.extend(services_of(world, key, object).into_iter().map(|service| (Desk::Slices, service)));
            questions.extend(claims::of_pod(key, object).map(|claim| (Desk::Claims, claim)));
        }
        resources::PERSISTENTVOLUMECLAIMS => {
            questions.extend([(Desk::Claims, key.clone())]);
            questions.extend(sets_claiming(world, key).map(|set| (Desk::StatefulSets, set)));
        }
        resources::CONTROLLERREVISIONS => {
            questions.extend(sets_of(world, key, object).into_iter().map(|set| (Desk::StatefulSets, set)));
        }
        resources::SERVICES => questions.extend([(Desk::Slices, key.clone())]),
        resources::ENDPOINTSLICES => {
            let service = object.object("metadata").object("labels").text(slices::SERVICE_LABEL);
            questions.extend([(Desk::Slices, Key::new(resources::SERVICES, &key.namespace, service))]);
        }
        resources::NAMESPACES => {
            questions.extend([(Desk::Accounts, key.clone()), (Desk::Namespaces, key.clone())]);
        }
        resources::SERVICEACCOUNTS | resources::CONFIGMAPS if accounts::is_ours(key) => {
            questions.extend([(Desk::Accounts, namespace.clone())]);
        }
        _ => {}
    }
    if !key.namespace.is_empty() && world.get(&namespace).is_some_and(deleting) {
        questions.extend([(Desk::Namespaces, namespace)]);
    }
}

/// The StatefulSets that may care for this pod or revision: the one that owns it, else those that could adopt it; and the
/// one whose pod would have its name.
fn sets_of(world: &World, key: &Key, object: &Value) -> Vec<Key> {
    let set = |name: &str| Key::new(resources::STATEFULSETS, &key.namespace, name);
    let mut sets: Vec<Key> = name(object).rsplit_once('-').map(|(stem, _)| set(stem)).into_iter().collect();
    match controller(object) {
        Some(owner) if owner.text("kind") == "StatefulSet" => sets.push(set(owner.text("name"))),
        Some(_) => {}
        None => {
            let selects = |candidate: &&Value| {
                let selector = Labels::structured(candidate.object("spec").object("selector"));
                selector.is_ok_and(|selector| selector.matches(object))
            };
            sets.extend(
                world.list(resources::STATEFULSETS, &key.namespace).filter(selects).map(|object| set(name(object))),
            );
        }
    }
    sets
}

/// The StatefulSets one of whose claims would have this name.
fn sets_claiming(world: &World, key: &Key) -> impl Iterator<Item = Key> {
    let claims = |set: &&Value| {
        let mut templates = set.object("spec").list("volumeClaimTemplates").iter();
        templates.any(|template| key.name.starts_with(&format!("{}-{}-", name(template), name(set))))
    };
    let sets = world.list(resources::STATEFULSETS, &key.namespace).filter(claims);
    sets.map(|set| Key::new(resources::STATEFULSETS, &key.namespace, name(set)))
}

fn services_of(world: &World, key: &Key, pod: &Value) -> Vec<Key> {
    let services = world.list(resources::SERVICES, &key.namespace).filter(|service| slices::selects(service, pod));
    services.map(|service| Key::new(resources::SERVICES, &key.namespace, name(service))).collect()
}

/// An object with owners is looked at when it changes; so is what it owns, and what waits for it to go.
fn garbage_questions(
    world: &World,
    key: &Key,
    before: Option<&Value>,
    after: Option<&Value>,
    questions: &mut BTreeSet<Question>,
) {
    let mut ask = |key: &Key| questions.extend([(Desk::Garbage, key.clone())]);
    if after.is_some_and(|object| !owners(object).is_empty() || deleting(object)) {
        ask(key);
    }
    let replaced = before.filter(|old| after.is_none_or(|new| uid(new) != uid(old)));
    for object in replaced.into_iter().chain(after.filter(|object| deleting(object))) {
        world.dependents(uid(object)).for_each(|(key, _)| ask(key));
    }
    for owner in before.into_iter().chain(after).flat_map(owners) {
        if let Some((key, _)) = world.by_uid(owner.text("uid")).filter(|(_, owner)| deleting(owner)) {
            ask(key);
        }
    }
}
