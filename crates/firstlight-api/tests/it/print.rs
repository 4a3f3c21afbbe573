//! The Table of every served kind, and what it says of Pods (section 2.21).

use firstlight_api::object::{Resource, resources};
use firstlight_api::print::{IncludeObject, ago, human, table};
use firstlight_api::schema::Kind;
use firstlight_pod::Now;
use serde_json::{Value, json};

/// 2026-11-20T12:00:00Z
const NOON_MS: u64 = 1_795_176_000_000;

fn row(resource: Resource, object: &Value) -> Value {
    let kind = Kind::of(resource).unwrap();
    table(kind, &[object], NOON_MS, IncludeObject::None, false)["rows"][0].clone()
}

/// Column names, those shown only with `-o wide` in brackets, then the cells.
fn shown(resource: Resource, object: &Value) -> (String, Value) {
    let kind = Kind::of(resource).unwrap();
    let table = table(kind, &[object], NOON_MS, IncludeObject::None, true);
    let column = |c: &Value| match c["priority"].as_i64() {
        Some(0) => c["name"].as_str().unwrap().to_owned(),
        _ => format!("[{}]", c["name"].as_str().unwrap()),
    };
    let columns: Vec<_> = table["columnDefinitions"].as_array().unwrap().iter().map(column).collect();
    let cells = table["rows"][0]["cells"].clone();
    assert_eq!(columns.len(), cells.as_array().unwrap().len(), "a cell for every column");
    (columns.join(" | "), cells)
}

#[test]
fn pods_section_2_21() {
    let cases: Vec<Value> = serde_saphyr::from_str(include_str!("print/pods.yaml")).unwrap();
    assert_eq!(cases.iter().filter(|c| c["id"].as_str().unwrap().starts_with('T')).count(), 30);
    for case in cases {
        let mut pod = json!({ "metadata": { "name": "p" }, "spec": case["spec"], "status": case["status"] });
        if case["deleted"] == true {
            pod["metadata"]["deletionTimestamp"] = json!("2026-11-20T11:59:50Z");
        }
        let row = row(resources::PODS, &pod);
        let cells = row["cells"].as_array().unwrap();
        assert_eq!(json!(cells[1..4]), case["cells"], "{} {}", case["id"], case["says"]);
        assert_eq!(cells[4], "<unknown>", "{}", case["id"]);
        assert_eq!(row["conditions"][0]["reason"], case["row"], "{}", case["id"]);
    }
}

#[test]
fn prt_pods_wide() {
    let pod = json!({
        "metadata": { "name": "p", "creationTimestamp": "2026-11-20T11:56:55Z" },
        "spec": { "nodeName": "n", "containers": [{}], "readinessGates": [{ "conditionType": "a" }, { "conditionType": "b" }] },
        "status": { "phase": "Pending", "podIPs": [{ "ip": "10.88.0.2" }], "conditions": [{ "type": "a", "status": "True" }] } });
    assert_eq!(
        shown(resources::PODS, &pod),
        (
            "Name | Ready | Status | Restarts | Age | [IP] | [Node] | [Nominated Node] | [Readiness Gates]".into(),
            json!(["p", "0/1", "Pending", "0", "3m5s", "10.88.0.2", "n", "<none>", "1/2"])
        )
    );
    assert_eq!(
        row(resources::PODS, &json!({}))["cells"],
        json!(["", "0/0", "", "0", "<unknown>", "<none>", "<none>", "<none>", "<none>"])
    );
}

fn named(mut object: Value) -> Value {
    object["metadata"]["name"] = json!("x");
    object["metadata"]["creationTimestamp"] = json!("2026-11-20T11:59:00Z");
    object
}

#[test]
fn namespaces_config_maps_secrets_service_accounts_leases() {
    let cases = [
        (
            resources::NAMESPACES,
            json!({ "status": { "phase": "Active" } }),
            "Name | Status | Age",
            json!(["x", "Active", "60s"]),
        ),
        (
            resources::CONFIGMAPS,
            json!({ "data": { "a": "", "b": "" }, "binaryData": { "c": "" } }),
            "Name | Data | Age",
            json!(["x", 3, "60s"]),
        ),
        (
            resources::SECRETS,
            json!({ "type": "Opaque", "data": { "a": "" } }),
            "Name | Type | Data | Age",
            json!(["x", "Opaque", 1, "60s"]),
        ),
        (
            resources::PERSISTENTVOLUMECLAIMS,
            json!({ "spec": { "volumeName": "pvc-1", "volumeMode": "Filesystem", "storageClassName": "fast" },
                    "status": { "phase": "Bound", "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                                "capacity": { "storage": "1Gi" } } }),
            "Name | Status | Volume | Capacity | Access Modes | StorageClass | VolumeAttributesClass | Age | [VolumeMode]",
            json!(["x", "Bound", "pvc-1", "1Gi", "RWO,ROX", "fast", "<unset>", "60s", "Filesystem"]),
        ),
        (resources::SERVICEACCOUNTS, json!({}), "Name | Secrets | Age", json!(["x", 0, "60s"])),
        (
            resources::LEASES,
            json!({ "spec": { "holderIdentity": "h" } }),
            "Name | Holder | Age",
            json!(["x", "h", "60s"]),
        ),
    ];
    for (resource, object, columns, cells) in cases {
        assert_eq!(shown(resource, &named(object)), (columns.to_owned(), cells));
    }
}

#[test]
fn services() {
    let headless = json!({ "spec": { "type": "ClusterIP", "clusterIP": "None", "selector": { "app": "a", "b": "c" },
        "ports": [{ "port": 80, "protocol": "TCP" }, { "port": 53, "nodePort": 30053, "protocol": "UDP" }] } });
    assert_eq!(
        shown(resources::SERVICES, &named(headless)),
        (
            "Name | Type | Cluster-IP | External-IP | Port(s) | Age | [Selector]".into(),
            json!(["x", "ClusterIP", "None", "<none>", "80/TCP,53:30053/UDP", "60s", "app=a,b=c"])
        )
    );
    let bare = row(resources::SERVICES, &named(json!({ "spec": { "type": "ClusterIP" } })));
    assert_eq!(bare["cells"], json!(["x", "ClusterIP", "<none>", "<none>", "<none>", "60s", "<none>"]));
}

#[test]
fn nodes() {
    let node = json!({
        "metadata": { "labels": { "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "",
            "kubernetes.io/role": "spare", "kubernetes.io/os": "linux" } },
        "spec": { "unschedulable": true },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }],
            "addresses": [{ "type": "InternalIP", "address": "10.88.0.1" }],
            "nodeInfo": { "kubeletVersion": "v1.36.2", "osImage": "Debian", "kernelVersion": "6.1", "containerRuntimeVersion": "firstlight://0.1.0" } } });
    assert_eq!(
        shown(resources::NODES, &named(node)),
        (
            "Name | Status | Roles | Age | Version | [Internal-IP] | [External-IP] | [OS-Image] | [Kernel-Version] | [Container-Runtime]".into(),
            json!(["x", "Ready,SchedulingDisabled", "control-plane,spare,worker", "60s", "v1.36.2", "10.88.0.1", "<none>", "Debian", "6.1", "firstlight://0.1.0"])
        )
    );
    let bare = row(resources::NODES, &json!({}));
    assert_eq!(
        bare["cells"],
        json!(["", "Unknown", "<none>", "<unknown>", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"])
    );
}

#[test]
fn events_in_both_views() {
    let columns =
        "Last Seen | Type | Reason | Object | [Subobject] | [Source] | Message | [First Seen] | [Count] | [Name]";
    let core = json!({ "type": "Warning", "reason": "BackOff", "message": "Back-off\n", "count": 4,
        "involvedObject": { "kind": "Pod", "name": "p", "fieldPath": "spec.containers{a}" },
        "source": { "component": "kubelet", "host": "n" },
        "firstTimestamp": "2026-11-20T11:00:00Z", "lastTimestamp": "2026-11-20T11:59:58Z" });
    let cells =
        json!(["2s", "Warning", "BackOff", "pod/p", "spec.containers{a}", "kubelet, n", "Back-off", "60m", 4, "x"]);
    assert_eq!(shown(resources::EVENTS, &named(core)), (columns.to_owned(), cells));
    let new = json!({ "type": "Normal", "reason": "R", "note": "said", "eventTime": "2026-11-20T11:59:50.123456Z",
        "regarding": { "kind": "Node" }, "reportingController": "c" });
    let cells = json!(["9s", "Normal", "R", "node", "", "c", "said", "9s", 1, "x"]);
    assert_eq!(shown(resources::EVENTS, &named(new)), (columns.to_owned(), cells));
    let series = json!({ "count": 1, "firstTimestamp": "2026-11-20T11:00:00Z", "series": { "count": 7, "lastObservedTime": "2026-11-20T11:59:59.000000Z" } });
    let row = row(resources::EVENTS, &series);
    assert_eq!((&row["cells"][0], &row["cells"][8]), (&json!("1s"), &json!(7)));
}

#[test]
fn endpoint_slices() {
    let slice = |addresses: Value, ports: Value| json!({ "addressType": "IPv4", "endpoints": [{ "addresses": addresses }], "ports": ports });
    assert_eq!(
        shown(
            resources::ENDPOINTSLICES,
            &named(slice(
                json!(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]),
                json!([{ "port": 80 }, { "name": "web" }, {}])
            ))
        ),
        (
            "Name | AddressType | Ports | Endpoints | Age".into(),
            json!(["x", "IPv4", "80,web,*", "10.0.0.1,10.0.0.2,10.0.0.3 + 2 more...", "60s"])
        )
    );
    let bare = row(resources::ENDPOINTSLICES, &named(slice(json!([]), json!([]))));
    assert_eq!(bare["cells"], json!(["x", "IPv4", "<unset>", "<unset>", "60s"]));
}

#[test]
fn stateful_sets_and_their_revisions() {
    let set = json!({ "spec": { "replicas": 3, "template": { "spec": { "containers": [{ "name": "a", "image": "i" }, { "name": "b", "image": "j" }] } } },
        "status": { "readyReplicas": 2 } });
    assert_eq!(
        shown(resources::STATEFULSETS, &named(set)),
        ("Name | Ready | Age | [Containers] | [Images]".into(), json!(["x", "2/3", "60s", "a,b", "i,j"]))
    );
    let revision = json!({ "revision": 2, "metadata": { "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "controller": true }] } });
    assert_eq!(
        shown(resources::CONTROLLERREVISIONS, &named(revision)),
        ("Name | Controller | Revision | Age".into(), json!(["x", "statefulset.apps/web", 2, "60s"]))
    );
}

#[test]
fn a_row_carries_as_much_of_its_object_as_asked() {
    let pod = named(json!({ "kind": "Pod", "spec": {} }));
    let kind = Kind::of(resources::PODS).unwrap();
    let with = |include| table(kind, &[&pod], NOON_MS, include, true)["rows"][0].get("object").cloned();
    assert_eq!(with(IncludeObject::None), None);
    assert_eq!(with(IncludeObject::Object), Some(pod.clone()));
    let partial =
        json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": pod["metadata"] });
    assert_eq!(with(IncludeObject::Metadata), Some(partial));
    assert_eq!(IncludeObject::parse(""), Some(IncludeObject::Metadata));
    assert_eq!(IncludeObject::parse("Objekt"), None);
}

#[test]
fn a_table_has_its_columns_only_with_headers() {
    let kind = Kind::of(resources::CONFIGMAPS).unwrap();
    let table_of = |headers| table(kind, &[], NOON_MS, IncludeObject::None, headers);
    assert_eq!(
        table_of(true),
        json!({ "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "rows": [], "columnDefinitions": [
            { "name": "Name", "type": "string", "format": "name", "description": "", "priority": 0 },
            { "name": "Data", "type": "string", "format": "", "description": "", "priority": 0 },
            { "name": "Age", "type": "string", "format": "", "description": "", "priority": 0 } ] })
    );
    assert_eq!(table_of(false)["columnDefinitions"], json!([]));
}

#[test]
fn ages_are_said_as_kubectl_says_them() {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    for (seconds, said) in [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (10, "10s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (10 * MINUTE - 1, "9m59s"),
        (10 * MINUTE + 7, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (7 * HOUR + 59 * MINUTE, "7h59m"),
        (8 * HOUR + 59 * MINUTE, "8h"),
        (48 * HOUR - 1, "47h"),
        (48 * HOUR, "2d"),
        (5 * DAY, "5d"),
        (7 * DAY + 23 * HOUR, "7d23h"),
        (8 * DAY + 23 * HOUR, "8d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (7 * YEAR + 3 * DAY, "7y3d"),
        (8 * YEAR + 3 * DAY, "8y"),
    ] {
        assert_eq!(human(seconds), said, "{seconds}");
    }
    assert_eq!(ago("", Now(NOON_MS)), "<unknown>");
    assert_eq!(ago("2026-11-20T12:00:05Z", Now(NOON_MS)), "<invalid>");
}
