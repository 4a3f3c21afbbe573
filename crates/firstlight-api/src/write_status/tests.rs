use super::{apply, read};
use firstlight_pod::Now;
use firstlight_pod::status::{Condition, ContainerStatus, Phase, State, Status, Terminated, User};
use proptest::prelude::*;
use serde_json::{Value, json};

fn status() -> Status {
    Status {
        observed_generation: 2,
        phase: Phase::Running,
        host_ip: Some("10.88.0.1".into()),
        pod_ip: Some("10.88.0.7".into()),
        start_time: Some(Now(1_795_172_400_123)),
        conditions: vec![Condition {
            kind: "Ready".into(),
            holds: false,
            reason: "ContainersNotReady".into(),
            message: "containers with unready status: [main]".into(),
            since: Now(1_795_172_401_999),
        }],
        mains: vec![ContainerStatus {
            name: "main".into(),
            image: "nginx".into(),
            image_id: "sha256:1".into(),
            container_id: "firstlight://abc".into(),
            state: State::Running { since: Now(1_795_172_401_000) },
            started: Some(true),
            restart_count: 1,
            last: Some(Terminated {
                code: 137,
                reason: "Error".into(),
                container_id: "firstlight://abb".into(),
                ..Terminated::default()
            }),
            ..ContainerStatus::default()
        }],
        ..Status::default()
    }
}

#[test]
fn sta_16_and_ver_13_the_shape_is_a_kubelets() {
    let pod = json!({
        "spec": { "containers": [{ "name": "main", "resources": { "requests": { "cpu": "1" } },
            "volumeMounts": [{ "name": "v", "mountPath": "/v", "readOnly": true, "subPath": "x" }, { "name": "w", "mountPath": "/w" }] }] },
        "status": { "phase": "Pending", "reason": "Old", "qosClass": "Burstable", "nominatedNodeName": "n", "futureField": [1],
            "conditions": [
                { "type": "example.com/gate", "status": "True" },
                { "type": "Ready", "status": "True" },
                { "type": "Initialized", "status": "True" },
                { "type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-20T11:00:00Z" } ] } });
    assert_eq!(
        apply(&status(), &pod),
        json!({
            "observedGeneration": 2, "phase": "Running", "qosClass": "Burstable", "nominatedNodeName": "n", "futureField": [1],
            "hostIP": "10.88.0.1", "hostIPs": [{ "ip": "10.88.0.1" }], "podIP": "10.88.0.7", "podIPs": [{ "ip": "10.88.0.7" }],
            "startTime": "2026-11-20T11:00:00Z",
            "conditions": [
                { "type": "Ready", "status": "False", "observedGeneration": 2, "lastProbeTime": null,
                  "lastTransitionTime": "2026-11-20T11:00:01Z", "reason": "ContainersNotReady",
                  "message": "containers with unready status: [main]" },
                { "type": "example.com/gate", "status": "True" },
                { "type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-20T11:00:00Z" } ],
            "containerStatuses": [{
                "name": "main", "image": "nginx", "imageID": "sha256:1", "containerID": "firstlight://abc",
                "ready": false, "started": true, "restartCount": 1,
                "state": { "running": { "startedAt": "2026-11-20T11:00:01Z" } },
                "lastState": { "terminated": { "exitCode": 137, "reason": "Error", "startedAt": "1970-01-01T00:00:00Z",
                    "finishedAt": "1970-01-01T00:00:00Z", "containerID": "firstlight://abb" } },
                "allocatedResources": { "cpu": "1" }, "resources": { "requests": { "cpu": "1" } },
                "volumeMounts": [{ "name": "v", "mountPath": "/v", "readOnly": true, "recursiveReadOnly": "Disabled" },
                    { "name": "w", "mountPath": "/w" }] }] })
    );
}

#[test]
fn a_condition_of_somebody_else_is_theirs() {
    let gate = |status: &str| json!({ "status": { "conditions": [{ "type": "example.com/gate", "status": status }] } });
    let mut said = read(&gate("False"));
    assert_eq!(said.conditions[0].kind, "example.com/gate");
    said.phase = Phase::Running;
    let now = apply(&said, &gate("True"));
    assert_eq!(now["conditions"], json!([{ "type": "example.com/gate", "status": "True" }]));
}

#[test]
fn a_status_that_was_never_written_reads_as_pending() {
    assert_eq!(read(&json!({})), Status::default());
    assert_eq!(
        read(&json!({ "status": { "phase": "Unknown", "conditions": 7, "containerStatuses": [null] } })).phase,
        Phase::Pending
    );
}

fn instant() -> impl Strategy<Value = Now> {
    // Whole seconds: what the API keeps.
    (0_u64..253_402_300_799).prop_map(|s| Now(s * 1000))
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[A-Za-z]{1,12}", "\\PC{1,20}"]
}

fn ended() -> impl Strategy<Value = Terminated> {
    (any::<i32>(), word(), word(), instant(), instant(), word()).prop_map(
        |(code, reason, message, started_at, finished_at, container_id)| Terminated {
            code,
            reason,
            message,
            started_at,
            finished_at,
            container_id,
        },
    )
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        (word(), word()).prop_map(|(reason, message)| State::Waiting { reason, message }),
        instant().prop_map(|since| State::Running { since }),
        ended().prop_map(State::Terminated),
    ]
}

fn container() -> impl Strategy<Value = ContainerStatus> {
    let words = (word(), word(), word(), word());
    let user = proptest::option::of((any::<u32>(), any::<u32>(), proptest::collection::vec(any::<u32>(), 0..3)));
    let user = user.prop_map(|user| user.map(|(uid, gid, groups)| User { uid, gid, groups }));
    (words, state(), proptest::option::of(ended()), any::<bool>(), any::<Option<bool>>(), any::<u32>(), user).prop_map(
        |((name, image, image_id, container_id), state, last, ready, started, restart_count, user)| ContainerStatus {
            name,
            image,
            image_id,
            container_id,
            state,
            last,
            ready,
            started,
            restart_count,
            user,
        },
    )
}

fn conditions() -> impl Strategy<Value = Vec<Condition>> {
    let kinds = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    proptest::sample::subsequence(kinds.to_vec(), 0..=kinds.len()).prop_flat_map(|kinds| {
        let one = |kind: &str| {
            let kind = kind.to_owned();
            (any::<bool>(), word(), word(), instant()).prop_map(move |(holds, reason, message, since)| Condition {
                kind: kind.clone(),
                holds,
                reason,
                message,
                since,
            })
        };
        kinds.into_iter().map(one).collect::<Vec<_>>()
    })
}

fn statuses() -> impl Strategy<Value = Status> {
    let phases = [Phase::Pending, Phase::Running, Phase::Succeeded, Phase::Failed];
    let address = || proptest::option::of("10\\.[0-9]\\.0\\.[1-9]");
    let head = (any::<i64>(), proptest::sample::select(phases.to_vec()), word(), word());
    let containers = || proptest::collection::vec(container(), 0..3);
    let lists = (containers(), containers(), containers());
    (head, address(), address(), proptest::option::of(instant()), conditions(), lists).prop_map(
        |(
            (observed_generation, phase, reason, message),
            host_ip,
            pod_ip,
            start_time,
            conditions,
            (inits, mains, ephemerals),
        )| {
            Status {
                observed_generation,
                phase,
                reason,
                message,
                host_ip,
                pod_ip,
                start_time,
                conditions,
                inits,
                mains,
                ephemerals,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(first in statuses(), second in statuses()) {
        let mut pod = json!({ "status": { "qosClass": "BestEffort" } });
        for status in [first, second] {
            pod["status"] = apply(&status, &pod);
            let mut read = read(&pod);
            // PodScheduled is kept without the node's word.
            read.conditions.retain(|c| status.conditions.iter().any(|s| s.kind == c.kind) || c.kind != "PodScheduled");
            prop_assert_eq!(&read, &status);
            prop_assert_eq!(apply(&status, &pod), pod["status"].clone());
        }
        prop_assert_eq!(&pod["status"]["qosClass"], &Value::from("BestEffort"));
    }
}

#[test]
fn sta_20_a_container_is_told_whole() {
    let pod = json!({ "spec": { "containers": [{
        "name": "m", "image": "x:1", "lifecycle": { "stopSignal": "SIGUSR1" },
        "resources": { "requests": { "cpu": "100m" }, "limits": { "memory": "1Gi" } },
        "volumeMounts": [{ "name": "v", "mountPath": "/v", "readOnly": true, "recursiveReadOnly": "IfPossible" }],
    }] } });
    let main = ContainerStatus {
        name: "m".to_owned(),
        image: "x:1".to_owned(),
        image_id: "sha256:1".to_owned(),
        container_id: "firstlight://abc".to_owned(),
        user: Some(User { uid: 1000, gid: 2000, groups: vec![2000, 3000] }),
        ..ContainerStatus::default()
    };
    let told = &apply(&Status { mains: vec![main], ..Status::default() }, &pod)["containerStatuses"][0];
    assert_eq!((&told["image"], &told["imageID"]), (&json!("x:1"), &json!("sha256:1")));
    assert_eq!(told["containerID"], "firstlight://abc");
    assert_eq!(told["allocatedResources"], json!({ "cpu": "100m" }));
    assert_eq!(told["resources"], json!({ "requests": { "cpu": "100m" }, "limits": { "memory": "1Gi" } }));
    let mount = json!([{ "name": "v", "mountPath": "/v", "readOnly": true, "recursiveReadOnly": "Enabled" }]);
    assert_eq!(told["volumeMounts"], mount);
    assert_eq!(told["user"], json!({ "linux": { "uid": 1000, "gid": 2000, "supplementalGroups": [2000, 3000] } }));
    assert_eq!(told["stopSignal"], "SIGUSR1");
}
