use super::apply;
use crate::object::{Resource, resources};
use crate::schema::Kind;
use serde_json::{Value, json};

fn defaulted(resource: Resource, mut object: Value) -> Value {
    let kind = Kind::of(resource).unwrap();
    apply(kind, &mut object);
    let once = object.clone();
    apply(kind, &mut object);
    assert_eq!(object, once, "filling in twice changes nothing");
    object
}

fn pod(spec: Value) -> Value {
    defaulted(resources::PODS, json!({ "metadata": { "name": "p" }, "spec": spec }))["spec"].clone()
}

#[test]
fn def_1_and_2_of_a_bare_pod() {
    assert_eq!(
        pod(json!({ "containers": [{ "name": "a", "image": "x:1", "ports": [{ "containerPort": 1 }] }] })),
        json!({
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30,
            "schedulerName": "default-scheduler", "enableServiceLinks": true, "securityContext": {},
            "containers": [{
                "name": "a", "image": "x:1", "imagePullPolicy": "IfNotPresent", "resources": {},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "ports": [{ "containerPort": 1, "protocol": "TCP" }] }] })
    );
}

#[test]
fn what_is_given_stays() {
    let given = json!({
        "restartPolicy": "Never", "dnsPolicy": "None", "terminationGracePeriodSeconds": 0, "schedulerName": "s",
        "enableServiceLinks": false, "securityContext": { "runAsUser": 0 }, "serviceAccountName": "x", "serviceAccount": "x",
        "containers": [{ "name": "a", "image": "x", "imagePullPolicy": "Never", "resources": {},
            "terminationMessagePath": "/t", "terminationMessagePolicy": "FallbackToLogsOnError" }] });
    assert_eq!(pod(given.clone()), given);
}

#[test]
fn img_1_the_tag_decides_the_pull_policy() {
    for (image, policy) in [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/nginx:1", "IfNotPresent"),
        ("nginx:1.27", "IfNotPresent"),
        ("nginx@sha256:00", "IfNotPresent"),
        ("nginx:latest@sha256:00", "Always"),
        ("nginx:1@sha256:00", "IfNotPresent"),
    ] {
        let spec = pod(json!({ "initContainers": [{ "image": image }], "containers": [{ "image": image }] }));
        assert_eq!(spec["containers"][0]["imagePullPolicy"], policy, "{image}");
        assert_eq!(spec["initContainers"][0]["imagePullPolicy"], policy, "{image}");
    }
}

#[test]
fn prb_1_probes_and_hooks() {
    let spec = pod(json!({ "containers": [{ "image": "x:1",
        "livenessProbe": { "exec": {} }, "startupProbe": { "grpc": { "port": 1 } },
        "readinessProbe": { "httpGet": { "port": 1 }, "periodSeconds": 5 },
        "lifecycle": { "preStop": { "httpGet": { "port": 1, "scheme": "HTTPS" } } } }] }));
    let main = &spec["containers"][0];
    let (timing, fast) = (
        json!({ "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3 }),
        json!({ "timeoutSeconds": 1, "periodSeconds": 5, "successThreshold": 1, "failureThreshold": 3 }),
    );
    let with = |timing: &Value, key: &str, handler: Value| {
        let mut probe = timing.clone();
        probe[key] = handler;
        probe
    };
    assert_eq!(main["livenessProbe"], with(&timing, "exec", json!({})));
    assert_eq!(main["startupProbe"], with(&timing, "grpc", json!({ "port": 1, "service": "" })));
    let http = json!({ "port": 1, "path": "/", "scheme": "HTTP" });
    assert_eq!(main["readinessProbe"], with(&fast, "httpGet", http));
    assert_eq!(main["lifecycle"]["preStop"]["httpGet"], json!({ "port": 1, "path": "/", "scheme": "HTTPS" }));
}

#[test]
fn def_3_and_vol_17_volumes_and_references() {
    let spec = pod(json!({
        "containers": [{ "image": "x:1", "env": [
            { "name": "A", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "B", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } } ] }],
        "volumes": [
            { "name": "bare" }, { "name": "c", "configMap": {} }, { "name": "s", "secret": { "defaultMode": 256 } },
            { "name": "d", "downwardAPI": { "items": [{ "fieldRef": { "fieldPath": "metadata.uid" } }] } },
            { "name": "p", "projected": { "sources": [{ "serviceAccountToken": { "path": "t" } },
                { "downwardAPI": { "items": [{ "resourceFieldRef": { "resource": "limits.cpu" } }] } }] } },
            { "name": "h", "hostPath": { "path": "/" } } ] }));
    assert_eq!(spec["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["apiVersion"], "v1");
    assert_eq!(spec["containers"][0]["env"][1]["valueFrom"]["resourceFieldRef"]["divisor"], "0");
    assert_eq!(
        spec["volumes"],
        json!([
            { "name": "bare", "emptyDir": {} }, { "name": "c", "configMap": { "defaultMode": 420 } },
            { "name": "s", "secret": { "defaultMode": 256 } },
            { "name": "d", "downwardAPI": { "defaultMode": 420, "items": [{ "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.uid" } }] } },
            { "name": "p", "projected": { "defaultMode": 420, "sources": [{ "serviceAccountToken": { "path": "t", "expirationSeconds": 3600 } },
                { "downwardAPI": { "items": [{ "resourceFieldRef": { "resource": "limits.cpu", "divisor": "0" } }] } }] } },
            { "name": "h", "hostPath": { "path": "/", "type": "" } } ])
    );
}

#[test]
fn res_5_a_limit_is_also_the_request_in_pods_but_not_in_templates() {
    let container = json!({ "image": "x:1", "resources": { "limits": { "cpu": 1, "memory": "1024Mi" }, "requests": { "cpu": "0.5" } } });
    let spec = pod(json!({ "initContainers": [container.clone()], "containers": [container.clone()] }));
    let filled = json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m", "memory": "1Gi" } });
    assert_eq!(spec["containers"][0]["resources"], filled);
    assert_eq!(spec["initContainers"][0]["resources"], filled);
    let set = json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
    let set = defaulted(resources::STATEFULSETS, set);
    assert_eq!(set["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"], json!({ "cpu": "500m" }));
}

#[test]
fn null_is_absence_in_known_fields_only() {
    let object = json!({ "metadata": { "creationTimestamp": null, "labels": { "a": "b" } }, "spec": { "unknown": null,
        "nodeName": null, "containers": [{ "image": "x:1", "command": null }] } });
    let pod = defaulted(resources::PODS, object);
    assert_eq!(pod["metadata"], json!({ "labels": { "a": "b" } }));
    assert!(pod["spec"].get("nodeName").is_none() && pod["spec"]["containers"][0].get("command").is_none());
    assert_eq!(pod["spec"].get("unknown"), Some(&Value::Null));
}

#[test]
fn a_headless_service() {
    let service = json!({ "spec": { "clusterIP": "None", "ports": [{ "port": 80 }, { "port": 1, "targetPort": "x", "protocol": "UDP" }] } });
    assert_eq!(
        defaulted(resources::SERVICES, service)["spec"],
        json!({ "clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ports": [{ "port": 80, "targetPort": 80, "protocol": "TCP" }, { "port": 1, "targetPort": "x", "protocol": "UDP" }] })
    );
}

#[test]
fn a_stateful_set_and_its_template() {
    let set = defaulted(
        resources::STATEFULSETS,
        json!({ "spec": { "template": { "spec": { "containers": [{ "image": "x" }] } } } }),
    );
    let spec = &set["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(spec["podManagementPolicy"], "OrderedReady");
    assert_eq!(spec["revisionHistoryLimit"], 10);
    assert_eq!(spec["updateStrategy"], json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } }));
    assert_eq!(
        spec["persistentVolumeClaimRetentionPolicy"],
        json!({ "whenDeleted": "Retain", "whenScaled": "Retain" })
    );
    let template = &spec["template"]["spec"];
    assert_eq!(template["restartPolicy"], "Always");
    assert_eq!(template["containers"][0]["imagePullPolicy"], "Always");
    assert!(template.get("enableServiceLinks").is_none());
    let on_delete = json!({ "spec": { "updateStrategy": { "type": "OnDelete" } } });
    assert_eq!(defaulted(resources::STATEFULSETS, on_delete)["spec"]["updateStrategy"], json!({ "type": "OnDelete" }));
}

#[test]
fn a_secret_keeps_texts_as_data_over_what_is_there() {
    let secret = json!({ "stringData": { "a": "text", "b": "" }, "data": { "a": "b2xk", "c": "eA==" } });
    assert_eq!(
        defaulted(resources::SECRETS, secret),
        json!({ "type": "Opaque", "data": { "a": "dGV4dA==", "b": "", "c": "eA==" } })
    );
}

#[test]
fn a_namespace_has_its_finalizer_label_and_phase() {
    assert_eq!(
        defaulted(resources::NAMESPACES, json!({ "metadata": { "name": "x" } })),
        json!({ "metadata": { "name": "x", "labels": { "kubernetes.io/metadata.name": "x" } },
            "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } })
    );
    let going = json!({ "metadata": { "deletionTimestamp": "t" }, "spec": {}, "status": { "phase": "Terminating" } });
    assert_eq!(defaulted(resources::NAMESPACES, going.clone()), going);
}

#[test]
fn shapeless_objects_do_no_harm() {
    for resource in resources::ALL {
        for object in
            [json!(null), json!([]), json!({ "spec": 3 }), json!({ "spec": { "containers": 1, "volumes": [1] } })]
        {
            let mut object = object;
            apply(Kind::of(resource).unwrap(), &mut object);
        }
    }
}
