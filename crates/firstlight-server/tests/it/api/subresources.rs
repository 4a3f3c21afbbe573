//! What hangs below objects: status, scale, binding, eviction; and reviews.

use super::{Cluster, PODS, at, pod};
use serde_json::json;

#[tokio::test]
async fn status_changes_nothing_but_status() {
    let cluster = Cluster::start().await;
    let mut made = cluster.post(PODS, pod("web")).await.expect(201);
    let path = format!("{PODS}/web");
    made["status"]["phase"] = json!("Running");
    made["spec"]["nodeName"] = json!("elsewhere");
    made["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}]);
    let updated = cluster.put(&format!("{path}/status"), made).await.expect(200);
    assert_eq!((at(&updated, "/status/phase"), at(&updated, "/spec/nodeName")), ("Running", "here"));
    assert_eq!((updated["metadata"].get("ownerReferences"), &updated["metadata"]["generation"]), (None, &json!(1)));
    let patch = json!({"status": {"podIP": "10.0.0.1"}, "spec": {"nodeName": "elsewhere"}});
    let patched = cluster.patch(&format!("{path}/status"), "strategic-merge-patch", patch).await.expect(200);
    assert_eq!((at(&patched, "/status/podIP"), at(&patched, "/status/phase")), ("10.0.0.1", "Running"));
    assert_eq!(cluster.get(&format!("{path}/status")).await.expect(200), patched);
    let conditions = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let patched = cluster.patch(&format!("{path}/status"), "strategic-merge-patch", conditions).await.expect(200);
    assert_eq!(patched["status"]["conditions"].as_array().map(Vec::len), Some(2), "merged by type");
}

#[tokio::test]
async fn the_node_says_what_it_has_whatever_the_api_says() {
    let cluster = Cluster::start().await;
    let list = cluster.get("/api/v1/nodes/here/proxy/runningpods/").await.expect(200);
    assert_eq!((at(&list, "/kind"), list["items"].as_array().map(Vec::len)), ("PodList", Some(0)));
    assert_eq!(cluster.get("/api/v1/nodes/elsewhere/proxy/runningpods/").await.failure().0, 404);
}

#[tokio::test]
async fn val_25_a_container_that_ended_for_good_is_not_said_to_run() {
    let cluster = Cluster::start().await;
    let mut never = pod("web");
    never["spec"]["restartPolicy"] = json!("Never");
    cluster.post(PODS, never.clone()).await.expect(201);
    let path = format!("{PODS}/web/status");
    let name = at(&never, "/spec/containers/0/name");
    let says = |state: serde_json::Value| json!({"status": {"containerStatuses": [{"name": name, "state": state}]}});
    cluster.patch(&path, "merge-patch", says(json!({"terminated": {"exitCode": 1}}))).await.expect(200);
    let refused = cluster.patch(&path, "merge-patch", says(json!({"running": {}}))).await.failure();
    let words = "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state";
    assert_eq!((refused.0, refused.2.contains(words)), (422, true), "{}", refused.2);
}

#[tokio::test]
async fn a_set_is_scaled_through_its_scale() {
    let cluster = Cluster::start().await;
    let sets = "/apis/apps/v1/namespaces/default/statefulsets";
    let set = json!({
        "metadata": {"name": "s"},
        "spec": {
            "serviceName": "s", "replicas": 1, "selector": {"matchLabels": {"app": "s"}},
            "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    });
    cluster.post(sets, set).await.expect(201);
    let path = format!("{sets}/s/scale");
    let mut scale = cluster.get(&path).await.expect(200);
    assert_eq!((at(&scale, "/kind"), at(&scale, "/apiVersion")), ("Scale", "autoscaling/v1"));
    assert_eq!((&scale["spec"]["replicas"], at(&scale, "/status/selector")), (&json!(1), "app=s"));
    scale["spec"]["replicas"] = json!(4);
    let scaled = cluster.put(&path, scale.clone()).await.expect(200);
    assert_eq!((at(&scaled, "/kind"), &scaled["spec"]["replicas"]), ("Scale", &json!(4)));
    assert_eq!(cluster.put(&path, scale).await.failure().0, 409);
    let patched = cluster.patch(&path, "merge-patch", json!({"spec": {"replicas": 2}})).await.expect(200);
    assert_eq!(patched["spec"]["replicas"], 2);
    let set = cluster.get(&format!("{sets}/s")).await.expect(200);
    assert_eq!((&set["spec"]["replicas"], &set["metadata"]["generation"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let cluster = Cluster::start().await;
    let mut asked = pod("web");
    asked["spec"]["schedulerName"] = json!("mine");
    cluster.post(PODS, asked).await.expect(201);
    let path = format!("{PODS}/web/binding");
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web", "annotations": {"by": "me"}},
        "target": {"kind": "Node", "name": "there"},
    });
    let done = cluster.post(&path, binding.clone()).await.expect(201);
    assert_eq!(at(&done, "/status"), "Success");
    let bound = cluster.get(&format!("{PODS}/web")).await.expect(200);
    assert_eq!((at(&bound, "/spec/nodeName"), at(&bound, "/metadata/annotations/by")), ("there", "me"));
    let again = cluster.post(&path, binding).await.failure();
    assert_eq!((again.0, again.2.contains("already assigned to node \"there\"")), (409, true), "{}", again.2);
    let nowhere = json!({"target": {"kind": "Moon", "name": "x"}});
    assert_eq!(cluster.post(&path, nowhere).await.failure().0, 422);
}

#[tokio::test]
async fn pha_13_an_eviction_is_a_deletion_that_says_so() {
    let cluster = Cluster::start().await;
    cluster.post(PODS, pod("web")).await.expect(201);
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web", "namespace": "default"},
        "deleteOptions": {"gracePeriodSeconds": 5},
    });
    let done = cluster.post(&format!("{PODS}/web/eviction"), eviction.clone()).await.expect(201);
    assert_eq!(at(&done, "/status"), "Success");
    let leaving = cluster.get(&format!("{PODS}/web")).await.expect(200);
    assert_eq!(leaving["metadata"]["deletionGracePeriodSeconds"], 5);
    let conditions = leaving["status"]["conditions"].as_array().expect("conditions");
    let disrupted = conditions.iter().find(|condition| condition["type"] == "DisruptionTarget").expect("it is told");
    assert_eq!((at(disrupted, "/status"), at(disrupted, "/reason")), ("True", "EvictionByEvictionAPI"));
    assert_eq!(at(disrupted, "/message"), "Eviction API: evicting");
    assert_eq!(cluster.post(&format!("{PODS}/none/eviction"), eviction).await.failure().0, 400);
}

#[tokio::test]
async fn reviews_say_who_asks_and_that_they_may() {
    let cluster = Cluster::start().await;
    let who = cluster.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})).await.expect(201);
    assert_eq!(who["status"]["userInfo"]["username"], "admin");
    assert_eq!(who["status"]["userInfo"]["groups"], json!(["system:masters", "system:authenticated"]));
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let may = cluster.post(path, json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}})).await;
    assert_eq!(may.expect(201)["status"]["allowed"], true);
    assert_eq!(cluster.post(path, json!({"spec": {}})).await.failure().0, 422);
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let rules = cluster.post(path, json!({"spec": {"namespace": "default"}})).await.expect(201);
    assert_eq!(rules["status"]["resourceRules"][0]["verbs"], json!(["*"]));
}

#[tokio::test]
async fn streams_are_asked_of_pods_that_are_there() {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.get(&format!("{PODS}/none/log")).await.failure().2, "pods \"none\" not found");
    cluster.post(PODS, pod("web")).await.expect(201);
    let mut gated = pod("gated");
    gated["spec"]["schedulingGates"] = json!([{"name": "example.com/wait"}]);
    cluster.post(PODS, gated).await.expect(201);
    assert_eq!(cluster.get(&format!("{PODS}/gated/log")).await.code, 204, "nobody runs it, so it wrote nothing");
    for below in ["exec?command=x&stdout=true", "attach?stdout=true", "portforward?ports=80"] {
        let refused = cluster.get(&format!("{PODS}/gated/{below}")).await.failure();
        assert_eq!((refused.0, refused.2.as_str()), (400, "pod gated does not have a host assigned"), "{below}");
    }
    let refused = cluster.get(&format!("{PODS}/web/log")).await.failure();
    assert_eq!((refused.0, refused.2.as_str()), (400, "container \"main\" in pod \"web\" is not available"));
}

#[tokio::test]
async fn a_pod_gets_ephemeral_containers_through_their_subresource_alone() {
    let cluster = Cluster::start().await;
    let made = cluster.post(PODS, pod("web")).await.expect(201);
    let path = format!("{PODS}/web/ephemeralcontainers");
    let adds =
        |name: &str| json!({"spec": {"ephemeralContainers": [{"name": name, "image": "i"}], "nodeName": "elsewhere"}});
    let first = cluster.patch(&path, "strategic-merge-patch", adds("a")).await.expect(200);
    assert_eq!((at(&first, "/spec/ephemeralContainers/0/name"), at(&first, "/spec/nodeName")), ("a", "here"));
    assert_eq!(at(&first, "/spec/ephemeralContainers/0/imagePullPolicy"), "Always", "as containers are defaulted");
    let generation = |pod: &serde_json::Value| pod["metadata"]["generation"].as_i64();
    assert_eq!((generation(&made), generation(&first)), (Some(1), Some(2)));
    let second = cluster.patch(&path, "strategic-merge-patch", adds("b")).await.expect(200);
    assert_eq!(second["spec"]["ephemeralContainers"].as_array().map(Vec::len), Some(2), "merged by name");
    assert_eq!(cluster.get(&path).await.expect(200), second);
    let mut fewer = second.clone();
    fewer["spec"]["ephemeralContainers"] = json!([{"name": "b", "image": "i"}]);
    let refused = cluster.put(&path, fewer).await.failure();
    assert_eq!(refused.0, 422, "{}", refused.2);
    assert!(refused.2.contains("existing ephemeral containers \"a\" may not be removed"), "{}", refused.2);
    let mut more = second;
    more["spec"]["ephemeralContainers"].as_array_mut().expect("a list").push(json!({"name": "c", "image": "i"}));
    let refused = cluster.put(&format!("{PODS}/web"), more.clone()).await.failure();
    assert_eq!((refused.0, refused.2.contains("pod updates may not change")), (422, true), "{}", refused.2);
    let third = cluster.put(&path, more).await.expect(200);
    assert_eq!(at(&third, "/spec/ephemeralContainers/2/name"), "c");
}
