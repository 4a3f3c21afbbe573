//! Claims: directories that outlive the pods that use them (VOL-11), seen through kubectl and from inside.

use crate::harness::{BUSYBOX, Engine, eventually};
use serde_json::{Value, json};

fn claim(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
           "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
}

fn pod(name: &str, read_only: bool, command: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
           "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                    "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data", "readOnly": read_only}}],
                    "containers": [{"name": "main", "image": BUSYBOX, "command": ["sh", "-c", command],
                                    "volumeMounts": [{"name": "v", "mountPath": "/data"}]}]}})
}

fn phase(engine: &Engine, pod: &str, phase: &str) {
    engine.kubectl(&[
        "wait",
        &format!("--for=jsonpath={{.status.phase}}={phase}"),
        "--timeout=60s",
        &format!("pod/{pod}"),
    ]);
}

#[test]
fn vol_11_a_pod_waits_for_its_claim_whose_data_stays_until_it_is_deleted_and_nobody_uses_it() {
    let mut engine = Engine::start();
    let directories = |engine: &Engine| {
        let listed = std::fs::read_dir(engine.data().join("runtime/claims"));
        listed.map_or(0, Iterator::count)
    };
    engine.apply(&pod("first", false, "echo kept > /data/file; sleep 1000"));
    let condition = "{.status.conditions[?(@.type=='PodScheduled')].reason} {.status.conditions[?(@.type=='PodScheduled')].message}";
    eventually("the pod says what it waits for", || {
        engine.field("pod first", condition)
            == "Unschedulable 0/1 nodes are available: persistentvolumeclaim \"data\" not found."
    });
    eventually("people are told", || engine.kubectl(&["get", "events"]).contains("FailedScheduling"));
    assert_eq!(engine.field("pod first", "{.status.phase}"), "Pending");

    engine.apply(&claim("data"));
    phase(&engine, "first", "Running");
    let columns = engine.kubectl(&["get", "pvc", "data", "--no-headers"]);
    let columns: Vec<&str> = columns.split_whitespace().collect();
    assert_eq!((columns[1], columns[3], columns[4]), ("Bound", "1Gi", "RWO"), "{columns:?}");
    engine.kubectl(&["delete", "pod", "first"]);

    engine.kill();
    engine.run();
    engine.apply(&pod("second", true, "cat /data/file; touch /data/new 2>/dev/null || echo not written"));
    phase(&engine, "second", "Succeeded");
    assert_eq!(engine.kubectl(&["logs", "second"]), "kept\nnot written\n");

    engine.apply(&pod("third", false, "sleep 1000"));
    phase(&engine, "third", "Running");
    engine.kubectl(&["delete", "pvc", "data", "--wait=false"]);
    let columns = engine.kubectl(&["get", "pvc", "data", "--no-headers"]);
    assert_eq!(columns.split_whitespace().nth(1), Some("Terminating"), "a pod uses it");
    assert_eq!(directories(&engine), 1);
    engine.kubectl(&["delete", "pod", "third"]);
    engine.kubectl(&["wait", "--for=delete", "--timeout=60s", "pvc/data"]);
    eventually("its directory goes", || directories(&engine) == 0);

    engine.apply(&claim("data"));
    engine.apply(&pod("fourth", false, "ls /data | wc -l"));
    phase(&engine, "fourth", "Succeeded");
    assert_eq!(engine.kubectl(&["logs", "fourth"]).trim(), "0", "another claim of the name begins empty");
}

#[test]
fn dln_4_a_pod_whose_directory_holds_too_much_is_evicted_and_says_so() {
    let engine = Engine::start();
    let write = "head -c 3000000 /dev/zero > /data/large; sleep 1000";
    let mut greedy = pod("greedy", false, write);
    greedy["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]);
    greedy["spec"]["restartPolicy"] = json!("Always");
    engine.apply(&greedy);
    phase(&engine, "greedy", "Failed");
    assert_eq!(engine.field("pod greedy", "{.status.reason}"), "Evicted");
    let message = "Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". ";
    assert_eq!(engine.field("pod greedy", "{.status.message}"), message);
    eventually("people are told", || engine.kubectl(&["get", "events"]).contains("exceeds the limit"));
}

#[test]
fn sts_2_each_pod_of_a_set_finds_its_own_data_again() {
    let engine = Engine::start();
    let labels = json!({"app": "db"});
    let write = "[ -e /data/name ] || hostname > /data/name; sleep 1000";
    engine.apply(&json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {"replicas": 2, "podManagementPolicy": "Parallel", "selector": {"matchLabels": labels},
                 "volumeClaimTemplates": [claim("data")],
                 "template": {"metadata": {"labels": labels},
                              "spec": {"terminationGracePeriodSeconds": 0,
                                       "containers": [{"name": "main", "image": BUSYBOX, "command": ["sh", "-c", write],
                                                       "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}}}}));
    engine.kubectl(&["rollout", "status", "statefulset/db", "--timeout=60s"]);
    assert_eq!(engine.kubectl(&["get", "pvc", "-o", "name"]).lines().count(), 2);
    let uid = engine.field("pod db-1", "{.metadata.uid}");
    engine.kubectl(&["delete", "pod", "db-1"]);
    eventually("it is made anew", || {
        engine.field("pod db-1 --ignore-not-found", "{.metadata.uid}") != uid && !uid.is_empty()
    });
    engine.kubectl(&["rollout", "status", "statefulset/db", "--timeout=60s"]);
    for pod in ["db-0", "db-1"] {
        assert_eq!(engine.kubectl(&["exec", pod, "--", "cat", "/data/name"]).trim(), pod);
    }
}
