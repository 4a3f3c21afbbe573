use super::decide;
use crate::event::{Event, Exit, Instance};
use crate::seen::Seen;
use crate::spec::{Container, Identity, PodId, Qos, RestartPolicy, Rules, Spec};
use crate::status::State;
use crate::time::{Millis, Now};
use std::collections::BTreeMap;

fn spec(mains: usize) -> Spec {
    let main = |number| Container { name: format!("m{number}"), image: "m:1".to_owned(), ..Container::default() };
    Spec {
        id: PodId { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() },
        generation: 7,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        node: "node1".to_owned(),
        service_account: "sa".to_owned(),
        identity: Identity::default(),
        restart: RestartPolicy::Never,
        grace: Millis::secs(30),
        deadline: None,
        inits: Vec::new(),
        mains: (0..mains).map(main).collect(),
        volumes: Vec::new(),
        readiness_gates: Vec::new(),
        ephemerals: Vec::new(),
        pull_secrets: Vec::new(),
        fs_group: None,
        qos: Qos::BestEffort,
        share_processes: false,
        sysctls: BTreeMap::new(),
        rules: Rules::default(),
    }
}

/// How long the first main's termination message is told, if it said this.
fn told(mains: usize, message: &str) -> usize {
    let mut seen = Seen::default();
    let instance = Instance { container: "m0".to_owned(), attempt: 0 };
    let exit = Exit { message: message.to_owned(), ..Exit::default() };
    let (pod_ip, host_ip) = ("10.0.0.2".to_owned(), "10.0.0.1".to_owned());
    for event in [
        Event::Said { status: Box::default(), at: Now(1) },
        Event::SandboxReady { attempt: 0, pod_ip, host_ip, at: Now(1) },
        Event::Started { instance: instance.clone(), at: Now(2) },
        Event::Exited { instance, exit },
    ] {
        seen.fold(&event);
    }
    let status = decide(&spec(mains), &seen, Now(10)).status;
    match &status.mains[0].state {
        State::Terminated(ended) => ended.message.len(),
        State::Waiting { .. } | State::Running { .. } => panic!("it ended: {status:?}"),
    }
}

#[test]
fn msg_2_termination_messages_are_cut_to_their_share() {
    assert_eq!(told(1, &"x".repeat(5000)), 4096);
    assert_eq!(told(3, &"x".repeat(5000)), 4096);
    assert_eq!(told(10, &"x".repeat(5000)), 1228);
    assert_eq!(told(1, "short"), 5);
    // Never in the middle of a character.
    assert_eq!(told(1, &"€".repeat(2000)), 4095);
}
