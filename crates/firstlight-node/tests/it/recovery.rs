//! Another engine takes over what the one before left.

use crate::runtime::{exited, sandbox_ready};
use crate::scene::{Scene, condition, container, key, pod};
use firstlight_pod::event::Instance;
use firstlight_pod::{Event, Now, PodId};
use firstlight_store::{Options, Store};
use serde_json::json;

fn instance(container: &str) -> Instance {
    Instance { container: container.to_owned(), attempt: 0 }
}

fn created(container: &str) -> Event {
    Event::Created {
        instance: instance(container),
        id: "c".repeat(64),
        image_id: "sha256:1".to_owned(),
        user: None,
        at: Now(1),
    }
}

fn started(container: &str) -> Event {
    Event::Started { instance: instance(container), at: Now(1000) }
}

#[tokio::test]
async fn kre_2_a_finished_init_is_not_run_again_and_a_running_main_is_not_touched() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "initContainers": [container("a")] }))).await;
    scene.runtime.until("Start a/0").await;
    scene.runtime.exit(&p, "a", 0, 0).await;
    scene.runtime.until("Start m/0").await;
    let before = scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;

    let journal =
        vec![sandbox_ready(0), created("a"), started("a"), exited(instance("a"), 0), created("m"), started("m")];
    let mut scene = scene.restarted(vec![(p.clone(), journal)]).await;
    scene.delete(&p).await;
    let asked = scene.runtime.until("Forget").await;
    assert_eq!(asked, ["Signal m/0 Stop", "RemoveSandbox 0"], "nothing but the end is asked");
    assert_eq!(before["status"]["containerStatuses"][0]["restartCount"], 0);
    scene.node.stop().await;
}

#[tokio::test]
async fn kre_5_and_10_a_takeover_changes_nothing_that_watchers_see() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    let before = scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;
    let journal = vec![sandbox_ready(0), created("m"), started("m")];
    let scene = scene.restarted(vec![(p.clone(), journal)]).await;
    assert!(!scene.node.why("default", "p").await.is_empty());
    scene.node.stop().await;
    // Not even written again.
    assert_eq!(before, scene.store.get(&key(&p)).unwrap().value);
}

#[tokio::test]
async fn kre_6_after_a_reboot_everything_runs_again_and_counts_go_on() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "initContainers": [container("a")] }))).await;
    scene.runtime.until("Start a/0").await;
    scene.runtime.exit(&p, "a", 0, 0).await;
    scene.phase(&p, "Running").await;
    let mut scene = scene.restarted(Vec::new()).await;
    let asked = scene.runtime.until("Start a/1").await;
    assert_eq!(asked[0], "CreateSandbox 0");
    scene.runtime.exit(&p, "a", 1, 0).await;
    scene.runtime.until("Start m/1").await;
    scene.node.stop().await;
}

#[tokio::test]
async fn kre_7_what_nobody_asks_for_is_removed_and_then_forgotten() {
    let orphan = PodId { namespace: "default".to_owned(), name: "gone".to_owned(), uid: "u".to_owned() };
    let journal = vec![sandbox_ready(2), created("m"), started("m")];
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::with(folder, Options::default(), vec![(orphan, journal)]);
    assert_eq!(scene.runtime.until("RemoveSandbox 2").await, Vec::<String>::new());
    assert_eq!(scene.runtime.until("Forget").await, Vec::<String>::new());
    scene.node.stop().await;
}

#[tokio::test]
async fn a_stopped_node_lets_go_of_its_store() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    scene.phase(&p, "Running").await;
    let Scene { node, store, runtime: _, folder } = scene;
    node.stop().await;
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.get(&key(&p)).unwrap().value["status"]["phase"], "Running");
}

#[tokio::test]
async fn pods_are_found_though_the_history_of_the_store_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { max_changes: 1, max_bytes: 1 << 20 };
    let mut scene = Scene::with(folder, options, Vec::new());
    for number in 0..10 {
        scene.create(pod(&format!("p{number}"), json!({}))).await;
    }
    for _ in 0..10 {
        scene.runtime.until("Start m/0").await;
    }
    scene.node.stop().await;
}
