use super::*;
use crate::time::Now;

#[test]
fn lengths_read_as_go_prints_them() {
    for (millis, expected) in [
        (0, "0s"),
        (7, "7ms"),
        (345, "345ms"),
        (1000, "1s"),
        (1200, "1.2s"),
        (61_005, "1m1.005s"),
        (600_000, "10m0s"),
        (3_600_000, "1h0m0s"),
        (36_610_500, "10h10m10.5s"),
    ] {
        assert_eq!(go_millis(Millis(millis)), expected);
    }
}

#[test]
fn what_dies_before_its_turn_is_not_told_as_a_failure() {
    let instance = Instance { container: "m".to_owned(), attempt: 0 };
    let create = Do::Create { instance: instance.clone(), sandbox: 0, launch: Box::default(), ahead: true };
    let created = Event::Created {
        instance: instance.clone(),
        id: "abc".to_owned(),
        image_id: "sha256:1".to_owned(),
        user: None,
        at: Now(2),
    };
    let mut seen = Seen::default();
    for event in [Event::Asked { what: create, at: Now(1) }, created] {
        seen.fold(&event);
    }
    assert!(is_ahead(&seen, &instance));
    seen.fold(&Event::Asked { what: Do::Start { instance: instance.clone() }, at: Now(3) });
    assert!(!is_ahead(&seen, &instance));
}

#[test]
fn sta_15_people_read_names_not_ids() {
    let (instance, id) = (Instance { container: "m".to_owned(), attempt: 0 }, "4f".repeat(32));
    let created =
        Event::Created { instance: instance.clone(), id: id.clone(), image_id: String::new(), user: None, at: Now(2) };
    let mut seen = Seen::default();
    seen.fold(&created);
    let message = format!("starting container {id}: no such file, says {id}");
    let failed = Event::StartFailed { instance: instance.clone(), failure: StartFailure::Run, message, at: Now(3) };
    let reports = of_event(&spec(), &seen, &failed);
    assert_eq!(reports[0].message, "Error: starting container m: no such file, says m");
    seen.fold(&failed);
    let outcome = Err(format!("container {id} has ended"));
    let late = Event::HookDone { instance, hook: Hook::PreStop, outcome, at: Now(4) };
    assert_eq!(of_event(&spec(), &seen, &late)[0].message, "PreStopHook failed: container m has ended");
}

fn spec() -> Spec {
    Spec {
        id: crate::spec::PodId { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() },
        generation: 1,
        labels: Default::default(),
        annotations: Default::default(),
        node: String::new(),
        service_account: String::new(),
        identity: Default::default(),
        restart: Default::default(),
        grace: Millis(0),
        deadline: None,
        inits: Vec::new(),
        mains: vec![Container { name: "m".to_owned(), ..Container::default() }],
        ephemerals: Vec::new(),
        qos: Default::default(),
        share_processes: false,
        volumes: Vec::new(),
        readiness_gates: Vec::new(),
        pull_secrets: Vec::new(),
        fs_group: None,
        sysctls: Default::default(),
        rules: Default::default(),
    }
}
