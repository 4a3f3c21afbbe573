//! What the API says about the node itself.

use crate::scene::{Scene, condition, until};
use firstlight_api::object::{Key, resources, text};

#[tokio::test]
async fn the_node_registers_itself_with_its_lease() {
    let scene = Scene::new();
    let key = Key::new(resources::NODES, "", "node1");
    let node = until(&scene.store, &key, |node| node.cloned()).await;
    assert_eq!(condition(&node, "Ready"), "True");
    assert_eq!(text(&node, &["metadata", "labels", "kubernetes.io/hostname"]), "node1");
    assert_eq!(node["status"]["addresses"][0]["address"], "10.88.0.1");
    assert_eq!(text(&node, &["status", "nodeInfo", "operatingSystem"]), "linux");
    let lease = Key::new(resources::LEASES, "kube-node-lease", "node1");
    let lease = until(&scene.store, &lease, |lease| lease.cloned()).await;
    assert_eq!(text(&lease, &["spec", "holderIdentity"]), "node1");
    scene.node.stop().await;
}

#[tokio::test]
async fn a_restart_keeps_the_nodes_identity_and_what_others_wrote() {
    let scene = Scene::new();
    let key = Key::new(resources::NODES, "", "node1");
    let first = until(&scene.store, &key, |node| node.cloned()).await;
    scene
        .change(&key, |node| {
            node["metadata"]["labels"]["disk"] = "fast".into();
            node["status"]["conditions"][3]["lastTransitionTime"] = "2020-01-01T00:00:00Z".into();
        })
        .await;
    let changed = scene.store.get(&key).unwrap().revision;
    let scene = scene.restarted(Vec::new()).await;
    let second = until(&scene.store, &key, |node| {
        let revision: u64 = text(node?, &["metadata", "resourceVersion"]).parse().ok()?;
        (revision > changed.0).then(|| node.cloned())?
    })
    .await;
    assert_eq!(first["metadata"]["uid"], second["metadata"]["uid"]);
    assert_eq!(text(&second, &["metadata", "labels", "disk"]), "fast");
    assert_eq!(condition(&second, "Ready"), "True");
    assert_eq!(second["status"]["conditions"][3]["lastTransitionTime"], "2020-01-01T00:00:00Z");
    scene.node.stop().await;
}
