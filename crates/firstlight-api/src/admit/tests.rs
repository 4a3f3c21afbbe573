use super::{create, next_generation, update};
use crate::object::{Resource, resources};
use crate::schema::Kind;
use serde_json::{Value, json};

fn kind(resource: Resource) -> &'static Kind {
    Kind::of(resource).unwrap()
}

fn class(init: Value, main: Value) -> String {
    let mut pod =
        json!({ "spec": { "initContainers": [{ "resources": init }], "containers": [{ "resources": main }] } });
    create(kind(resources::PODS), &mut pod);
    pod["status"]["qosClass"].as_str().unwrap().to_owned()
}

#[test]
fn def_4_a_pod_begins_pending_whatever_status_the_client_sent() {
    let mut pod =
        json!({ "metadata": { "generation": 7 }, "spec": {}, "status": { "phase": "Running", "podIP": "1.2.3.4" } });
    create(kind(resources::PODS), &mut pod);
    assert_eq!(pod["metadata"]["generation"], 1);
    assert_eq!(pod["status"], json!({ "phase": "Pending", "qosClass": "BestEffort" }));
    assert_eq!(pod["spec"]["serviceAccountName"], "default");
    assert_eq!(pod["spec"]["serviceAccount"], "default");
    assert_eq!(pod["spec"]["priority"], 0);
    assert!(pod["spec"].get("tolerations").is_none() && pod["spec"].get("volumes").is_none());
}

#[test]
fn res_6_every_container_counts() {
    let full = json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "1000m", "memory": "1Gi" } });
    let limits = json!({ "limits": { "cpu": "1", "memory": "1Gi" } });
    assert_eq!(class(full.clone(), full.clone()), "Guaranteed");
    assert_eq!(class(limits, full.clone()), "Guaranteed");
    assert_eq!(class(json!({}), full.clone()), "Burstable");
    assert_eq!(
        class(json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "1m" } }), full),
        "Burstable"
    );
    assert_eq!(class(json!({}), json!({ "requests": { "memory": "1" } })), "Burstable");
    assert_eq!(
        class(json!({}), json!({ "requests": { "ephemeral-storage": "1" }, "limits": { "cpu": "0" } })),
        "BestEffort"
    );
}

#[test]
fn def_4_a_generation_counts_changes_of_what_is_asked() {
    let old = json!({ "metadata": { "generation": 4, "labels": {} }, "spec": { "a": 1 }, "status": { "x": 1 } });
    let mut labelled =
        json!({ "metadata": { "generation": 9, "labels": { "l": "m" } }, "spec": { "a": 1 }, "status": { "x": 2 } });
    update(kind(resources::PODS), &old, &mut labelled);
    assert_eq!(
        labelled,
        json!({ "metadata": { "generation": 4, "labels": { "l": "m" } }, "spec": { "a": 1 }, "status": { "x": 1 } })
    );
    let mut changed = json!({ "metadata": {}, "spec": { "a": 2 } });
    update(kind(resources::STATEFULSETS), &old, &mut changed);
    assert_eq!(changed, json!({ "metadata": { "generation": 5 }, "spec": { "a": 2 }, "status": { "x": 1 } }));
    next_generation(&mut changed);
    assert_eq!(changed["metadata"]["generation"], 6);
}

#[test]
fn kinds_without_status_or_generation_are_left_alone() {
    let old = json!({ "data": { "a": "1" } });
    let mut new = json!({ "data": { "a": "2" }, "status": 3 });
    update(kind(resources::CONFIGMAPS), &old, &mut new);
    assert_eq!(new, json!({ "data": { "a": "2" }, "status": 3 }));
    create(kind(resources::CONFIGMAPS), &mut new);
    assert_eq!(new, json!({ "data": { "a": "2" }, "status": 3 }));
}
