//! What names stand for, as a table.

use super::{Place, place};

fn labels(name: &str) -> Vec<String> {
    name.split('.').filter(|label| !label.is_empty()).map(str::to_owned).collect()
}

#[test]
fn names_stand_for_places() {
    let domain = labels("cluster.local");
    let (namespace, service) = ("n", "s");
    let pod = |address: [u8; 4]| Place::Pod { namespace, address: address.into() };
    for (name, wanted) in [
        ("cluster.local", Place::Apex),
        ("dns-version.cluster.local", Place::Version),
        ("svc.cluster.local", Place::Branch),
        ("pod.cluster.local", Place::Branch),
        ("n.svc.cluster.local", Place::Namespace { namespace }),
        ("n.pod.cluster.local", Place::Namespace { namespace }),
        ("s.n.svc.cluster.local", Place::Service { namespace, service }),
        ("h.s.n.svc.cluster.local", Place::Endpoint { namespace, service, host: "h" }),
        ("_tcp.s.n.svc.cluster.local", Place::Protocol { namespace, service, protocol: "tcp" }),
        ("_web._tcp.s.n.svc.cluster.local", Place::Port { namespace, service, protocol: "tcp", port: "web" }),
        ("web._tcp.s.n.svc.cluster.local", Place::Nothing),
        ("a.b.c.s.n.svc.cluster.local", Place::Nothing),
        ("10-0-0-7.n.pod.cluster.local", pod([10, 0, 0, 7])),
        ("10-0-0-256.n.pod.cluster.local", Place::Nothing),
        ("10-0-7.n.pod.cluster.local", Place::Nothing),
        ("010-0-0-7.n.pod.cluster.local", Place::Nothing),
        ("web.n.pod.cluster.local", Place::Nothing),
        ("what.cluster.local", Place::Nothing),
        ("7.0.0.10.in-addr.arpa", Place::Reverse { address: [10, 0, 0, 7].into() }),
        ("0.0.10.in-addr.arpa", Place::Elsewhere),
        ("x.0.0.10.in-addr.arpa", Place::Elsewhere),
        ("s.n.svc", Place::Elsewhere),
        ("example.com", Place::Elsewhere),
        ("notcluster.local", Place::Elsewhere),
        ("local", Place::Elsewhere),
        ("", Place::Elsewhere),
    ] {
        assert_eq!(place(&labels(name), &domain), wanted, "{name}");
    }
}

#[test]
fn a_dot_inside_a_label_does_not_make_two() {
    let name = ["s.n", "svc", "cluster", "local"].map(str::to_owned);
    assert_eq!(place(&name, &labels("cluster.local")), Place::Namespace { namespace: "s.n" });
}
