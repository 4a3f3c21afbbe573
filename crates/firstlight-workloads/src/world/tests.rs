use super::{Change, World, deleting};
use firstlight_api::object::{Key, resources};
use serde_json::{Value, json};

fn key(name: &str) -> Key {
    Key::new(resources::PODS, "a", name)
}

fn pod(uid: &str, version: u64, owner: &str) -> Value {
    json!({ "metadata": { "uid": uid, "resourceVersion": version.to_string(), "ownerReferences": [{ "uid": owner }] } })
}

#[test]
fn what_is_older_than_what_is_known_is_not_taken_in() {
    let mut world = World::default();
    assert!(world.fold(Change::Put(key("x"), pod("u", 5, "o"))).is_some());
    assert!(world.fold(Change::Put(key("x"), pod("u", 4, "o"))).is_none());
    assert!(world.fold(Change::Put(key("x"), pod("u", 5, "o"))).is_none());
    let folded = world.fold(Change::Put(key("x"), pod("u", 10, "o"))).unwrap();
    assert_eq!(folded.before, Some(pod("u", 5, "o")));
    assert!(world.fold(Change::Put(key("x"), pod("v", 3, "o"))).is_some(), "another object of that name");
    assert!(world.fold(Change::Gone(key("x"))).is_some());
    assert!(world.fold(Change::Gone(key("x"))).is_none());
}

#[test]
fn owners_find_what_they_own() {
    let mut world = World::default();
    world.fold(Change::Put(key("x"), pod("1", 1, "o")));
    world.fold(Change::Put(key("y"), pod("2", 2, "o")));
    let names =
        |world: &World, owner: &str| world.dependents(owner).map(|(key, _)| key.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&world, "o"), ["x", "y"]);
    world.fold(Change::Put(key("x"), pod("1", 3, "p")));
    assert_eq!((names(&world, "o"), names(&world, "p")), (vec!["y".to_owned()], vec!["x".to_owned()]));
    world.fold(Change::Gone(key("y")));
    assert_eq!(names(&world, "o"), Vec::<String>::new());
    assert_eq!(world.by_uid("1").map(|(key, _)| key.name.as_str()), Some("x"));
    assert!(world.by_uid("2").is_none());
}

#[test]
fn lists_stay_in_their_resource_and_namespace() {
    let mut world = World::default();
    for (resource, namespace, name) in [
        (resources::PODS, "a", "x"),
        (resources::PODS, "ab", "x"),
        (resources::PODS, "b", "x"),
        (resources::SERVICES, "a", "x"),
    ] {
        let uid = format!("{}{namespace}{name}", resource.plural);
        world.fold(Change::Put(Key::new(resource, namespace, name), json!({ "metadata": { "uid": uid } })));
    }
    assert_eq!(world.list(resources::PODS, "a").count(), 1);
    assert_eq!(world.list(resources::PODS, "").count(), 0);
    assert_eq!(world.keys(resources::PODS).count(), 3);
    assert!(!world.list(resources::PODS, "a").any(deleting));
}
