//! What is there: the answer to a question, as of one state of the cluster. Pure.
//!
//! Headless Services answer with the addresses of their ready endpoints (NET-4). Whether an endpoint that is not
//! ready is published nevertheless is the Service's `publishNotReadyAddresses`; the controller that writes
//! EndpointSlices says so by their `ready` condition, so only that is read here.

use crate::place::{Place, place};
use firstlight_api::object::{at, text};
use serde_json::Value;
use std::net::Ipv4Addr;

/// The version of the naming rules these are.
const VERSION: &str = "1.1.0";

/// The label by which a slice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The state of the cluster, as far as names need it.
pub(crate) trait Cluster {
    /// Whether there is a namespace of this name.
    fn has_namespace(&self, name: &str) -> bool;
    /// Whether there is a Service of this name.
    fn has_service(&self, namespace: &str, name: &str) -> bool;
    /// The EndpointSlices of a namespace, or of all.
    fn slices<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value>;
    /// The Pods of a namespace, or of all.
    fn pods<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value>;
}

/// The kinds of record that exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An IPv4 address.
    A,
    /// A port and a host name.
    Srv,
    /// The name of an address.
    Ptr,
    /// A text.
    Txt,
    /// The authority.
    Soa,
    /// Any other: of those there are none.
    Other,
}

/// One record's content. Names are without the final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Data {
    /// An address.
    A(Ipv4Addr),
    /// A port of a host.
    Srv { port: u16, target: String },
    /// A name.
    Ptr(String),
    /// A text.
    Txt(&'static str),
    /// This zone's authority.
    Soa,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// These; and the addresses of the hosts named in them.
    Records { data: Vec<Data>, hosts: Vec<(String, Ipv4Addr)> },
    /// The name exists, without such a record (RFC 2308, NODATA).
    Empty,
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// Another server must be asked.
    Elsewhere,
}

/// Answers `kind` of `name` in `domain`; both as labels in lower case.
pub(crate) fn answer(cluster: &impl Cluster, domain: &[String], name: &[String], kind: Kind) -> Answer {
    match place(name, domain) {
        Place::Apex => only(kind == Kind::Soa, Data::Soa),
        Place::Version => only(kind == Kind::Txt, Data::Txt(VERSION)),
        Place::Branch => Answer::Empty,
        Place::Namespace { namespace } => exists(cluster.has_namespace(namespace)),
        Place::Service { namespace, service }
        | Place::Endpoint { namespace, service, .. }
        | Place::Protocol { namespace, service, .. }
        | Place::Port { namespace, service, .. }
            if !cluster.has_service(namespace, service) =>
        {
            Answer::NoSuchName
        }
        Place::Service { namespace, service } => {
            let addresses = || endpoints(cluster, Some(namespace), Some(service)).map(|(_, endpoint)| endpoint.address);
            records(true, kind == Kind::A, || addresses().map(Data::A).collect())
        }
        Place::Endpoint { namespace, service, host } => {
            let known = endpoints(cluster, Some(namespace), Some(service)).filter(|(_, known)| known.host() == host);
            let data: Vec<Data> = known.map(|(_, endpoint)| Data::A(endpoint.address)).collect();
            records(!data.is_empty(), kind == Kind::A, || data)
        }
        Place::Protocol { namespace, service, protocol } => {
            let mut slices = of_service(cluster, Some(namespace), Some(service));
            exists(slices.any(|slice| ports(slice).any(|port| port.protocol == protocol)))
        }
        Place::Port { namespace, service, protocol, port } => {
            let wanted = |known: &Port<'_>| known.protocol == protocol && known.name == port;
            port_records(cluster, domain, namespace, service, kind, wanted)
        }
        Place::Pod { namespace, address } => {
            let mut pods = cluster.pods(Some(namespace));
            records(pods.any(|pod| own_address(pod) == Some(address)), kind == Kind::A, || vec![Data::A(address)])
        }
        Place::Reverse { address } => match names_of(cluster, domain, address) {
            names if names.is_empty() => Answer::Elsewhere,
            names => records(true, kind == Kind::Ptr, || names.into_iter().map(Data::Ptr).collect()),
        },
        Place::Nothing => Answer::NoSuchName,
        Place::Elsewhere => Answer::Elsewhere,
    }
}

fn exists(exists: bool) -> Answer {
    if exists { Answer::Empty } else { Answer::NoSuchName }
}

fn only(asked: bool, data: Data) -> Answer {
    records(true, asked, || vec![data])
}

fn records(exists: bool, asked: bool, data: impl FnOnce() -> Vec<Data>) -> Answer {
    if !exists || !asked {
        return self::exists(exists);
    }
    let mut data = data();
    data.sort();
    data.dedup();
    if data.is_empty() { Answer::Empty } else { Answer::Records { data, hosts: Vec::new() } }
}

/// A ready endpoint of a slice.
struct Endpoint<'a> {
    address: Ipv4Addr,
    hostname: &'a str,
}

impl Endpoint<'_> {
    /// Its name under its Service: the pod's, if it has one there (NET-3), else its address.
    fn host(&self) -> String {
        if self.hostname.is_empty() { dashed(self.address) } else { self.hostname.to_ascii_lowercase() }
    }
}

/// A port of a slice.
struct Port<'a> {
    name: &'a str,
    protocol: String,
    number: u16,
}

fn of_service<'a>(
    cluster: &'a impl Cluster,
    namespace: Option<&'a str>,
    service: Option<&'a str>,
) -> impl Iterator<Item = &'a Value> {
    let named = move |slice: &&Value| {
        service.is_none_or(|service| text(slice, &["metadata", "labels", SERVICE_NAME]) == service)
    };
    cluster.slices(namespace).filter(named)
}

/// The ready endpoints, each with its slice.
fn endpoints<'a>(
    cluster: &'a impl Cluster,
    namespace: Option<&'a str>,
    service: Option<&'a str>,
) -> impl Iterator<Item = (&'a Value, Endpoint<'a>)> {
    of_service(cluster, namespace, service).flat_map(|slice| ready(slice).map(move |endpoint| (slice, endpoint)))
}

fn ready(slice: &Value) -> impl Iterator<Item = Endpoint<'_>> {
    // Unknown readiness counts as ready (EndpointConditions.ready).
    let ready = |endpoint: &&Value| at(endpoint, &["conditions", "ready"]) != Some(&Value::Bool(false));
    list(slice, "endpoints").filter(ready).flat_map(|endpoint| {
        // Those of other families are passed over by not being of this one.
        let addresses = list(endpoint, "addresses").filter_map(|address| address.as_str()?.parse().ok());
        addresses.map(|address| Endpoint { address, hostname: text(endpoint, &["hostname"]) })
    })
}

fn ports(slice: &Value) -> impl Iterator<Item = Port<'_>> {
    list(slice, "ports").filter_map(|port| {
        let number = u16::try_from(at(port, &["port"])?.as_u64()?).ok()?;
        let protocol = text(port, &["protocol"]).to_ascii_lowercase();
        let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol };
        Some(Port { name: text(port, &["name"]), protocol, number })
    })
}

fn port_records(
    cluster: &impl Cluster,
    domain: &[String],
    namespace: &str,
    service: &str,
    kind: Kind,
    wanted: impl Fn(&Port<'_>) -> bool,
) -> Answer {
    let slices: Vec<&Value> = of_service(cluster, Some(namespace), Some(service)).collect();
    let known = slices.iter().any(|slice| ports(slice).any(|port| wanted(&port)));
    let mut hosts = Vec::new();
    let answer = records(known, kind == Kind::Srv, || {
        let mut data = Vec::new();
        for slice in &slices {
            for port in ports(slice).filter(|port| wanted(port)) {
                for endpoint in ready(slice) {
                    let target = format!("{}.{service}.{namespace}.svc.{}", endpoint.host(), domain.join("."));
                    hosts.push((target.clone(), endpoint.address));
                    data.push(Data::Srv { port: port.number, target });
                }
            }
        }
        data
    });
    hosts.sort();
    hosts.dedup();
    match answer {
        Answer::Records { data, hosts: _ } => Answer::Records { data, hosts },
        other => other,
    }
}

/// The names of an address: as an endpoint, else as a pod.
fn names_of(cluster: &impl Cluster, domain: &[String], address: Ipv4Addr) -> Vec<String> {
    let domain = domain.join(".");
    let endpoints = endpoints(cluster, None, None).filter(|(_, endpoint)| endpoint.address == address);
    let names: Vec<String> = endpoints
        .map(|(slice, endpoint)| {
            let service = text(slice, &["metadata", "labels", SERVICE_NAME]);
            format!("{}.{service}.{}.svc.{domain}", endpoint.host(), text(slice, &["metadata", "namespace"]))
        })
        .collect();
    if !names.is_empty() {
        return names;
    }
    let pods = cluster.pods(None).filter(|pod| own_address(pod) == Some(address));
    pods.map(|pod| format!("{}.{}.pod.{domain}", dashed(address), text(pod, &["metadata", "namespace"]))).collect()
}

/// A pod's address, unless it is its node's.
fn own_address(pod: &Value) -> Option<Ipv4Addr> {
    let shared = at(pod, &["spec", "hostNetwork"]) == Some(&Value::Bool(true));
    let over = matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed");
    if shared || over { None } else { text(pod, &["status", "podIP"]).parse().ok() }
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    at(value, &[field]).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests;
