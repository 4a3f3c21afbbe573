use super::pod;
use firstlight_pod::Millis;
use firstlight_pod::Spec;
use firstlight_pod::spec::{
    EnvValue, FieldRef, FileRef, Handler, HostPathType, Init, Projection, PullPolicy, Qos, Resources, RestartPolicy,
    RestartRule, RuleAction, Seccomp, SizeLimit, SourceRef, VolumeKind,
};
use serde_json::{Value, json};

fn settled(spec: Value) -> Spec {
    let value = json!({ "metadata": { "name": "web", "namespace": "a", "uid": "u", "generation": 3 }, "spec": spec });
    pod(&value).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn main(extra: Value) -> Value {
    let mut main = json!({ "name": "main", "image": "nginx:1.27" });
    if let (Some(main), Some(extra)) = (main.as_object_mut(), extra.as_object()) {
        main.extend(extra.clone());
    }
    json!({ "containers": [main] })
}

fn refused(spec: Value) -> Vec<String> {
    let errors = pod(&json!({ "metadata": {}, "spec": spec })).err().unwrap_or_default();
    errors.into_iter().map(|e| e.field).collect()
}

#[test]
fn identity_and_defaults_of_a_bare_pod() {
    let spec = settled(main(json!({})));
    assert_eq!((spec.id.namespace.as_str(), spec.id.name.as_str(), spec.id.uid.as_str()), ("a", "web", "u"));
    assert_eq!(spec.generation, 3);
    assert_eq!(spec.grace, Millis::secs(30));
    assert_eq!(spec.restart, RestartPolicy::Always);
    assert_eq!(spec.service_account, "default");
    assert_eq!(spec.identity.hostname, "web");
    assert!(spec.identity.cluster_dns && !spec.identity.host_dns);
    let main = &spec.mains[0];
    assert_eq!(main.termination_message_path, "/dev/termination-log");
    assert_eq!(main.pull, PullPolicy::IfNotPresent);
    assert_eq!(main.security.seccomp, Seccomp::RuntimeDefault);
}

#[test]
fn inits_are_split_into_steps_and_sidecars_in_order() {
    let mut spec = main(json!({}));
    spec["initContainers"] = json!([
        { "name": "a", "image": "x" },
        { "name": "b", "image": "x", "restartPolicy": "Always" },
        { "name": "c", "image": "x", "restartPolicy": "Never" },
    ]);
    let spec = settled(spec);
    assert!(matches!(&spec.inits[0], Init::Once(c) if c.name == "a" && c.restart.is_none()));
    assert!(matches!(&spec.inits[1], Init::Sidecar(c) if c.name == "b"));
    assert!(matches!(&spec.inits[2], Init::Once(c) if c.restart == Some(RestartPolicy::Never)));
}

#[test]
fn rst_6_restart_rules_keep_their_order_and_their_sense() {
    let rules = json!([
        { "action": "Restart", "exitCodes": { "operator": "In", "values": [42, 43] } },
        { "action": "RestartAllContainers", "exitCodes": { "operator": "NotIn", "values": [1] } },
    ]);
    let spec = settled(main(json!({ "restartPolicy": "Never", "restartPolicyRules": rules })));
    let rule = |action, codes: &[i32], listed| RestartRule { action, codes: codes.to_vec(), listed };
    assert_eq!(spec.mains[0].restart, Some(RestartPolicy::Never));
    assert_eq!(
        spec.mains[0].restart_rules,
        [rule(RuleAction::Restart, &[42, 43], true), rule(RuleAction::RestartAllContainers, &[1], false)]
    );
}

#[test]
fn a_grpc_probe_and_a_stop_signal_are_taken_as_they_are_said() {
    let probe = json!({ "grpc": { "port": 90, "service": "db" } });
    let spec = settled(main(json!({ "livenessProbe": probe, "lifecycle": { "stopSignal": "SIGUSR1" } })));
    let liveness = spec.mains[0].liveness.as_ref().map(|probe| &probe.handler);
    assert_eq!(liveness, Some(&Handler::Grpc { port: 90, service: "db".to_owned() }));
    assert_eq!(spec.mains[0].stop_signal.as_deref(), Some("SIGUSR1"));
}

#[test]
fn sec_1_container_fields_override_pod_fields() {
    let mut spec = main(json!({ "securityContext": {
        "runAsUser": 5, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": { "add": ["CAP_NET_ADMIN", "SYS_TIME"], "drop": ["ALL"] } } }));
    spec["securityContext"] = json!({
        "runAsUser": 1, "runAsGroup": 2, "runAsNonRoot": true, "fsGroup": 9, "supplementalGroups": [7, 8],
        "seccompProfile": { "type": "Unconfined" }, "sysctls": [{ "name": "net.core.somaxconn", "value": "1024" }] });
    let spec = settled(spec);
    let security = &spec.mains[0].security;
    assert_eq!((security.user, security.group, security.non_root), (Some(5), Some(2), true));
    assert_eq!(security.groups, [7, 8, 9]);
    assert_eq!(security.add_capabilities, ["NET_ADMIN", "SYS_TIME"]);
    assert_eq!(security.drop_capabilities, ["ALL"]);
    assert!(security.no_new_privs && security.read_only_root && !security.privileged);
    assert_eq!(security.seccomp, Seccomp::Unconfined);
    assert_eq!(spec.fs_group, Some(9));
    assert_eq!(spec.sysctls["net.core.somaxconn"], "1024");
}

#[test]
fn net_1_hostname_override_then_hostname_then_name_cut_to_63() {
    let mut spec = main(json!({}));
    spec["subdomain"] = json!("chain");
    let plain = settled(spec.clone());
    assert_eq!(plain.identity.fqdn.as_deref(), Some("web.chain.a.svc.cluster.local"));
    spec["hostname"] = json!(format!("{}-{}", "x".repeat(62), "y".repeat(9)));
    assert_eq!(settled(spec.clone()).identity.hostname, "x".repeat(62));
    spec["hostnameOverride"] = json!("over.ride");
    let identity = settled(spec).identity;
    assert_eq!((identity.hostname.as_str(), identity.fqdn), ("over.ride", None));
}

#[test]
fn dns_policy_and_config() {
    let mut spec = main(json!({}));
    spec["dnsPolicy"] = json!("None");
    spec["dnsConfig"] = json!({ "nameservers": ["1.1.1.1"], "searches": ["x.y"],
        "options": [{ "name": "ndots", "value": "2" }, { "name": "edns0" }] });
    spec["hostAliases"] = json!([{ "ip": "10.0.0.1", "hostnames": ["a", "b"] }]);
    let identity = settled(spec.clone()).identity;
    assert!(!identity.cluster_dns && !identity.host_dns);
    assert_eq!(identity.options, ["ndots:2", "edns0"]);
    assert_eq!(identity.host_aliases, [("10.0.0.1".to_owned(), vec!["a".to_owned(), "b".to_owned()])]);
    spec["dnsPolicy"] = json!("Default");
    assert!(settled(spec).identity.host_dns);
}

#[test]
fn env_in_every_form() {
    let spec = settled(main(json!({
        "envFrom": [{ "prefix": "P_", "configMapRef": { "name": "c" } }, { "secretRef": { "name": "s", "optional": true } }],
        "env": [
            { "name": "A", "value": "$(B)" },
            { "name": "E" },
            { "name": "B", "valueFrom": { "configMapKeyRef": { "name": "c", "key": "k", "optional": true } } },
            { "name": "C", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } },
            { "name": "D", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['app.io/x']" } } },
            { "name": "F", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu", "divisor": "1m" } } },
            { "name": "G", "valueFrom": { "resourceFieldRef": { "resource": "requests.memory", "containerName": "o", "divisor": "0" } } },
            { "name": "H", "valueFrom": { "fileKeyRef": { "volumeName": "v", "path": "a/b", "key": "k", "optional": true } } },
        ] })));
    let main = &spec.mains[0];
    assert_eq!(main.env_from[0].prefix, "P_");
    assert_eq!(main.env_from[1].source, SourceRef::Secret("s".into()));
    assert!(main.env_from[1].optional);
    let values: Vec<_> = main.env.iter().map(|v| &v.value).collect();
    assert_eq!(values[0], &EnvValue::Text("$(B)".into()));
    assert_eq!(values[1], &EnvValue::Text(String::new()));
    assert_eq!(values[2], &EnvValue::Key { source: SourceRef::ConfigMap("c".into()), key: "k".into(), optional: true });
    assert_eq!(values[3], &EnvValue::Key { source: SourceRef::Secret("s".into()), key: "k".into(), optional: false });
    assert_eq!(values[4], &EnvValue::Field(FieldRef::Label("app.io/x".into())));
    assert!(matches!(values[5], EnvValue::Resource(r) if r.container == "main" && r.divisor_micro == 1000));
    assert!(matches!(values[6], EnvValue::Resource(r) if r.container == "o" && r.divisor_micro == 1_000_000));
    let file = FileRef { volume: "v".into(), path: "a/b".into(), key: "k".into(), optional: true };
    assert_eq!(values[7], &EnvValue::File(file));
}

#[test]
fn sec_8_containers_share_their_processes_where_the_pod_says_so() {
    let mut spec = main(json!({}));
    assert!(!settled(spec.clone()).share_processes);
    spec["shareProcessNamespace"] = json!(true);
    assert!(settled(spec).share_processes);
}

#[test]
fn what_is_asked_of_memory_and_cpu_decides_the_class() {
    let of = |resources: Value| settled(main(json!({ "resources": resources }))).qos;
    assert_eq!(of(json!({})), Qos::BestEffort);
    assert_eq!(of(json!({ "requests": { "cpu": "1" } })), Qos::Burstable);
    assert_eq!(of(json!({ "limits": { "cpu": "1", "memory": "1Gi" } })), Qos::Guaranteed);
}

#[test]
fn vol_14_a_mount_says_what_becomes_of_those_below_it() {
    let mounts = json!([
        { "name": "v", "mountPath": "/a", "readOnly": true, "recursiveReadOnly": "IfPossible" },
        { "name": "v", "mountPath": "/b", "readOnly": true, "recursiveReadOnly": "Disabled" },
        { "name": "v", "mountPath": "/c", "mountPropagation": "HostToContainer" },
    ]);
    let spec = settled(main(json!({ "volumeMounts": mounts })));
    let found: Vec<_> = spec.mains[0].mounts.iter().map(|m| (m.recursive_read_only, m.from_host)).collect();
    assert_eq!(found, [(true, false), (false, false), (false, true)]);
}

#[test]
fn probes_and_hooks_with_named_ports() {
    let spec = settled(main(json!({
        "ports": [{ "name": "web", "containerPort": 8080 }],
        "startupProbe": { "tcpSocket": { "port": "web" }, "failureThreshold": 30, "periodSeconds": 1 },
        "readinessProbe": { "httpGet": { "port": "web", "scheme": "HTTPS", "path": "/x?y=1", "httpHeaders": [{ "name": "H", "value": "v" }] } },
        "livenessProbe": { "exec": { "command": ["a", "b"] }, "terminationGracePeriodSeconds": 4, "timeoutSeconds": 2 },
        "lifecycle": { "postStart": { "httpGet": { "port": "9" } }, "preStop": { "sleep": { "seconds": 3 } } } })));
    let main = &spec.mains[0];
    let startup = main.startup.as_ref().unwrap();
    assert_eq!(startup.handler, Handler::Tcp { host: String::new(), port: 8080 });
    assert_eq!((startup.period, startup.failure_threshold, startup.timeout), (Millis::secs(1), 30, Millis::secs(1)));
    let readiness = &main.readiness.as_ref().unwrap().handler;
    assert!(matches!(readiness, Handler::Http { port: 8080, https: true, path, headers, .. }
        if path == "/x?y=1" && headers == &[("H".to_owned(), "v".to_owned())]));
    assert_eq!(main.liveness.as_ref().unwrap().grace, Some(Millis::secs(4)));
    assert!(matches!(main.post_start.as_ref().unwrap(), Handler::Http { port: 9, path, .. } if path == "/"));
    assert_eq!(main.pre_stop, Some(Handler::Sleep(Millis::secs(3))));
}

#[test]
fn volumes_in_every_kind() {
    let mut spec = main(json!({ "volumeMounts": [
        { "name": "v", "mountPath": "/v", "subPathExpr": "$(A)/b", "readOnly": true }, { "name": "v", "mountPath": "w", "subPath": "s" } ] }));
    spec["securityContext"] = json!({ "fsGroup": 1, "fsGroupChangePolicy": "OnRootMismatch" });
    spec["volumes"] = json!([
        { "name": "bare" },
        { "name": "mem", "emptyDir": { "medium": "Memory", "sizeLimit": "1Mi" } },
        { "name": "c", "configMap": { "name": "c", "defaultMode": 256, "items": [{ "key": "k", "path": "p/q", "mode": 384 }] } },
        { "name": "s", "secret": { "secretName": "s", "optional": true } },
        { "name": "d", "downwardAPI": { "items": [
            { "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } },
            { "path": "cpu", "resourceFieldRef": { "containerName": "main", "resource": "limits.cpu" } } ] } },
        { "name": "p", "projected": { "sources": [
            { "configMap": { "name": "c" } }, { "secret": { "name": "s" } },
            { "downwardAPI": { "items": [{ "path": "n", "fieldRef": { "fieldPath": "metadata.name" } }] } } ] } },
        { "name": "h", "hostPath": { "path": "/h", "type": "Directory" } },
        { "name": "pvc", "persistentVolumeClaim": { "claimName": "data", "readOnly": true } },
        { "name": "i", "image": { "reference": "i:1", "pullPolicy": "Always" } },
    ]);
    let spec = settled(spec);
    let kinds: Vec<_> = spec.volumes.iter().map(|v| &v.kind).collect();
    assert_eq!(kinds[0], &VolumeKind::EmptyDir { memory: false, size_limit: None });
    assert_eq!(
        kinds[1],
        &VolumeKind::EmptyDir { memory: true, size_limit: Some(SizeLimit { bytes: 1 << 20, text: "1Mi".into() }) }
    );
    assert!(matches!(kinds[2], VolumeKind::Files { default_mode: 0o400, memory: false, projections }
        if matches!(&projections[0], Projection::Source { items, .. } if items == &[("k".to_owned(), "p/q".to_owned(), Some(0o600))])));
    assert!(matches!(kinds[3], VolumeKind::Files { default_mode: 0o644, memory: true, projections }
        if matches!(&projections[0], Projection::Source { source: SourceRef::Secret(s), optional: true, .. } if s == "s")));
    assert!(matches!(kinds[4], VolumeKind::Files { projections, .. }
        if matches!(&projections[..], [Projection::Field { field: FieldRef::Labels, .. }, Projection::Resource { .. }])));
    assert!(matches!(kinds[5], VolumeKind::Files { projections, memory: true, .. } if projections.len() == 3));
    assert_eq!(kinds[6], &VolumeKind::HostPath { path: "/h".into(), check: HostPathType::Directory });
    assert_eq!(kinds[7], &VolumeKind::Claim { name: "data".into(), read_only: true, trust_root: true });
    assert_eq!(kinds[8], &VolumeKind::Image { reference: "i:1".into(), pull: PullPolicy::Always });
    let mounts = &spec.mains[0].mounts;
    assert!(mounts[0].sub_path_expr && mounts[0].read_only && mounts[0].sub_path == "$(A)/b");
    assert!(!mounts[1].sub_path_expr && mounts[1].sub_path == "s" && mounts[1].path == "/w");
    assert_eq!(
        spec.sources(),
        [SourceRef::ConfigMap("c".into()), SourceRef::Secret("s".into()), SourceRef::Claim("data".into())]
    );
}

#[test]
fn resources_are_read_exactly() {
    let spec = settled(main(json!({ "resources": {
        "requests": { "cpu": 0.5, "memory": "64Mi" }, "limits": { "cpu": "1500u", "memory": "1e9" } } })));
    assert_eq!(
        spec.mains[0].resources,
        Resources {
            cpu_request: Some(500),
            cpu_limit: Some(2),
            memory_request: Some(64 << 20),
            memory_limit: Some(1_000_000_000)
        }
    );
}

#[test]
fn what_cannot_be_settled_is_named() {
    assert_eq!(refused(json!({})), ["spec.containers"]);
    let mut spec = main(json!({
        "ports": [{ "containerPort": 70000 }],
        "env": [{ "name": "A", "valueFrom": { "fieldRef": { "fieldPath": "status.phase" } } }],
        "resources": { "limits": { "cpu": "much" } },
        "securityContext": { "runAsUser": -1 },
        "livenessProbe": {},
        "readinessProbe": { "httpGet": { "port": "nope" } } }));
    spec["volumes"] = json!([{ "name": "v", "nfs": {} }, { "name": "p", "projected": { "sources": [{ "serviceAccountToken": {} }] } }]);
    assert_eq!(
        refused(spec),
        [
            "spec.containers[0].ports[0].containerPort",
            "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath",
            "spec.containers[0].resources.limits[cpu]",
            "spec.containers[0].securityContext.runAsUser",
            "spec.containers[0].livenessProbe",
            "spec.containers[0].readinessProbe.httpGet.port",
            "spec.volumes[0]",
            "spec.volumes[1].projected.sources[0]",
        ]
    );
}
