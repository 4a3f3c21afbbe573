//! Shows: what fits a type and what does not, and the canonical form.

use super::*;
use crate::schema::type_of;
use serde_json::json;

fn pod() -> &'static Type {
    type_of("", "v1", "Pod").expect("a table")
}

#[test]
fn unknown_fields_are_named_by_path() {
    let value = json!({"apiVersion": "v1", "kind": "Pod", "foo": 1, "metadata": {"labels": {"any": "x"}, "nam": "p"},
        "spec": {"containers": [{"name": "a"}, {"imge": "b", "env": [{"name": "A", "vlue": ""}]}],
        "volumes": [{"name": "v", "emptyDir": {"siz": 1}}]}});
    assert_eq!(
        unknown(pod(), &value),
        [
            "foo",
            "metadata.nam",
            "spec.containers[1].env[0].vlue",
            "spec.containers[1].imge",
            "spec.volumes[0].emptyDir.siz"
        ]
    );
}

#[test]
fn strict_validation_words_are_upstreams() {
    let error = strict(pod(), &["spec.foo".to_owned()], &["metadata.name".to_owned()]).expect_err("refused");
    assert_eq!(
        error.message,
        "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: \
         unknown field \"spec.foo\", duplicate field \"metadata.name\""
    );
    assert_eq!((error.code, error.reason), (400, "BadRequest"));
    assert_eq!(strict(pod(), &[], &[]), Ok(()));
}

#[test]
fn values_of_the_wrong_type_are_named_by_path() {
    let cases = [
        (json!("x"), "json: cannot unmarshal string into Go value of type v1.Pod"),
        (json!({"spec": []}), "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"),
        (
            json!({"spec": {"containers": {}}}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            json!({"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}),
            "json: cannot unmarshal number into Go struct field EnvVar.spec.containers[0].env[0].value of type string",
        ),
        (
            json!({"metadata": {"labels": {"a": true}}}),
            "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels.a of type string",
        ),
        (
            json!({"spec": {"terminationGracePeriodSeconds": 1.5}}),
            "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64",
        ),
        (
            json!({"spec": {"containers": [{"ports": [{"containerPort": 4_294_967_296_u64}]}]}}),
            "json: cannot unmarshal number 4294967296 into Go struct field \
             ContainerPort.spec.containers[0].ports[0].containerPort of type int32",
        ),
        (
            json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}}),
            "spec.containers[0].resources.limits.cpu: quantities must match the regular expression \
             '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            json!({"metadata": {"creationTimestamp": "yesterday"}}),
            "metadata.creationTimestamp: parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": not a time",
        ),
    ];
    for (value, why) in cases {
        let error = type_errors(pod(), &value).expect_err(why);
        assert_eq!(error.message, format!("Pod in version \"v1\" cannot be handled as a Pod: {why}"));
        assert_eq!(error.code, 400);
    }
    let lease = type_of("coordination.k8s.io", "v1", "Lease").expect("a table");
    let error =
        type_errors(lease, &json!({"spec": {"renewTime": "2024-01-01T00:00:00Z"}})).expect_err("no microseconds");
    assert!(error.message.contains("as \"2006-01-02T15:04:05.000000Z07:00\""), "{error}");
    let secret = type_of("", "v1", "Secret").expect("a table");
    let error = type_errors(secret, &json!({"data": {"k": "n$"}})).expect_err("refused");
    assert!(error.message.contains("data.k: illegal base64 data"), "{error}");
}

#[test]
fn what_kubernetes_accepts_is_accepted() {
    let value = json!({"metadata": {"creationTimestamp": null, "annotations": null},
        "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 1, "memory": "1Gi", "x": 0.5}},
        "livenessProbe": {"httpGet": {"port": "http"}}, "readinessProbe": {"httpGet": {"port": 80}}}]},
        "status": {"startTime": "2024-01-01T00:00:00+02:00"}});
    assert_eq!(type_errors(pod(), &value), Ok(()));
    let secret = type_of("", "v1", "Secret").expect("a table");
    assert_eq!(type_errors(secret, &json!({"data": {"k": "aGk=\n"}})), Ok(()));
}

#[test]
fn the_canonical_form_is_that_of_a_round_trip_through_kubernetes() {
    let mut value = json!({"metadata": {"creationTimestamp": null, "labels": {}, "name": "p", "unheardOf": null},
        "spec": {"hostNetwork": false, "nodeName": "", "terminationGracePeriodSeconds": 0, "volumes": [],
        "containers": [{"name": "", "image": "", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}},
        "args": [null, "x"], "ports": [{"containerPort": 0, "hostPort": 0}], "securityContext": {},
        "readinessProbe": {"httpGet": {"port": 0}}}]},
        "status": {"startTime": "2024-01-01T02:00:00.5+02:00"}});
    canonical(pod(), &mut value);
    assert_eq!(
        value,
        json!({"metadata": {"name": "p", "unheardOf": null},
            "spec": {"terminationGracePeriodSeconds": 0,
            "containers": [{"name": "", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}},
            "args": ["", "x"], "ports": [{"containerPort": 0}], "securityContext": {},
            "readinessProbe": {"httpGet": {"port": 0}}}]},
            "status": {"startTime": "2024-01-01T00:00:00Z"}})
    );
}
