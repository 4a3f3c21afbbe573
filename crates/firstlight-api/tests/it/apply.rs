//! Server-side apply: what Kubernetes' own field manager answered (`tests/oracle`), what its documentation promises, and
//! the laws that hold for every object.

use firstlight_api::fields;
use firstlight_api::object::resources;
use firstlight_api::patch::{Writer, apply, track};
use firstlight_api::schema::Kind;
use firstlight_api::status_error::StatusError;
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: &str = "2026-01-01T00:00:00Z";

fn kind(resource: firstlight_api::object::Resource) -> &'static Kind {
    Kind::of(resource).expect("served")
}

fn writer(manager: &str) -> Writer<'_> {
    Writer { manager, subresource: "", now: NOW }
}

/// Without times, in an order that does not depend on them.
fn timeless(mut object: Value) -> Value {
    if let Some(entries) = object.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut) {
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove("time");
        }
        entries.sort_by_key(Value::to_string);
    }
    object
}

#[test]
fn every_recorded_answer_of_kubernetes_is_ours() {
    let pods = kind(resources::PODS);
    let cases = include_str!("../oracle/apply/cases.jsonl");
    for (line, case) in cases.lines().enumerate() {
        let case: Value = serde_json::from_str(case).expect("a case");
        let live = Some(&case["live"]).filter(|live| !live.is_null());
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let writer = Writer { manager: text("manager"), subresource: text("subresource"), now: NOW };
        let ours = match text("op") {
            "apply" => apply(pods, live, &case["sent"], writer, case["force"] == true),
            _ => {
                let mut new = case["sent"].clone();
                track(pods, live, &mut new, writer);
                Ok(new)
            }
        };
        match (ours, case.get("result"), case["conflict"].as_str()) {
            (Ok(mut ours), Some(theirs), None) => {
                fields::canonical(pods.ty, &mut ours);
                assert_eq!(timeless(ours), timeless(theirs.clone()), "case {}", line + 1);
            }
            // Managers come in the order of the entries here, in that of their identities there.
            (Err(ours), None, Some(theirs)) => {
                assert_eq!(lines(&ours.message), lines(theirs), "case {}", line + 1);
                assert_eq!((ours.code, ours.reason), (409, "Conflict"));
            }
            (ours, _, _) => panic!("case {}: {ours:?}", line + 1),
        }
    }
}

#[test]
fn what_the_configuration_names_keeps_its_order_and_what_others_added_stays_after_what_it_stood_after() {
    let pods = kind(resources::PODS);
    let pod = |names: &[&str]| {
        let containers: Vec<Value> = names.iter().map(|name| json!({"name": name, "image": "x"})).collect();
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
               "spec": {"containers": containers}})
    };
    let first = apply(pods, None, &pod(&["a"]), writer("kubectl"), false).expect("applied");
    let second = apply(pods, Some(&first), &pod(&["x"]), writer("other"), false).expect("applied");
    let third = apply(pods, Some(&second), &pod(&["b", "a"]), writer("kubectl"), false).expect("applied");
    let names = third["spec"]["containers"].as_array().expect("containers").iter().map(|c| c["name"].as_str());
    assert_eq!(names.collect::<Vec<_>>(), [Some("b"), Some("a"), Some("x")]);
}

fn lines(message: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        message.replacen(": conflicts", ":\nconflicts", 1).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The walk-through of <https://kubernetes.io/docs/reference/using-api/server-side-apply/>.
#[test]
fn a_config_map_is_applied_changed_by_a_controller_and_applied_again() {
    let maps = kind(resources::CONFIGMAPS);
    let config = |value: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "test-cm", "namespace": "default", "labels": {"test-label": "test"}}, "data": {"key": value}})
    };
    let first = apply(maps, None, &config("some value"), writer("kubectl"), false).expect("applied");
    assert_eq!(
        first["metadata"]["managedFields"],
        json!([{"manager": "kubectl", "operation": "Apply", "apiVersion": "v1", "time": NOW, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:test-label": {}}}, "f:data": {"f:key": {}}}}])
    );

    let mut second = first.clone();
    second["data"]["key"] = "new value".into();
    track(maps, Some(&first), &mut second, writer("kube-controller-manager"));
    let entries = second["metadata"]["managedFields"].as_array().expect("entries");
    assert_eq!(entries[0]["fieldsV1"], json!({"f:metadata": {"f:labels": {"f:test-label": {}}}}));
    assert_eq!(entries[1]["manager"], "kube-controller-manager");
    assert_eq!(entries[1]["fieldsV1"], json!({"f:data": {"f:key": {}}}));

    let error = apply(maps, Some(&second), &config("yet another"), writer("kubectl"), false).expect_err("a conflict");
    assert_eq!(
        error.message,
        "Apply failed with 1 conflict: conflict with \"kube-controller-manager\" using v1: .data.key"
    );
    assert_eq!(
        error.to_value()["details"],
        json!({"causes": [{"reason": "FieldManagerConflict", "field": ".data.key",
            "message": "conflict with \"kube-controller-manager\" using v1"}]})
    );

    let forced = apply(maps, Some(&second), &config("yet another"), writer("kubectl"), true).expect("forced");
    assert_eq!(forced["data"]["key"], "yet another");
    assert_eq!(forced["metadata"]["managedFields"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_no_longer_applied_goes_unless_somebody_else_owns_it() {
    let maps = kind(resources::CONFIGMAPS);
    let config =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data});
    let one = apply(maps, None, &config(json!({"a": "1", "b": "1", "c": "1"})), writer("x"), false).expect("applied");
    let two = apply(maps, Some(&one), &config(json!({"b": "1"})), writer("y"), false).expect("the same value, shared");
    let three = apply(maps, Some(&two), &config(json!({"a": "1"})), writer("x"), false).expect("applied");
    assert_eq!(three["data"], json!({"a": "1", "b": "1"}), "c was x's alone, b is y's too");
}

#[test]
fn service_ports_keep_their_order_and_those_of_others() {
    let services = kind(resources::SERVICES);
    let config = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}});
    let one = config(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]));
    let one = apply(services, None, &one, writer("x"), false).expect("applied");
    let two = config(json!([{"port": 82, "name": "c"}, {"port": 81, "protocol": "TCP", "targetPort": 8081}]));
    let two = apply(services, Some(&one), &two, writer("y"), false).expect("the default of protocol is the same port");
    assert_eq!(
        two["spec"]["ports"],
        json!([{"port": 80, "name": "a"}, {"port": 82, "name": "c"},
            {"port": 81, "name": "b", "protocol": "TCP", "targetPort": 8081}])
    );
}

#[test]
fn status_is_owned_through_its_subresource_only() {
    let pods = kind(resources::PODS);
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u"},
        "spec": {"containers": [{"name": "a"}]}, "status": {"phase": "Pending"}});
    track(pods, None, &mut pod, writer("kubectl"));
    assert_eq!(pod.pointer("/metadata/managedFields/0/fieldsV1/f:status"), None);
    let mut running = pod.clone();
    running["status"]["phase"] = "Running".into();
    track(pods, Some(&pod), &mut running, Writer { subresource: "status", ..writer("node") });
    let entry = &running["metadata"]["managedFields"][1];
    assert_eq!((&entry["subresource"], &entry["manager"]), (&json!("status"), &json!("node")));
    assert_eq!(entry["fieldsV1"], json!({"f:status": {"f:phase": {}}}));
}

#[test]
fn managers_are_forgotten_on_request_and_kept_from_clients_that_drop_them() {
    let maps = kind(resources::CONFIGMAPS);
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}});
    let live = apply(maps, None, &config, writer("x"), false).expect("applied");
    let mut dropped = live.clone();
    dropped["metadata"]["managedFields"] = Value::Null;
    track(maps, Some(&live), &mut dropped, writer("y"));
    assert_eq!(dropped["metadata"]["managedFields"], live["metadata"]["managedFields"]);
    for forget in [json!([]), json!([{}])] {
        let mut reset = live.clone();
        reset["metadata"]["managedFields"] = forget;
        track(maps, Some(&live), &mut reset, writer("y"));
        assert_eq!(reset["metadata"].get("managedFields"), None);
    }
}

#[test]
fn the_oldest_of_more_than_ten_updates_are_joined() {
    let maps = kind(resources::CONFIGMAPS);
    let mut live =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "uid": "u"}, "data": {"k0": "v"}});
    track(maps, None, &mut live, writer("m0"));
    for n in 1..13 {
        let mut next = live.clone();
        next["data"][format!("k{n}")] = "v".into();
        let (manager, now) = (format!("m{n}"), format!("2026-01-01T00:00:{n:02}Z"));
        track(maps, Some(&live), &mut next, Writer { manager: &manager, subresource: "", now: &now });
        live = next;
    }
    let entries = live["metadata"]["managedFields"].as_array().expect("entries");
    assert_eq!(entries.len(), 10);
    assert_eq!(entries[0]["manager"], "ancient-changes");
    assert_eq!(entries[0]["fieldsV1"]["f:data"].as_object().map(serde_json::Map::len), Some(5), "`.` and four keys");
}

#[test]
fn a_configuration_that_does_not_fit_is_refused_with_its_path() {
    let pods = kind(resources::PODS);
    let cases = [
        (
            json!({"apiVersion": "v2", "kind": "Pod"}),
            "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"managedFields": []}}),
            "metadata.managedFields must be nil",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "d"}, "spec": {"foo": 1}}),
            "failed to create typed patch object (d/p; v1, Kind=Pod): .spec.foo: field not declared in schema",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a"}, {"name": "a"}]}}),
            "failed to create typed patch object (/; v1, Kind=Pod): .spec.containers: duplicate entries for key [name=\"a\"]",
        ),
    ];
    for (config, why) in cases {
        let error: StatusError = apply(pods, None, &config, writer("x"), false).expect_err(why);
        assert_eq!((error.code, error.message.as_str()), (400, why));
    }
    let accounts = kind(resources::SERVICEACCOUNTS);
    let nameless = json!({"apiVersion": "v1", "kind": "ServiceAccount", "secrets": [{"kind": "Secret"}]});
    let error = apply(accounts, None, &nameless, writer("x"), false).expect_err("refused");
    assert!(error.message.ends_with("an element that omits all key fields [\"name\"]"), "{error}");
}

/// A configuration of a ConfigMap with some of six keys.
fn config() -> impl Strategy<Value = Value> {
    let data = prop::collection::btree_map("[a-f]", "[x-z]", 0..6);
    let labels = prop::collection::btree_map("[a-c]", "[x-z]", 0..3);
    (data, labels).prop_map(|(data, labels)| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "labels": labels}, "data": data})
    })
}

proptest! {
    #[test]
    fn what_is_applied_is_there_and_applying_it_again_changes_nothing(first in config(), second in config()) {
        let maps = kind(resources::CONFIGMAPS);
        let one = apply(maps, None, &first, writer("x"), false).expect("the first");
        let two = apply(maps, Some(&one), &second, writer("y"), true).expect("forced");
        for (key, value) in second["data"].as_object().expect("data") {
            prop_assert_eq!(&two["data"][key], value);
        }
        let later = Writer { now: "2027-01-01T00:00:00Z", ..writer("y") };
        prop_assert_eq!(apply(maps, Some(&two), &second, later, false), Ok(two));
    }

    #[test]
    fn without_conflict_or_force_nobody_loses_a_field(first in config(), second in config()) {
        let maps = kind(resources::CONFIGMAPS);
        let one = apply(maps, None, &first, writer("x"), false).expect("the first");
        if let Ok(two) = apply(maps, Some(&one), &second, writer("y"), false) {
            for (key, value) in first["data"].as_object().expect("data") {
                prop_assert_eq!(&two["data"][key], value);
            }
            // And taking everything back leaves what was there before.
            let nothing = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}});
            let three = apply(maps, Some(&two), &nothing, writer("y"), false).expect("taken back");
            prop_assert_eq!(three["data"].as_object().cloned().unwrap_or_default(),
                one["data"].as_object().cloned().unwrap_or_default());
        }
    }
}
