//! What a StatefulSet's pod and revision look like, and what people are told of them (STS-1, STS-10).

use firstlight_api::object::{Key, resources};
use firstlight_api::{defaults, schema::Kind};
use firstlight_workloads::World;
use firstlight_workloads::act::{Act, Policy};
use firstlight_workloads::stateful_set::decide;
use firstlight_workloads::world::Change;
use serde_json::{Value, json};

fn key() -> Key {
    Key::new(resources::STATEFULSETS, "a", "web")
}

fn world(set: Value) -> World {
    let mut set = set;
    defaults::apply(Kind::of(resources::STATEFULSETS).unwrap(), &mut set);
    let mut world = World::default();
    world.fold(Change::Put(key(), set));
    world
}

fn set() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": { "name": "web", "namespace": "a", "uid": "u1", "generation": 1, "resourceVersion": "1" },
        "spec": { "serviceName": "svc", "selector": { "matchLabels": { "app": "web" } }, "template": {
            "metadata": { "labels": { "app": "web" }, "annotations": { "note": "kept" } },
            "spec": { "containers": [{ "name": "main", "image": "x:1", "future": [1] }], "hostname": "ignored" } } } })
}

#[test]
fn sts_1_a_pod_is_named_numbered_and_owned() {
    let plan = decide(&world(set()), &key(), 0);
    let (object, told) = plan
        .acts
        .iter()
        .find_map(|act| match act {
            Act::Create { resource: resources::PODS, object, told } => Some((object, told)),
            _ => None,
        })
        .unwrap();
    let owner = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u1", "controller": true, "blockOwnerDeletion": true });
    assert_eq!(
        object["metadata"],
        json!({
        "name": "web-0", "namespace": "a", "annotations": { "note": "kept" }, "ownerReferences": [owner],
        "labels": { "app": "web", "statefulset.kubernetes.io/pod-name": "web-0", "apps.kubernetes.io/pod-index": "0",
            "controller-revision-hash": object["metadata"]["labels"]["controller-revision-hash"] } })
    );
    assert_eq!((&object["kind"], &object["apiVersion"]), (&json!("Pod"), &json!("v1")));
    assert_eq!((&object["spec"]["hostname"], &object["spec"]["subdomain"]), (&json!("web-0"), &json!("svc")));
    assert_eq!(object["spec"]["containers"][0]["future"], json!([1]), "fields unknown to this version survive");
    let told = told.as_ref().unwrap();
    assert_eq!((told.done.reason, told.done.warning), ("SuccessfulCreate", false), "STS-10");
    assert_eq!(told.done.message, "create Pod web-0 in StatefulSet web successful");
    assert_eq!((told.failed.reason, told.failed.warning), ("FailedCreate", true));
    assert_eq!(told.failed.message, "create Pod web-0 in StatefulSet web failed error: ");
}

#[test]
fn sts_10_deletion_is_told() {
    let mut shrunk = set();
    shrunk["spec"]["replicas"] = json!(0);
    let mut world = world(shrunk);
    let owner =
        json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u1", "controller": true });
    let pod = json!({ "metadata": { "name": "web-0", "namespace": "a", "uid": "p", "labels": { "app": "web" }, "ownerReferences": [owner] } });
    world.fold(Change::Put(Key::new(resources::PODS, "a", "web-0"), pod));
    let plan = decide(&world, &key(), 0);
    let Some(Act::Delete { key, uid, policy, told: Some(told) }) = plan.acts.last() else { panic!("{:?}", plan.acts) };
    assert_eq!((key.name.as_str(), uid.as_str(), *policy), ("web-0", "p", Policy::Background));
    assert_eq!(
        (told.done.reason, told.done.message.as_str()),
        ("SuccessfulDelete", "delete Pod web-0 in StatefulSet web successful")
    );
}

#[test]
fn a_revision_holds_the_template_and_takes_another_name_if_its_own_is_taken() {
    let mut world = world(set());
    let created = |world: &World| {
        decide(world, &key(), 0).acts.into_iter().find_map(|act| match act {
            Act::Create { resource: resources::CONTROLLERREVISIONS, object, .. } => Some(object),
            _ => None,
        })
    };
    let revision = created(&world).unwrap();
    assert_eq!(revision["data"]["spec"]["template"]["$patch"], "replace");
    assert_eq!(revision["data"]["spec"]["template"]["metadata"]["labels"]["app"], "web");
    assert_eq!(revision["revision"], 1);
    let name = revision["metadata"]["name"].as_str().unwrap().to_owned();
    let hash = revision["metadata"]["labels"]["controller.kubernetes.io/hash"].as_str().unwrap();
    assert_eq!(name, format!("web-{hash}"));

    let stranger = json!({ "metadata": { "name": name, "namespace": "a", "uid": "r" }, "data": { "other": true } });
    world.fold(Change::Put(Key::new(resources::CONTROLLERREVISIONS, "a", &name), stranger));
    let other = created(&world).unwrap();
    assert_ne!(other["metadata"]["name"].as_str().unwrap(), name);
    let status = decide(&world, &key(), 0).acts.into_iter().find_map(|act| match act {
        Act::Status { object, .. } => Some(object["status"].clone()),
        _ => None,
    });
    assert_eq!(status.unwrap()["collisionCount"], 1);
}
