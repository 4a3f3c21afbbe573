//! A pod's way up: actions in order, status and reasons told along.

use crate::scene::{Scene, condition, container, key, pod};
use firstlight_api::object::text;
use serde_json::json;

#[tokio::test]
async fn a_pod_comes_up_step_by_step_and_says_so() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "initContainers": [container("a")] }))).await;
    let before = scene.runtime.until("Start a/0").await;
    assert_eq!(before[0], "CreateSandbox 0");
    assert!(before.contains(&"Create m/0 in sandbox 0 ahead".to_owned()), "{before:?}");
    scene.runtime.exit(&p, "a", 0, 0).await;
    scene.runtime.until("Start m/0").await;
    let pod = scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;
    assert_eq!(text(&pod, &["status", "phase"]), "Running");
    assert_eq!(text(&pod, &["status", "podIP"]), "127.0.0.1");
    assert_eq!(pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
    assert_eq!(pod["status"]["observedGeneration"], 1);
    scene.node.stop().await;
}

#[tokio::test]
async fn why_tells_what_was_heard_and_done_and_is_waited_for() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "initContainers": [container("a")] }))).await;
    scene.runtime.until("Start a/0").await;
    scene.pod(&p, |pod| !pod["status"]["initContainerStatuses"][0]["state"]["running"].is_null()).await;
    let entries = scene.node.why("default", "p").await;
    let heard: Vec<&String> = entries.iter().flat_map(|entry| &entry.heard).collect();
    assert!(heard.iter().any(|text| *text == "a/0 started"), "{heard:?}");
    let done: Vec<&(String, String)> = entries.iter().flat_map(|entry| &entry.done).collect();
    assert!(done.contains(&&("Start a/0".to_owned(), "the sandbox is up".to_owned())), "{done:?}");
    let waits = &entries.last().unwrap().waits;
    assert_eq!(waits.iter().map(|wait| wait.reason).collect::<Vec<_>>(), ["InitRunning"]);
    assert!(scene.node.why("default", "nobody").await.is_empty());
    scene.node.stop().await;
}

#[tokio::test]
async fn pods_of_other_nodes_are_left_alone() {
    let mut scene = Scene::new();
    scene.create(pod("theirs", json!({ "nodeName": "node2" }))).await;
    scene.create(pod("ours", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    assert!(scene.node.why("default", "theirs").await.is_empty());
    scene.node.stop().await;
}

#[tokio::test]
async fn a_status_write_keeps_what_others_wrote_in_between() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    for number in 0..20 {
        scene.change(&key(&p), |pod| pod["metadata"]["labels"] = json!({ "n": number.to_string() })).await;
    }
    scene.runtime.until("Start m/0").await;
    let pod = scene.phase(&p, "Running").await;
    assert_eq!(text(&pod, &["metadata", "labels", "n"]), "19");
    scene.node.stop().await;
}

#[tokio::test]
async fn a_status_is_written_only_when_it_changed() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    let before = scene.phase(&p, "Running").await;
    // Something that concerns the pod and changes nothing about it.
    scene.change(&key(&p), |pod| pod["metadata"]["annotations"] = json!({ "note": "x" })).await;
    scene.node.why("default", "p").await;
    scene.node.stop().await;
    let after = scene.store.get(&key(&p)).unwrap();
    assert_eq!(before["status"], after.value["status"]);
}

#[tokio::test]
async fn con_6_a_readiness_gate_is_decided_from_what_others_write() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({ "readinessGates": [{ "conditionType": "example.com/www" }] }))).await;
    scene.runtime.until("Start m/0").await;
    let pod = scene.pod(&p, |pod| condition(pod, "ContainersReady") == "True").await;
    assert_eq!(condition(&pod, "Ready"), "False");
    scene
        .change(&key(&p), |pod| {
            let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
            conditions.push(json!({ "type": "example.com/www", "status": "True" }));
        })
        .await;
    let pod = scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;
    assert_eq!(condition(&pod, "example.com/www"), "True");
    scene.node.stop().await;
}

#[tokio::test]
async fn a_new_image_restarts_the_container() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", json!({}))).await;
    scene.runtime.until("Start m/0").await;
    scene
        .change(&key(&p), |pod| {
            pod["spec"]["containers"][0]["image"] = json!("m:2");
            pod["metadata"]["generation"] = json!(2);
        })
        .await;
    let before = scene.runtime.until("Pull m/1 m:2").await;
    assert_eq!(before.last().unwrap(), "Signal m/0 Stop");
    let pod = scene.pod(&p, |pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1).await;
    assert_eq!(pod["status"]["observedGeneration"], 2);
    scene.node.stop().await;
}

#[tokio::test]
async fn syn_1_a_pod_is_decided_about_by_one_worker_and_waits_for_no_other() {
    let mut scene = Scene::new();
    let slow = pod("slow", json!({ "initContainers": [container("a")] }));
    let slow = scene.create(slow).await;
    scene.runtime.until("Start a/0").await;
    // Whatever is said of a pod whose worker waits for its init, from wherever, nothing is asked twice.
    for number in 0..20 {
        scene.change(&key(&slow), |pod| pod["metadata"]["annotations"] = json!({ "n": number.to_string() })).await;
        assert!(!scene.node.why("default", "slow").await.is_empty());
    }
    // Another pod comes up meanwhile.
    let quick = scene.create(pod("quick", json!({}))).await;
    let before = scene.runtime.until("Start m/0").await;
    scene.phase(&quick, "Running").await;
    let of_slow: Vec<&String> = before.iter().filter(|asked| asked.contains("a/0")).collect();
    assert_eq!(of_slow, Vec::<&String>::new(), "{before:?}");
    scene.runtime.exit(&slow, "a", 0, 0).await;
    scene.phase(&slow, "Running").await;
    scene.node.stop().await;
}
