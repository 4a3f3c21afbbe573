//! What a name stands for. Pure; nothing is looked up here.
//!
//! | name, before the domain | place |
//! | --- | --- |
//! | `S.N.svc` | a Service |
//! | `H.S.N.svc` | one of its endpoints |
//! | `_port._proto.S.N.svc` | one of its ports |
//! | `a-b-c-d.N.pod` | a pod, by its address |
//! | `d.c.b.a.in-addr.arpa`, without the domain | whoever has the address |

use std::net::Ipv4Addr;

/// What a name stands for. All texts are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The domain itself.
    Apex,
    /// `dns-version`: which version of the naming rules this is.
    Version,
    /// A name that only has names below it, whatever the store holds: `svc`, `pod`.
    Branch,
    /// The names of a namespace: of its Services or of its pods.
    Namespace { namespace: &'a str },
    /// A Service.
    Service { namespace: &'a str, service: &'a str },
    /// An endpoint of a Service, by its host name.
    Endpoint { namespace: &'a str, service: &'a str, host: &'a str },
    /// `_proto` of a Service: the names of its ports.
    Protocol { namespace: &'a str, service: &'a str, protocol: &'a str },
    /// A port of a Service.
    Port { namespace: &'a str, service: &'a str, protocol: &'a str, port: &'a str },
    /// A pod, by its address.
    Pod { namespace: &'a str, address: Ipv4Addr },
    /// The name of an address.
    Reverse { address: Ipv4Addr },
    /// A name of the domain that cannot exist.
    Nothing,
    /// A name of somebody else's.
    Elsewhere,
}

/// What `name` stands for in `domain`: labels in lower case, the first one first.
pub(crate) fn place<'a>(name: &'a [String], domain: &[String]) -> Place<'a> {
    if let Some(inner) = name.strip_suffix(domain) {
        return within(inner);
    }
    match name {
        [d, c, b, a, arpa, root] if arpa == "in-addr" && root == "arpa" => {
            address([a, b, c, d]).map_or(Place::Elsewhere, |address| Place::Reverse { address })
        }
        _ => Place::Elsewhere,
    }
}

fn within(labels: &[String]) -> Place<'_> {
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    match labels[..] {
        [] => Place::Apex,
        ["dns-version"] => Place::Version,
        ["svc" | "pod"] => Place::Branch,
        [namespace, "svc" | "pod"] => Place::Namespace { namespace },
        [service, namespace, "svc"] => Place::Service { namespace, service },
        [dashed, namespace, "pod"] => match address(dashed.split('-')) {
            Some(address) => Place::Pod { namespace, address },
            None => Place::Nothing,
        },
        [first, service, namespace, "svc"] => match first.strip_prefix('_') {
            Some(protocol) => Place::Protocol { namespace, service, protocol },
            None => Place::Endpoint { namespace, service, host: first },
        },
        [port, protocol, service, namespace, "svc"] => match (port.strip_prefix('_'), protocol.strip_prefix('_')) {
            (Some(port), Some(protocol)) => Place::Port { namespace, service, protocol, port },
            _ => Place::Nothing,
        },
        _ => Place::Nothing,
    }
}

/// Four numbers as they are written in addresses: no sign, no needless zero.
fn address<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> Option<Ipv4Addr> {
    let parts: Vec<S> = parts.into_iter().collect();
    let dotted: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    dotted.join(".").parse().ok()
}

#[cfg(test)]
mod tests;
