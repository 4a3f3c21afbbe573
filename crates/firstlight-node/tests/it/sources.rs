//! ConfigMaps and Secrets reach the pods that name them, and nobody else.

use crate::scene::{Scene, container, create, pod};
use firstlight_api::object::{Key, resources, text};
use firstlight_pod::Do;
use firstlight_pod::action::VolumeContent;
use serde_json::{Value, json};

fn with_env(kind: &str) -> Value {
    let mut main = container("m");
    main["env"] = json!([{ "name": "WORD", "valueFrom": { kind: { "name": "c", "key": "k" } } }]);
    json!({ "containers": [main] })
}

fn secret(word: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "c", "namespace": "default" },
            "data": { "k": word } })
}

#[tokio::test]
async fn env_7_a_container_starts_as_soon_as_its_secret_exists_and_why_does_not_tell_it() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", with_env("secretKeyRef"))).await;
    let pod = scene
        .pod(&p, |pod| {
            let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
            text(waiting, &["reason"]) == "CreateContainerConfigError"
        })
        .await;
    let message = &pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"];
    assert_eq!(message, "secret \"c\" not found");
    create(&scene.store, resources::SECRETS, secret("aHVudGVyMg==")).await;
    let Do::Create { launch, .. } = scene.runtime.asked("Create m/0 in sandbox 0").await else { panic!() };
    assert_eq!(launch.env, [("WORD".to_owned(), "hunter2".to_owned())]);
    scene.phase(&p, "Running").await;
    let told = format!("{:?}", scene.node.why("default", "p").await);
    assert!(told.contains("secret c has 1 keys"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    scene.node.stop().await;
}

#[tokio::test]
async fn vol_6_and_7_a_changed_config_map_is_swapped_into_the_running_pod_and_no_variable_changes() {
    let mut scene = Scene::new();
    let map = |word: &str| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c", "namespace": "default" },
                "data": { "k": word } })
    };
    create(&scene.store, resources::CONFIGMAPS, map("one")).await;
    let mut main = container("m");
    main["volumeMounts"] = json!([{ "name": "v", "mountPath": "/c" }]);
    main["env"] = json!([{ "name": "WORD", "valueFrom": { "configMapKeyRef": { "name": "c", "key": "k" } } }]);
    let volume = json!({ "name": "v", "configMap": { "name": "c", "defaultMode": 420 } });
    let p = scene.create(pod("p", json!({ "containers": [main], "volumes": [volume] }))).await;
    scene.runtime.until("Start m/0").await;
    scene.phase(&p, "Running").await;
    let key = Key::new(resources::CONFIGMAPS, "default", "c");
    scene.change(&key, |object| *object = map("two")).await;
    let Do::PrepareVolumes { volumes, .. } = scene.runtime.asked("PrepareVolumes v").await else { panic!() };
    let VolumeContent::Files { files, .. } = &volumes[0].content else { panic!() };
    assert_eq!((files[0].path.as_str(), files[0].data.as_slice()), ("k", b"two".as_slice()));
    scene.delete(&p).await;
    let until_its_end = scene.runtime.until("Signal m/0 Stop").await;
    assert_eq!(until_its_end, [] as [&str; 0], "the container goes on as it is");
    scene.node.stop().await;
}

#[tokio::test]
async fn sources_of_another_namespace_are_not_ours() {
    let mut scene = Scene::new();
    let p = scene.create(pod("p", with_env("secretKeyRef"))).await;
    scene
        .pod(&p, |pod| {
            let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
            text(waiting, &["message"]) == "secret \"c\" not found"
        })
        .await;
    let mut elsewhere = secret("dGhlaXJz");
    elsewhere["metadata"]["namespace"] = json!("other");
    create(&scene.store, resources::SECRETS, elsewhere).await;
    create(&scene.store, resources::SECRETS, secret("b3Vycw==")).await;
    let Do::Create { launch, .. } = scene.runtime.asked("Create m/0 in sandbox 0").await else { panic!() };
    assert_eq!(launch.env, [("WORD".to_owned(), "ours".to_owned())]);
    scene.node.stop().await;
}
