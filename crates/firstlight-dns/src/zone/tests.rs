//! Questions and answers over one small cluster.

use super::{Answer, Cluster, Data, Kind, answer};
use serde_json::{Value, json};

#[derive(Default)]
struct Small {
    services: Vec<&'static str>,
    slices: Vec<Value>,
    pods: Vec<Value>,
}

impl Cluster for Small {
    fn has_namespace(&self, name: &str) -> bool {
        name == "n" || name == "empty"
    }

    fn has_service(&self, namespace: &str, name: &str) -> bool {
        namespace == "n" && self.services.contains(&name)
    }

    fn slices<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        self.slices.iter().filter(move |_| namespace.is_none_or(|namespace| namespace == "n"))
    }

    fn pods<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        self.pods.iter().filter(move |_| namespace.is_none_or(|namespace| namespace == "n"))
    }
}

fn slice(service: &str, endpoints: &Value) -> Value {
    json!({
        "metadata": { "namespace": "n", "name": format!("{service}-x"), "labels": { "kubernetes.io/service-name": service } },
        "addressType": "IPv4",
        "ports": [{ "name": "rpc", "protocol": "TCP", "port": 26657 }, { "name": "gossip", "protocol": "UDP", "port": 26656 }],
        "endpoints": endpoints,
    })
}

/// `peers` is a StatefulSet's Service with one ready pod, one that is not, and one of unknown readiness without a
/// name of its own; `down` has no ready endpoint.
fn small() -> Small {
    let pod = |address: &str, host: bool, phase: &str| {
        json!({
            "metadata": { "namespace": "n" }, "spec": { "hostNetwork": host },
            "status": { "podIP": address, "phase": phase },
        })
    };
    let peers = json!([
        { "addresses": ["10.0.0.1"], "hostname": "node-0", "conditions": { "ready": true } },
        { "addresses": ["10.0.0.2"], "hostname": "node-1", "conditions": { "ready": false } },
        { "addresses": ["10.0.0.3"], "conditions": {} },
    ]);
    let again = json!([{ "addresses": ["10.0.0.1"], "hostname": "node-0", "conditions": { "ready": true } }]);
    let mut v6 = slice("peers", &json!([{ "addresses": ["fd00::1"] }]));
    v6["addressType"] = json!("IPv6");
    Small {
        services: vec!["peers", "down", "bare"],
        slices: vec![
            slice("peers", &peers),
            slice("peers", &again),
            v6,
            slice("down", &json!([{ "addresses": ["10.0.0.4"], "hostname": "d", "conditions": { "ready": false } }])),
            slice("deleted", &json!([{ "addresses": ["10.0.0.5"], "hostname": "x" }])),
        ],
        pods: vec![
            pod("10.0.0.1", false, "Running"),
            pod("10.0.0.9", false, "Pending"),
            pod("192.168.0.1", true, "Running"),
            pod("10.0.0.8", false, "Failed"),
            pod("", false, "Pending"),
        ],
    }
}

fn ask(kind: Kind, name: &str) -> Answer {
    let labels = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<_>>();
    answer(&small(), &labels("cluster.local"), &labels(name), kind)
}

fn addresses(last: &[u8]) -> Answer {
    let data = last.iter().map(|last| Data::A([10, 0, 0, *last].into())).collect();
    Answer::Records { data, hosts: Vec::new() }
}

#[test]
fn net_4_a_headless_service_answers_with_its_ready_endpoints_each_once() {
    assert_eq!(ask(Kind::A, "peers.n.svc.cluster.local"), addresses(&[1, 3]));
}

#[test]
fn a_service_without_a_ready_endpoint_exists_all_the_same() {
    assert_eq!(ask(Kind::A, "down.n.svc.cluster.local"), Answer::Empty);
    assert_eq!(ask(Kind::A, "bare.n.svc.cluster.local"), Answer::Empty);
}

#[test]
fn net_3_an_endpoint_has_a_name_of_its_own_while_it_is_ready() {
    assert_eq!(ask(Kind::A, "node-0.peers.n.svc.cluster.local"), addresses(&[1]));
    assert_eq!(ask(Kind::A, "node-1.peers.n.svc.cluster.local"), Answer::NoSuchName);
    assert_eq!(ask(Kind::A, "10-0-0-3.peers.n.svc.cluster.local"), addresses(&[3]), "without a host name: its address");
    assert_eq!(ask(Kind::A, "10-0-0-1.peers.n.svc.cluster.local"), Answer::NoSuchName, "with one: only that");
}

#[test]
fn names_that_exist_without_the_record_are_not_names_that_do_not_exist() {
    for (kind, name, wanted) in [
        (Kind::Other, "peers.n.svc.cluster.local", Answer::Empty),
        (Kind::Srv, "peers.n.svc.cluster.local", Answer::Empty),
        (Kind::Other, "node-0.peers.n.svc.cluster.local", Answer::Empty),
        (Kind::A, "_rpc._tcp.peers.n.svc.cluster.local", Answer::Empty),
        (Kind::A, "_tcp.peers.n.svc.cluster.local", Answer::Empty),
        (Kind::A, "_sctp.peers.n.svc.cluster.local", Answer::NoSuchName),
        (Kind::Srv, "_rpc._udp.peers.n.svc.cluster.local", Answer::NoSuchName),
        (Kind::Srv, "_web._tcp.peers.n.svc.cluster.local", Answer::NoSuchName),
        (Kind::A, "nobody.n.svc.cluster.local", Answer::NoSuchName),
        (Kind::A, "peers.m.svc.cluster.local", Answer::NoSuchName),
        (Kind::A, "n.svc.cluster.local", Answer::Empty),
        (Kind::A, "empty.pod.cluster.local", Answer::Empty),
        (Kind::A, "m.svc.cluster.local", Answer::NoSuchName),
        (Kind::A, "svc.cluster.local", Answer::Empty),
        (Kind::A, "cluster.local", Answer::Empty),
        (Kind::A, "dns-version.cluster.local", Answer::Empty),
        (Kind::A, "what.cluster.local", Answer::NoSuchName),
        (Kind::A, "example.com", Answer::Elsewhere),
    ] {
        assert_eq!(ask(kind, name), wanted, "{kind:?} {name}");
    }
}

#[test]
fn slices_of_a_service_that_is_gone_answer_nothing() {
    assert_eq!(ask(Kind::A, "deleted.n.svc.cluster.local"), Answer::NoSuchName);
    assert_eq!(ask(Kind::A, "x.deleted.n.svc.cluster.local"), Answer::NoSuchName);
    assert_eq!(ask(Kind::Srv, "_rpc._tcp.deleted.n.svc.cluster.local"), Answer::NoSuchName);
}

#[test]
fn a_port_answers_with_the_host_of_each_ready_endpoint() {
    let host = |host: &str| format!("{host}.peers.n.svc.cluster.local");
    let target = |host| Data::Srv { port: 26657, target: host };
    assert_eq!(
        ask(Kind::Srv, "_rpc._tcp.peers.n.svc.cluster.local"),
        Answer::Records {
            data: vec![target(host("10-0-0-3")), target(host("node-0"))],
            hosts: vec![(host("10-0-0-3"), [10, 0, 0, 3].into()), (host("node-0"), [10, 0, 0, 1].into())],
        }
    );
    assert_eq!(ask(Kind::Srv, "_rpc._tcp.down.n.svc.cluster.local"), Answer::Empty);
}

#[test]
fn a_pod_is_known_by_its_address_in_its_namespace() {
    assert_eq!(ask(Kind::A, "10-0-0-9.n.pod.cluster.local"), addresses(&[9]));
    assert_eq!(ask(Kind::Other, "10-0-0-9.n.pod.cluster.local"), Answer::Empty);
    for name in ["10-0-0-9.m.pod", "10-0-0-99.n.pod", "192-168-0-1.n.pod", "10-0-0-8.n.pod"] {
        assert_eq!(ask(Kind::A, &format!("{name}.cluster.local")), Answer::NoSuchName, "{name}");
    }
}

#[test]
fn an_address_has_the_name_of_its_endpoint_or_else_of_its_pod() {
    let names = |name: &str| Answer::Records { data: vec![Data::Ptr(name.to_owned())], hosts: Vec::new() };
    assert_eq!(ask(Kind::Ptr, "1.0.0.10.in-addr.arpa"), names("node-0.peers.n.svc.cluster.local"));
    assert_eq!(ask(Kind::Ptr, "3.0.0.10.in-addr.arpa"), names("10-0-0-3.peers.n.svc.cluster.local"));
    assert_eq!(ask(Kind::Ptr, "9.0.0.10.in-addr.arpa"), names("10-0-0-9.n.pod.cluster.local"));
    assert_eq!(ask(Kind::A, "9.0.0.10.in-addr.arpa"), Answer::Empty);
    assert_eq!(ask(Kind::Ptr, "1.0.168.192.in-addr.arpa"), Answer::Elsewhere, "the host's own address is not ours");
}

#[test]
fn the_domain_has_an_authority_and_a_version() {
    assert_eq!(ask(Kind::Soa, "cluster.local"), Answer::Records { data: vec![Data::Soa], hosts: Vec::new() });
    let version = Answer::Records { data: vec![Data::Txt("1.1.0")], hosts: Vec::new() };
    assert_eq!(ask(Kind::Txt, "dns-version.cluster.local"), version);
}
