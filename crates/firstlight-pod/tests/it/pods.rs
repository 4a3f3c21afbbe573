//! Pods to decide about, written shortly.

use firstlight_pod::spec::{Container, Handler, Identity, Init, Probe, Qos, RestartPolicy};
use firstlight_pod::{Millis, PodId, Rules, Spec};
use std::collections::BTreeMap;

pub(crate) fn container(name: &str) -> Container {
    Container {
        name: name.to_owned(),
        image: format!("{name}:1"),
        termination_message_path: "/dev/termination-log".to_owned(),
        ..Container::default()
    }
}

pub(crate) fn pod(restart: RestartPolicy, inits: Vec<Init>, mains: Vec<Container>) -> Spec {
    Spec {
        id: PodId { namespace: "default".to_owned(), name: "p".to_owned(), uid: "u1".to_owned() },
        generation: 1,
        labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        annotations: BTreeMap::new(),
        node: "node1".to_owned(),
        service_account: "default".to_owned(),
        identity: Identity { hostname: "p".to_owned(), ..Identity::default() },
        restart,
        grace: Millis::secs(30),
        deadline: None,
        inits,
        mains,
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

pub(crate) fn probe(period: Millis, failure_threshold: u32) -> Probe {
    Probe {
        handler: Handler::Tcp { host: String::new(), port: 80 },
        initial_delay: Millis(0),
        period,
        timeout: Millis::secs(1),
        success_threshold: 1,
        failure_threshold,
        grace: None,
    }
}
