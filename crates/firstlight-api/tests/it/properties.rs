//! What holds for every object: nothing panics, filling in is idempotent, and what passes validation can be settled.

use firstlight_api::object::resources;
use firstlight_api::print::{IncludeObject, table};
use firstlight_api::schema::{Kind, Of, Shape, Type, kinds};
use firstlight_api::{admit, defaults, fields, settle, validate, write_status};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A small generator of luck, so that one seed names one object.
struct Luck(u64);

impl Luck {
    fn next(&mut self, below: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % below
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.next(from.len())].clone()
    }
}

/// Values that are right somewhere and wrong elsewhere.
fn leaf(luck: &mut Luck) -> Value {
    luck.pick(&[
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(80),
        json!(65536),
        json!(1.5),
        json!(""),
        json!("a"),
        json!("web"),
        json!("A_b"),
        json!("None"),
        json!("Always"),
        json!("RuntimeDefault"),
        json!("metadata.name"),
        json!("metadata.labels['a']"),
        json!("limits.cpu"),
        json!("100m"),
        json!("1Gi"),
        json!("-1"),
        json!("/a"),
        json!("../a"),
        json!("10.0.0.1"),
        json!("2026-11-20T12:00:00Z"),
        json!([]),
        json!(["a"]),
        json!([null]),
        json!({}),
        json!({ "a": "b" }),
    ])
}

/// An object of a type's fields, with now and then a value of the wrong type.
fn of_type(ty: &'static Type, luck: &mut Luck, depth: usize) -> Value {
    let mut object = Map::new();
    let fields: Vec<_> = ty.fields.iter().chain(ty.embedded().flat_map(|inner| inner.fields)).collect();
    for field in fields {
        if field.name.is_empty() || luck.next(3) != 0 {
            continue;
        }
        let one = |luck: &mut Luck| match field.shape.of() {
            Of::Message(inner) if depth > 0 && luck.next(20) != 0 => of_type(inner, luck, depth - 1),
            _ => leaf(luck),
        };
        let value = match field.shape {
            Shape::One(_) => one(luck),
            Shape::List(_) => (0..luck.next(3)).map(|_| one(luck)).collect(),
            Shape::Map(_) => json!({ luck.pick(&["a", "cpu", "memory", "..", "x/y"]): one(luck) }),
        };
        object.insert(field.name.to_owned(), value);
    }
    Value::Object(object)
}

/// A Pod that uses nearly everything that is honoured.
fn rich_pod() -> Value {
    json!({
        "metadata": { "name": "p", "namespace": "n", "uid": "u", "labels": { "a": "b" } },
        "spec": {
            "restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 5, "activeDeadlineSeconds": 60,
            "serviceAccountName": "sa", "hostname": "h", "subdomain": "s", "nodeName": "node", "dnsPolicy": "None",
            "dnsConfig": { "nameservers": ["10.0.0.1"], "searches": ["a.b"], "options": [{ "name": "ndots", "value": "2" }] },
            "hostAliases": [{ "ip": "10.0.0.2", "hostnames": ["x"] }], "imagePullSecrets": [{ "name": "s" }],
            "readinessGates": [{ "conditionType": "example.com/gate" }],
            "securityContext": { "runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4],
                "seccompProfile": { "type": "Unconfined" }, "sysctls": [{ "name": "net.ipv4.tcp_syncookies", "value": "1" }] },
            "volumes": [
                { "name": "e", "emptyDir": { "medium": "Memory", "sizeLimit": "1Mi" } },
                { "name": "c", "configMap": { "name": "c", "defaultMode": 256, "items": [{ "key": "k", "path": "a/b", "mode": 0 }] } },
                { "name": "s", "secret": { "secretName": "s", "optional": true } },
                { "name": "d", "downwardAPI": { "items": [{ "path": "l", "fieldRef": { "fieldPath": "metadata.labels" } },
                    { "path": "r", "resourceFieldRef": { "containerName": "main", "resource": "limits.cpu", "divisor": "1m" } }] } },
                { "name": "p", "projected": { "sources": [{ "configMap": { "name": "c" } }, { "secret": { "name": "s" } },
                    { "downwardAPI": { "items": [{ "path": "n", "fieldRef": { "fieldPath": "metadata.name" } }] } }] } },
                { "name": "h", "hostPath": { "path": "/h", "type": "Directory" } } ],
            "initContainers": [
                { "name": "one", "image": "x:1", "command": ["a"], "args": ["b"], "workingDir": "/w", "restartPolicy": "Never" },
                { "name": "side", "image": "x", "restartPolicy": "Always", "ports": [{ "name": "web", "containerPort": 80 }],
                    "startupProbe": { "httpGet": { "port": "web", "httpHeaders": [{ "name": "H", "value": "v" }] } },
                    "lifecycle": { "postStart": { "exec": { "command": ["a"] } }, "preStop": { "sleep": { "seconds": 1 } } } } ],
            "containers": [{
                "name": "main", "image": "x@sha256:0", "imagePullPolicy": "Never", "stdin": true, "tty": true,
                "env": [{ "name": "A", "value": "$(B)" }, { "name": "F", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
                    { "name": "R", "valueFrom": { "resourceFieldRef": { "resource": "requests.memory", "divisor": "1Mi" } } },
                    { "name": "C", "valueFrom": { "configMapKeyRef": { "name": "c", "key": "k" } } },
                    { "name": "S", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k", "optional": true } } }],
                "envFrom": [{ "prefix": "P", "configMapRef": { "name": "c" } }, { "secretRef": { "name": "s" } }],
                "volumeMounts": [{ "name": "e", "mountPath": "/e", "subPath": "x" }, { "name": "c", "mountPath": "/c", "subPathExpr": "$(A)", "readOnly": true }],
                "resources": { "limits": { "cpu": 1, "memory": "1Gi" }, "requests": { "cpu": "500m" } },
                "readinessProbe": { "tcpSocket": { "port": 80 }, "successThreshold": 2 },
                "livenessProbe": { "exec": { "command": ["a"] }, "terminationGracePeriodSeconds": 3 },
                "securityContext": { "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
                    "capabilities": { "add": ["NET_ADMIN"], "drop": ["ALL"] }, "seccompProfile": { "type": "RuntimeDefault" } },
                "terminationMessagePath": "/t", "terminationMessagePolicy": "FallbackToLogsOnError" }] } })
}

/// Changes one place somewhere inside: replaced, removed or said twice.
fn mutate(value: &mut Value, luck: &mut Luck) {
    let deeper = luck.next(8) != 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let key = map.keys().nth(luck.next(map.len())).cloned().unwrap();
            if luck.next(12) == 0 {
                map.remove(&key);
            } else {
                mutate(map.get_mut(&key).unwrap(), luck);
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = luck.next(items.len());
            match luck.next(12) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => mutate(&mut items[at], luck),
            }
        }
        _ => *value = leaf(luck),
    }
}

fn stored(kind: &Kind, mut object: Value) -> Value {
    defaults::apply(kind, &mut object);
    admit::create(kind, &mut object);
    object
}

#[test]
fn the_rich_pod_is_accepted_and_settled() {
    let kind = Kind::of(resources::PODS).unwrap();
    let pod = stored(kind, rich_pod());
    let errors: Vec<_> = validate::create(kind, &pod).iter().map(ToString::to_string).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert!(settle::pod(&pod).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, max_global_rejects: 40_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_passes_validation_can_be_settled(seed in 1_u64.., changes in 0_usize..4) {
        let kind = Kind::of(resources::PODS).unwrap();
        let mut luck = Luck(seed);
        let mut pod = rich_pod();
        for _ in 0..changes {
            mutate(&mut pod["spec"], &mut luck);
        }
        prop_assume!(fields::type_errors(kind.ty, &pod).is_ok());
        let pod = stored(kind, pod);
        let errors = validate::create(kind, &pod);
        let settled = settle::pod(&pod);
        if errors.is_empty() {
            prop_assert!(settled.is_ok(), "{settled:?}\n{pod}");
        }
    }

    #[test]
    fn any_object_of_any_kind_is_answered(seed in 1_u64.., which in 0_usize..64) {
        let kinds = kinds();
        let kind = &kinds[which % kinds.len()];
        let mut luck = Luck(seed);
        let (old, new) = (of_type(kind.ty, &mut luck, 6), of_type(kind.ty, &mut luck, 6));
        let stored_once = stored(kind, old.clone());
        let mut again = stored_once.clone();
        defaults::apply(kind, &mut again);
        prop_assert_eq!(&again, &stored_once);
        let _ = validate::create(kind, &old);
        let _ = validate::update(kind, &stored_once, &new);
        let _ = settle::pod(&new);
        let _ = write_status::apply(&write_status::read(&old), &new);
        let _ = table(kind, &[&old, &new], 1_795_176_000_000, IncludeObject::Object, true);
    }
}
