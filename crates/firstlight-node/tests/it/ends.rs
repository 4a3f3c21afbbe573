//! A pod's way out: deletion, finalizers, objects that vanish.

use crate::scene::{Scene, condition, key, pod};
use firstlight_api::object::text;
use serde_json::json;

#[tokio::test]
async fn trm_14_a_deleted_pod_is_stopped_taken_down_forgotten_and_its_object_goes_last() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    scene.delete(&p).await;
    let before = scene.runtime.until("Forget").await;
    assert_eq!(before, ["Signal m/0 Stop", "RemoveSandbox 0"]);
    scene.gone(&p).await;
    assert!(scene.node.why("default", "p").await.is_empty());
    scene.node.stop().await;
}

#[tokio::test]
async fn an_object_held_by_a_finalizer_stays_until_it_is_let_go() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    scene.change(&key(&p), |pod| pod["metadata"]["finalizers"] = json!(["example.com/hold"])).await;
    scene.runtime.until("Start m/0").await;
    scene.delete(&p).await;
    scene.runtime.until("Forget").await;
    let held = scene.pod(&p, |pod| pod["metadata"]["deletionGracePeriodSeconds"] == 0).await;
    assert_eq!(text(&held, &["status", "phase"]), "Failed");
    scene.change(&key(&p), |pod| pod["metadata"]["finalizers"] = json!([])).await;
    scene.gone(&p).await;
    scene.node.stop().await;
}

#[tokio::test]
async fn trm_15_a_pod_whose_object_vanished_is_ended_and_forgotten() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    scene.remove(&key(&p)).await;
    assert_eq!(scene.runtime.until("Forget").await, ["Signal m/0 Stop", "RemoveSandbox 0"]);
    scene.node.stop().await;
}

#[tokio::test]
async fn a_successor_of_the_same_name_is_another_pod() {
    let mut scene = Scene::new();
    let first = scene.create(pod("p", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    scene.remove(&key(&first)).await;
    let mut second = pod("p", json!({}));
    second["metadata"]["uid"] = json!("uid-second");
    let second = scene.create(second).await;
    let pod = scene.phase(&second, "Running").await;
    assert_eq!(text(&pod, &["metadata", "uid"]), "uid-second");
    scene.node.stop().await;
}

#[tokio::test]
async fn a_pod_that_is_over_keeps_its_object_and_loses_its_sandbox() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "restartPolicy": "Never" }))).await;
    scene.runtime.until("Start m/0").await;
    scene.runtime.exit(&p, "m", 0, 0).await;
    scene.runtime.until("RemoveSandbox 0").await;
    scene.phase(&p, "Succeeded").await;
    scene.delete(&p).await;
    assert_eq!(scene.runtime.until("Forget").await, Vec::<String>::new());
    scene.gone(&p).await;
    scene.node.stop().await;
}

#[tokio::test]
async fn a_pod_that_cannot_be_settled_can_still_be_deleted() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "containers": [] }))).await;
    scene.delete(&p).await;
    scene.runtime.until("Forget").await;
    scene.gone(&p).await;
    scene.node.stop().await;
}

#[tokio::test]
async fn pha_12_a_pod_that_its_node_cannot_run_fails_and_says_why_and_nothing_of_it_starts() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "containers": [] }))).await;
    let failed = scene.phase(&p, "Failed").await;
    assert_eq!(text(&failed, &["status", "reason"]), "UnexpectedAdmissionError");
    let message = text(&failed, &["status", "message"]);
    assert!(message.starts_with("Pod was rejected: spec.containers: Required value"), "{message}");
    scene.delete(&p).await;
    assert_eq!(scene.runtime.until("Forget").await, Vec::<String>::new());
    scene.gone(&p).await;
    scene.node.stop().await;
}

#[tokio::test]
async fn t520_a_disrupted_pod_fails_and_stays_disrupted() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    scene.phase(&p, "Running").await;
    scene
        .change(&key(&p), |pod| {
            pod["metadata"]["finalizers"] = json!(["example.com/held"]);
            let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
            conditions.push(json!({ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" }));
        })
        .await;
    scene.delete(&p).await;
    let failed = scene.phase(&p, "Failed").await;
    assert_eq!(condition(&failed, "DisruptionTarget"), "True");
    scene.node.stop().await;
}
