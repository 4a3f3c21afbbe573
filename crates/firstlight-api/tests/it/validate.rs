//! What is refused, word for word (section 1.26).

use firstlight_api::object::{Resource, resources};
use firstlight_api::schema::Kind;
use firstlight_api::{admit, defaults, settle, validate};
use serde_json::{Value, json};

fn kind(resource: Resource) -> &'static Kind {
    Kind::of(resource).unwrap()
}

/// As the server does: default, admit, validate.
fn create(resource: Resource, mut object: Value) -> (Value, Vec<String>) {
    defaults::apply(kind(resource), &mut object);
    admit::create(kind(resource), &mut object);
    let errors = validate::create(kind(resource), &object);
    (object, errors.iter().map(ToString::to_string).collect())
}

fn created(resource: Resource, object: Value) -> Vec<String> {
    create(resource, object).1
}

fn updated(resource: Resource, old: &Value, mut new: Value) -> Vec<String> {
    defaults::apply(kind(resource), &mut new);
    admit::update(kind(resource), old, &mut new);
    validate::update(kind(resource), old, &new).iter().map(ToString::to_string).collect()
}

fn pod(spec: &Value) -> Value {
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "namespace": "n" },
        "spec": { "containers": [{ "name": "main", "image": "x:1" }] } });
    json_patch::merge(&mut pod["spec"], spec);
    pod
}

#[test]
fn pods_section_1_26() {
    let cases: Vec<Value> = serde_saphyr::from_str(include_str!("validate/pods.yaml")).unwrap();
    let rules: std::collections::BTreeSet<_> = cases
        .iter()
        .filter_map(|c| c["id"].as_str()?.split_whitespace().next())
        .flat_map(|ids| ids.split(','))
        .filter(|id| id.starts_with("VAL-"))
        .collect();
    assert_eq!(rules.len(), 24, "VAL-1 to VAL-24");
    let mut wrong = Vec::new();
    for case in &cases {
        let said = match case.get("old") {
            None => created(resources::PODS, pod(&case["spec"])),
            Some(old) => {
                let (old, none) = create(resources::PODS, pod(old));
                assert_eq!(none, Vec::<String>::new(), "{}: before the update", case["id"]);
                let mut new = old.clone();
                json_patch::merge(&mut new["spec"], &case["spec"]);
                updated(resources::PODS, &old, new)
            }
        };
        if json!(said) != case["says"] {
            wrong.push(format!("{}:\n{}", case["id"], said.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_pod_that_is_not_refused_can_be_settled() {
    let cases: Vec<Value> = serde_saphyr::from_str(include_str!("validate/pods.yaml")).unwrap();
    let accepted = cases.iter().filter(|case| case["says"] == json!([]));
    let mut count = 0;
    for case in accepted {
        let (pod, _) = create(resources::PODS, pod(&case["spec"]));
        assert!(settle::pod(&pod).is_ok(), "{}", case["id"]);
        count += 1;
    }
    assert!(count >= 3);
}

#[test]
fn val_25_and_sta_18_an_end_stays_an_end_unless_the_container_runs_again() {
    let pod = |spec: &Value, list: &str, state: Value| {
        let mut pod = pod(spec);
        pod["status"][list] = json!([{ "name": "other" }, { "name": "x", "state": state }]);
        pod
    };
    let refused = |spec: Value, list: &str, code: i64| {
        let old = pod(&spec, list, json!({ "terminated": { "exitCode": code } }));
        let again = validate::status_update(kind(resources::PODS), &old, &old);
        assert!(again.is_empty(), "what stays ended is no change");
        let new = pod(&spec, list, json!({ "running": {} }));
        let said: Vec<_> = validate::status_update(kind(resources::PODS), &old, &new);
        said.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (mains, inits) = ("containerStatuses", "initContainerStatuses");
    let main = |policy: &str, own: Value| json!({ "restartPolicy": policy, "containers": [merged(json!({ "name": "x" }), &own)] });
    let init = |policy: &str, own: Value| json!({ "restartPolicy": policy, "initContainers": [merged(json!({ "name": "x" }), &own)] });
    let rule = |action: &str, operator: &str| {
        json!({ "restartPolicy": "Never",
        "restartPolicyRules": [{ "action": action, "exitCodes": { "operator": operator, "values": [42] } }] })
    };
    for (spec, list, code, forbidden) in [
        (main("Always", json!({})), mains, 0, false),
        (main("OnFailure", json!({})), mains, 1, false),
        (main("OnFailure", json!({})), mains, 0, true),
        (main("Never", json!({})), mains, 1, true),
        (main("Never", json!({ "restartPolicy": "Always" })), mains, 0, false),
        (main("Always", json!({ "restartPolicy": "Never" })), mains, 1, true),
        (main("Never", rule("Restart", "In")), mains, 42, false),
        (main("Never", rule("Restart", "In")), mains, 1, true),
        (main("Never", rule("Restart", "NotIn")), mains, 0, false),
        (main("Never", rule("RestartAllContainers", "In")), mains, 1, false),
        (init("Never", json!({})), inits, 1, true),
        (init("Never", json!({ "restartPolicy": "Always" })), inits, 0, false),
        (main("Always", json!({})), "ephemeralContainerStatuses", 0, true),
    ] {
        let said = refused(spec.clone(), list, code);
        let words = format!("status.{list}[1].state: Forbidden: may not be transitioned to non-terminated state");
        assert_eq!(said, if forbidden { vec![words] } else { Vec::new() }, "{spec} {list} {code}");
    }
}

fn merged(mut to: Value, from: &Value) -> Value {
    json_patch::merge(&mut to, from);
    to
}

#[test]
fn metadata() {
    let with = |metadata: Value| created(resources::CONFIGMAPS, json!({ "metadata": metadata }));
    assert_eq!(with(json!({ "name": "a.b" })), Vec::<String>::new());
    assert_eq!(with(json!({ "generateName": "a-" })), Vec::<String>::new());
    let old = json!({ "name": "a", "generation": -1 });
    assert_eq!(with(old), ["metadata.generation: Invalid value: -1: must be greater than or equal to 0"]);
    assert_eq!(with(json!({ "name": "a", "generation": 0 })), Vec::<String>::new());
    assert_eq!(with(json!({})), ["metadata.name: Required value: name or generateName is required"]);
    assert!(
        with(json!({ "name": "A" }))[0]
            .starts_with("metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain")
    );
    assert!(with(json!({ "generateName": "A-" }))[0].starts_with("metadata.generateName: Invalid value: \"A-\""));
    let labels = with(json!({ "name": "a", "labels": { "a b": "x", "ok": "-" } }));
    assert!(labels[0].starts_with("metadata.labels: Invalid value: \"a b\": name part must consist of"));
    assert!(labels[1].starts_with("metadata.labels: Invalid value: \"-\": a valid label must be"));
    let big = "x".repeat(300_000);
    assert_eq!(
        with(json!({ "name": "a", "annotations": { "Upper.example/ok": "", "b": big } })),
        ["metadata.annotations: Too long: may not be more than 262144 bytes"]
    );
    let owner = json!({ "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": true });
    assert!(
        with(json!({ "name": "a", "ownerReferences": [owner, owner] }))[0]
            .contains("Only one reference can have Controller set to true")
    );
    assert_eq!(
        with(json!({ "name": "a", "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod", "name": "p" }] })),
        ["metadata.ownerReferences.uid: Invalid value: \"\": uid must not be empty"]
    );
}

#[test]
fn each_kind_has_its_names() {
    let refused = |resource: Resource, name: &str, body: Value| {
        let mut object = body;
        object["metadata"] = json!({ "name": name });
        created(resource, object).iter().any(|e| e.starts_with("metadata.name"))
    };
    let service = || json!({ "spec": { "clusterIP": "None" } });
    assert!(refused(resources::NAMESPACES, "a.b", json!({})));
    assert!(refused(resources::STATEFULSETS, "a.b", json!({})));
    assert!(refused(resources::SERVICES, "0a", service()));
    assert!(!refused(resources::SERVICES, "a0", service()));
    for resource in
        [resources::CONFIGMAPS, resources::SECRETS, resources::LEASES, resources::NODES, resources::SERVICEACCOUNTS]
    {
        assert!(!refused(resource, "0a.b-c", json!({})), "{resource:?}");
        assert!(refused(resource, "a_b", json!({})), "{resource:?}");
    }
}

#[test]
fn what_identifies_an_object_never_changes() {
    let old = json!({ "metadata": { "name": "a", "namespace": "n", "uid": "u", "creationTimestamp": "2026-11-20T12:00:00Z" } });
    let with = |metadata: Value| updated(resources::CONFIGMAPS, &old, json!({ "metadata": metadata }));
    assert_eq!(with(json!({ "name": "a" })), Vec::<String>::new());
    assert_eq!(with(json!({ "name": "a", "uid": "v" })), ["metadata.uid: Invalid value: \"v\": field is immutable"]);
    assert_eq!(
        with(json!({ "name": "a", "deletionTimestamp": "2026-11-20T12:00:00Z" })),
        ["metadata.deletionTimestamp: Invalid value: \"2026-11-20T12:00:00Z\": field is immutable"]
    );
}

#[test]
fn s13_config_maps_and_secrets() {
    let map = created(
        resources::CONFIGMAPS,
        json!({ "metadata": { "name": "a" }, "data": { "..": "", "a/b": "" }, "binaryData": { "b": "?" } }),
    );
    assert_eq!(map[0], "data[..]: Invalid value: \"..\": must not be '..'");
    assert!(map[1].starts_with("data[a/b]: Invalid value: \"a/b\": a valid config key must consist of"));
    assert_eq!(map[2], "binaryData[b]: Invalid value: \"<redacted>\": must be base64");
    let twice = json!({ "metadata": { "name": "a" }, "data": { "k": "" }, "binaryData": { "k": "" } });
    assert_eq!(
        created(resources::CONFIGMAPS, twice),
        ["data[k]: Invalid value: \"k\": duplicate of key present in binaryData"]
    );
    let big = json!({ "metadata": { "name": "a" }, "data": { "k": "x".repeat(1 << 20), "l": "x" } });
    assert_eq!(created(resources::CONFIGMAPS, big), ["data: Too long: may not be more than 1048576 bytes"]);

    let secret = |kind: &str, data: Value| {
        created(resources::SECRETS, json!({ "metadata": { "name": "a" }, "type": kind, "stringData": data }))
    };
    assert_eq!(secret("kubernetes.io/tls", json!({ "tls.crt": "" })), ["data[tls.key]: Required value"]);
    assert_eq!(secret("kubernetes.io/dockerconfigjson", json!({ ".dockerconfigjson": "{}" })), Vec::<String>::new());
    let broken = secret("kubernetes.io/dockerconfigjson", json!({ ".dockerconfigjson": "topsecret" }));
    assert!(
        broken[0].starts_with("data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\"")
            && !broken[0].contains("topsecret")
    );
    assert_eq!(secret("kubernetes.io/basic-auth", json!({})).len(), 2);
    assert_eq!(
        secret("kubernetes.io/service-account-token", json!({})),
        [
            "type: Forbidden: not honoured by Firstlight: service account tokens are not made here; put credentials into a Secret"
        ]
    );
}

#[test]
fn val_30_and_vol_8_immutable_config_maps_and_secrets() {
    let words = "Forbidden: field is immutable when `immutable` is set";
    let old = json!({ "metadata": { "name": "a" }, "immutable": true, "data": { "k": "dg==" }, "type": "Opaque" });
    for resource in [resources::CONFIGMAPS, resources::SECRETS] {
        let mut changed = old.clone();
        changed["data"]["k"] = json!("dw==");
        assert_eq!(updated(resource, &old, changed), [format!("data: {words}")]);
        let mut opened = old.clone();
        opened["immutable"] = json!(false);
        assert_eq!(updated(resource, &old, opened), [format!("immutable: {words}")]);
        let mut labelled = old.clone();
        labelled["metadata"]["labels"] = json!({ "a": "b" });
        assert_eq!(updated(resource, &old, labelled), Vec::<String>::new());
    }
    let other = json!({ "metadata": { "name": "a" }, "type": "x", "data": { "k": "dg==" } });
    let open = json!({ "metadata": { "name": "a" }, "type": "Opaque", "data": { "k": "dg==" } });
    assert_eq!(updated(resources::SECRETS, &open, other), ["type: Invalid value: \"x\": field is immutable"]);
}

#[test]
fn vol_11_claims_ask_for_room_and_are_bound_as_they_are_made() {
    let claim = |spec: Value| json!({ "metadata": { "name": "a", "uid": "u1" }, "spec": spec });
    let room = json!({ "requests": { "storage": "1Gi" } });
    let plain = claim(json!({ "accessModes": ["ReadWriteOnce"], "resources": room, "storageClassName": "fast" }));
    let (made, none) = create(resources::PERSISTENTVOLUMECLAIMS, plain);
    assert_eq!(none, Vec::<String>::new());
    assert_eq!(made["spec"]["volumeName"], "pvc-u1");
    assert_eq!(made["spec"]["volumeMode"], "Filesystem");
    assert_eq!(made["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    let bound = json!({ "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1Gi" } });
    assert_eq!(made["status"], bound);

    let refused = |spec: Value| created(resources::PERSISTENTVOLUMECLAIMS, claim(spec));
    assert_eq!(
        refused(json!({})),
        [
            "spec.accessModes: Required value: at least 1 access mode is required",
            "spec.resources[storage]: Required value"
        ]
    );
    let odd = json!({ "accessModes": ["Anything", "ReadWriteOncePod"], "volumeMode": "Block", "volumeName": "mine",
                      "resources": { "requests": { "storage": "0" } }, "dataSource": { "kind": "X", "name": "y" },
                      "selector": { "matchLabels": { "a": "b" } } });
    assert_eq!(
        refused(odd),
        [
            "spec.accessModes: Unsupported value: \"Anything\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\"",
            "spec.resources[storage]: Invalid value: \"0\": must be greater than zero",
            "spec.volumeName: Forbidden: not honoured by Firstlight: there are no PersistentVolumes to choose from: every claim gets a directory of its own; remove it",
            "spec.accessModes[0]: Forbidden: not honoured by Firstlight: pods are not kept from sharing a claim; use ReadWriteOnce",
            "spec.accessModes[1]: Forbidden: not honoured by Firstlight: pods are not kept from sharing a claim; use ReadWriteOnce",
            "spec.volumeMode: Forbidden: not honoured by Firstlight: block devices are not handed to containers; use Filesystem",
            "spec.selector: Forbidden: not honoured by Firstlight: there are no PersistentVolumes to select from; remove it",
            "spec.dataSource: Forbidden: not honoured by Firstlight: claims begin empty; fill it in an init container",
        ]
    );

    let with = |change: &dyn Fn(&mut Value)| {
        let mut new = made.clone();
        change(&mut new);
        updated(resources::PERSISTENTVOLUMECLAIMS, &made, new)
    };
    let none = Vec::<String>::new();
    assert_eq!(with(&|claim| claim["metadata"]["labels"] = json!({ "a": "b" })), none);
    assert_eq!(with(&|claim| claim["spec"]["resources"]["requests"]["storage"] = json!("2Gi")), none);
    assert_eq!(
        with(&|claim| claim["spec"]["resources"]["requests"]["storage"] = json!("1Mi")),
        ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]
    );
    assert_eq!(
        with(&|claim| claim["spec"]["accessModes"] = json!(["ReadWriteMany"])),
        [
            "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        ]
    );
}

#[test]
fn services() {
    let with = |spec: Value| created(resources::SERVICES, json!({ "metadata": { "name": "s" }, "spec": spec }));
    assert_eq!(
        with(json!({ "clusterIP": "None", "selector": { "a": "b" }, "ports": [{ "port": 80 }] })),
        Vec::<String>::new()
    );
    assert_eq!(with(json!({ "clusterIP": "None" })), Vec::<String>::new());
    assert_eq!(
        with(json!({ "ports": [{ "port": 80 }] })),
        [
            "spec.clusterIP: Forbidden: not honoured by Firstlight: set clusterIP: None: Firstlight serves headless Services for now, whose name resolves to the pods' addresses"
        ]
    );
    let external = with(json!({ "type": "ExternalName", "externalName": "example.com", "clusterIP": "None" }));
    assert_eq!(
        external.iter().map(|e| e.split(": ").next().unwrap()).collect::<Vec<_>>(),
        ["spec.type", "spec.externalName"]
    );
    let ports = with(json!({ "clusterIP": "None", "ports": [
        { "port": 80 }, { "port": 0, "name": "a" }, { "port": 1, "name": "a", "targetPort": 70000 }, { "port": 1, "name": "B", "protocol": "X", "nodePort": 5 } ] }));
    let fields: Vec<_> = ports.iter().map(|e| e.split(": ").next().unwrap()).collect();
    assert_eq!(
        fields,
        [
            "spec.ports[0].name",
            "spec.ports[1].port",
            "spec.ports[1].targetPort",
            "spec.ports[2].name",
            "spec.ports[2].targetPort",
            "spec.ports[3].name",
            "spec.ports[3].protocol",
            "spec.ports[3].nodePort"
        ]
    );
    assert_eq!(
        with(json!({ "clusterIP": "None", "ports": [{ "port": 1, "name": "a" }, { "port": 1, "name": "b" }] })),
        ["spec.ports[1]: Duplicate value: {\"port\":1,\"protocol\":\"TCP\"}"]
    );
}

#[test]
fn the_address_of_a_service_never_changes() {
    let service = |address: &str| json!({ "metadata": { "name": "s" }, "spec": { "clusterIP": address } });
    let words = "spec.clusterIP: Invalid value: \"10.0.0.1\": field is immutable";
    assert!(updated(resources::SERVICES, &service("None"), service("10.0.0.1")).contains(&words.to_owned()));
    assert_eq!(updated(resources::SERVICES, &service("None"), service("None")), Vec::<String>::new());
}

#[test]
fn a_rule_lists_255_exit_codes_at_most() {
    let with = |count: usize| {
        let rule = json!({ "action": "Restart", "exitCodes": { "operator": "In", "values": (1..=count).collect::<Vec<_>>() } });
        let main = json!({ "name": "main", "image": "x", "restartPolicy": "Never", "restartPolicyRules": [rule] });
        created(resources::PODS, pod(&json!({ "containers": [main] })))
    };
    assert_eq!(with(255), Vec::<String>::new());
    assert_eq!(with(256).len(), 1, "{:?}", with(256));
}

fn set(spec: &Value) -> Value {
    let mut set = json!({ "metadata": { "name": "s" }, "spec": {
        "serviceName": "svc", "selector": { "matchLabels": { "a": "b" } },
        "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "main", "image": "x:1" }] } } } });
    json_patch::merge(&mut set["spec"], spec);
    set
}

#[test]
fn sts_13_stateful_sets() {
    let with = |spec: Value| created(resources::STATEFULSETS, set(&spec));
    assert_eq!(with(json!({})), Vec::<String>::new());
    assert_eq!(with(json!({ "selector": null })), ["spec.selector: Required value"]);
    assert_eq!(
        with(json!({ "selector": { "matchLabels": { "a": "c" } } })),
        ["spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`"]
    );
    assert_eq!(
        with(json!({ "template": { "spec": { "restartPolicy": "Never" } } })),
        ["spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""],
        "STS-13"
    );
    assert_eq!(
        with(
            json!({ "podManagementPolicy": "X", "updateStrategy": { "type": "OnDelete", "rollingUpdate": { "partition": 1 } }, "replicas": -1 })
        ),
        [
            "spec.podManagementPolicy: Invalid value: \"X\": must be 'OrderedReady' or 'Parallel'",
            "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: only allowed for updateStrategy 'RollingUpdate'",
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ]
    );
    let claim = json!({ "metadata": { "name": "d" }, "spec": { "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": "1Gi" } } } });
    let mounts =
        json!({ "containers": [{ "name": "m", "image": "x", "volumeMounts": [{ "name": "d", "mountPath": "/d" }] }] });
    let set = json!({ "volumeClaimTemplates": [claim], "template": { "spec": mounts } });
    assert_eq!(with(set), Vec::<String>::new(), "STS-2: a claim is a volume of the pod");
    let claims = with(json!({ "volumeClaimTemplates": [{ "metadata": { "name": "d" } }],
        "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Never" },
        "template": { "spec": { "hostPID": true } } }));
    assert_eq!(
        claims,
        [
            "spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required",
            "spec.volumeClaimTemplates[0].spec.resources[storage]: Required value",
            "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: \"Never\": supported values: \"Delete\", \"Retain\"",
            "spec.template.spec.hostPID: Forbidden: not honoured by Firstlight: a pod sees its own processes only; remove it",
        ]
    );
    let expressions = json!({ "selector": { "matchExpressions": [{ "key": "a", "operator": "In" }, { "key": "a", "operator": "Exists", "values": ["b"] }, { "key": "a", "operator": "Like" }] } });
    let said = with(expressions);
    assert_eq!(
        said[0],
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
    );
    assert_eq!(
        said[1],
        "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
    );
    assert_eq!(
        said[2],
        "spec.selector.matchExpressions[2].operator: Invalid value: \"Like\": not a valid selector operator"
    );
}

#[test]
fn sts_12_what_of_a_stateful_set_may_change() {
    let (old, _) = create(resources::STATEFULSETS, set(&json!({})));
    let with = |spec: Value| {
        let mut new = old.clone();
        json_patch::merge(&mut new["spec"], &spec);
        updated(resources::STATEFULSETS, &old, new)
    };
    let free = json!({ "replicas": 5, "ordinals": { "start": 1 }, "minReadySeconds": 3, "revisionHistoryLimit": 1,
        "updateStrategy": { "rollingUpdate": { "partition": 2 } }, "persistentVolumeClaimRetentionPolicy": { "whenScaled": "Delete" },
        "template": { "metadata": { "annotations": { "x": "y" } }, "spec": { "containers": [{ "name": "main", "image": "x:2" }] } } });
    assert_eq!(with(free), Vec::<String>::new());
    let forbidden = "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
    assert_eq!(with(json!({ "serviceName": "other" })), [forbidden]);
    assert_eq!(with(json!({ "podManagementPolicy": "Parallel" })), [forbidden]);
}

#[test]
fn endpoint_slices_leases_events_revisions() {
    let named = |mut object: Value| {
        object["metadata"] = json!({ "name": "a", "namespace": "n" });
        object
    };
    let slice = |body: Value| created(resources::ENDPOINTSLICES, named(body));
    assert_eq!(
        slice(
            json!({ "addressType": "IPv4", "endpoints": [{ "addresses": ["10.0.0.1"], "hostname": "a-0" }], "ports": [{ "port": 1 }] })
        ),
        Vec::<String>::new()
    );
    assert_eq!(slice(json!({})), ["addressType: Required value"]);
    assert_eq!(
        slice(
            json!({ "addressType": "IPv4", "endpoints": [{ "addresses": ["::1"] }, { "addresses": [] }], "ports": [{ "name": "a" }, { "name": "a" }] })
        ),
        [
            "endpoints[0].addresses[0]: Invalid value: \"::1\": must be a valid IPv4 address",
            "endpoints[1].addresses: Required value: must contain at least 1 address",
            "ports[1].name: Duplicate value: \"a\"",
        ]
    );
    let old = named(json!({ "addressType": "IPv4" }));
    assert_eq!(
        updated(resources::ENDPOINTSLICES, &old, named(json!({ "addressType": "IPv6" }))),
        ["addressType: Invalid value: \"IPv6\": field is immutable"]
    );

    let lease =
        created(resources::LEASES, named(json!({ "spec": { "leaseDurationSeconds": 0, "leaseTransitions": -1 } })));
    assert_eq!(
        lease,
        [
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
            "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"
        ]
    );

    let event = |about: &str| created(resources::EVENTS, named(json!({ "involvedObject": { "namespace": about } })));
    assert_eq!(event("n"), Vec::<String>::new());
    assert_eq!(event("m"), ["involvedObject.namespace: Invalid value: \"m\": does not match event.namespace"]);

    let revision = named(json!({ "data": { "a": 1 }, "revision": 1 }));
    assert_eq!(created(resources::CONTROLLERREVISIONS, named(json!({ "revision": -1 }))).len(), 2);
    assert_eq!(
        updated(resources::CONTROLLERREVISIONS, &revision, named(json!({ "data": { "a": 2 }, "revision": 1 }))),
        ["data: Invalid value: {\"a\":2}: field is immutable"]
    );

    let account = created(resources::SERVICEACCOUNTS, named(json!({ "imagePullSecrets": [{ "name": "s" }] })));
    assert_eq!(
        account,
        [
            "imagePullSecrets: Forbidden: not honoured by Firstlight: accounts do not pass credentials on yet; name them in the pod"
        ]
    );
}

/// What is said when the pod of these ephemeral containers is given others.
fn looked_into(old: Value, new: Value) -> Vec<String> {
    let (mut before, none) = create(resources::PODS, pod(&json!({})));
    assert_eq!(none, Vec::<String>::new());
    before["spec"]["ephemeralContainers"] = old;
    defaults::apply(kind(resources::PODS), &mut before);
    let mut after = before.clone();
    after["spec"]["ephemeralContainers"] = new;
    defaults::apply(kind(resources::PODS), &mut after);
    validate::ephemeral_update(kind(resources::PODS), &before, &after).iter().map(ToString::to_string).collect()
}

#[test]
fn ephemeral_containers_are_added_and_stay_as_they_are() {
    let one = |name: &str, image: &str| json!({ "name": name, "image": image, "targetContainerName": "main" });
    assert_eq!(looked_into(json!([]), json!([one("a", "x"), one("b", "x")])), Vec::<String>::new());
    assert_eq!(looked_into(json!([one("a", "x")]), json!([one("b", "x"), one("a", "x")])), Vec::<String>::new());
    let gone = "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"a\" may not be removed";
    assert_eq!(looked_into(json!([one("a", "x")]), json!([one("b", "x")])), [gone]);
    let other = "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"a\" may not be changed";
    assert_eq!(looked_into(json!([one("a", "x")]), json!([one("a", "y")])), [other]);
}

#[test]
fn res_8_an_ephemeral_container_takes_nothing_of_the_pod_and_is_nobodys_concern() {
    let says = |more: Value| {
        let mut container = json!({ "name": "a", "image": "x" });
        json_patch::merge(&mut container, &more);
        looked_into(json!([]), json!([container]))
    };
    let forbidden = |field: &str| {
        format!("spec.ephemeralContainers[0].{field}: Forbidden: cannot be set for an Ephemeral Container")
    };
    for (more, field) in [
        (json!({ "resources": { "limits": { "cpu": "1" } } }), "resources"),
        (json!({ "ports": [{ "containerPort": 80 }] }), "ports"),
        (json!({ "livenessProbe": { "tcpSocket": { "port": 80 } } }), "livenessProbe"),
        (json!({ "readinessProbe": { "tcpSocket": { "port": 80 } } }), "readinessProbe"),
        (json!({ "startupProbe": { "tcpSocket": { "port": 80 } } }), "startupProbe"),
        (json!({ "lifecycle": { "preStop": { "exec": { "command": ["x"] } } } }), "lifecycle"),
        (json!({ "restartPolicy": "Always" }), "restartPolicy"),
        (json!({ "resizePolicy": [{ "resourceName": "cpu", "restartPolicy": "NotRequired" }] }), "resizePolicy"),
    ] {
        assert_eq!(says(more), [forbidden(field)]);
    }
    assert_eq!(
        says(json!({ "targetContainerName": "nobody" })),
        ["spec.ephemeralContainers[0].targetContainerName: Not found: \"nobody\""]
    );
    assert_eq!(says(json!({ "name": "main" })), ["spec.ephemeralContainers[0].name: Duplicate value: \"main\""]);
    let (mut pod, _) = create(resources::PODS, pod(&json!({})));
    pod["spec"]["ephemeralContainers"] = json!([{ "name": "a", "image": "x", "targetContainerName": "main" }]);
    let settled = settle::pod(&pod).unwrap();
    assert_eq!(settled.ephemerals[0].target.as_deref(), Some("main"));
    assert_eq!(settled.ephemerals[0].container.resources, firstlight_pod::spec::Resources::default());
}
