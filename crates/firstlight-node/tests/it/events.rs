//! What people are told as Kubernetes Events.

use crate::scene::{Scene, container, create, pod};
use firstlight_api::object::{Key, resources, text};
use serde_json::json;

#[tokio::test]
async fn evt_9_and_evt_1_events_tell_a_pods_way_up_in_kubernetes_words() {
    let mut scene = Scene::new();
    scene.create(pod("p", json!({ "initContainers": [container("a")] }))).await;
    scene.runtime.until("Start a/0").await;
    let events = scene.events("Started").await;
    let told: Vec<(&str, &str, &str)> = events
        .iter()
        .map(|event| {
            let event = &event.value;
            let field = text(event, &["involvedObject", "fieldPath"]);
            (text(event, &["reason"]), text(event, &["message"]), field)
        })
        .collect();
    let init = "spec.initContainers{a}";
    assert_eq!(
        told,
        [
            ("Scheduled", "Successfully assigned default/p to node1", ""),
            ("Pulled", "Container image \"a:1\" already present on machine", init),
            ("Created", "Container created", init),
            ("Started", "Container started", init),
        ]
    );
    assert_eq!(text(&events[0].value, &["source", "component"]), "default-scheduler");
    assert_eq!(text(&events[1].value, &["source", "host"]), "node1");
    assert_eq!(text(&events[1].value, &["involvedObject", "uid"]), "uid-p");
    scene.node.stop().await;
}

#[tokio::test]
async fn evt_11_repeats_are_counted_on_one_object_even_by_the_next_engine() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "restartPolicy": "OnFailure" }))).await;
    scene.runtime.until("Start m/0").await;
    scene.runtime.exit(&p, "m", 0, 1).await;
    scene.runtime.until("Start m/1").await;
    // The node's stop waits until everything told is written.
    let mut scene = scene.restarted(Vec::new()).await;
    scene.runtime.until("Start m/2").await;
    let Scene { node, store, .. } = scene;
    node.stop().await;
    let events = store.list(resources::EVENTS, None).items;
    let counts = |reason: &str| -> Vec<u64> {
        let of = events.iter().filter(|event| text(&event.value, &["reason"]) == reason);
        of.map(|event| event.value["count"].as_u64().unwrap()).collect()
    };
    assert_eq!(counts("Created"), [3]);
    assert_eq!(counts("Scheduled"), [1], "a pod is given to the node once");
}

#[tokio::test]
async fn evt_13_an_event_lives_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let store = firstlight_store::Store::open(folder.path()).unwrap();
    let event = |name: &str, at: &str| {
        json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": name, "namespace": "default" },
                "involvedObject": {}, "reason": "Old", "lastTimestamp": at })
    };
    create(&store, resources::EVENTS, event("old", "2020-01-01T00:00:00Z")).await;
    create(&store, resources::EVENTS, event("young", "2999-01-01T00:00:00Z")).await;
    let scene = Scene::on(store, folder, Vec::new());
    let old = Key::new(resources::EVENTS, "default", "old");
    crate::scene::until(&scene.store, &old, |event| event.is_none().then_some(())).await;
    assert!(scene.store.get(&Key::new(resources::EVENTS, "default", "young")).is_some());
    scene.node.stop().await;
}
