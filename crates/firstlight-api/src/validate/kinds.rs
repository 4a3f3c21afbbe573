//! The smaller kinds: EndpointSlice, Lease, Event, ControllerRevision, ServiceAccount.

use super::pod::one_of;
use super::text;
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Upstream's limits of a slice.
const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;

pub(super) fn endpoint_slice(slice: &Value, refused: &mut Refusals) {
    match slice.text("addressType") {
        "" => refused.required("addressType", ""),
        _ => one_of_root(slice, "addressType", &["FQDN", "IPv4", "IPv6"], refused),
    }
    let endpoints = slice.list("endpoints");
    if endpoints.len() > ENDPOINTS_MAX {
        refused.too_many("endpoints", endpoints.len(), ENDPOINTS_MAX);
    }
    for (i, endpoint) in endpoints.iter().enumerate() {
        self::endpoint(endpoint, slice.text("addressType"), &format!("endpoints[{i}]"), refused);
    }
    let mut names = BTreeSet::new();
    for (i, port) in slice.list("ports").iter().enumerate() {
        let at = format!("ports[{i}]");
        let name = port.text("name");
        if !name.is_empty() {
            refused.each(&format!("{at}.name"), name, text::dns_label(name));
        }
        if !names.insert(name) {
            refused.duplicate(&format!("{at}.name"), name);
        }
        one_of(port, "protocol", &["SCTP", "TCP", "UDP"], &at, refused);
    }
}

fn one_of_root(of: &Value, key: &str, values: &[&str], refused: &mut Refusals) {
    if !values.contains(&of.text(key)) {
        refused.unsupported(key, of.text(key), values);
    }
}

fn endpoint(endpoint: &Value, kind: &str, path: &str, refused: &mut Refusals) {
    let addresses = endpoint.texts("addresses");
    let at = format!("{path}.addresses");
    if addresses.is_empty() {
        refused.required(&at, "must contain at least 1 address");
    } else if addresses.len() > ADDRESSES_MAX {
        refused.too_many(&at, addresses.len(), ADDRESSES_MAX);
    }
    for (i, address) in addresses.iter().enumerate() {
        let at = format!("{at}[{i}]");
        match kind {
            "IPv4" if address.parse::<std::net::Ipv4Addr>().is_err() => {
                refused.invalid(&at, address.as_str(), "must be a valid IPv4 address");
            }
            "IPv6" if address.parse::<std::net::Ipv6Addr>().is_err() => {
                refused.invalid(&at, address.as_str(), "must be a valid IPv6 address");
            }
            "FQDN" => refused.each(&at, address, text::dns_subdomain(address)),
            _ => {}
        }
    }
    if let Some(hostname) = endpoint.text_some("hostname") {
        refused.each(&format!("{path}.hostname"), hostname, text::dns_label(hostname));
    }
}

pub(super) fn endpoint_slice_update(old: &Value, new: &Value, refused: &mut Refusals) {
    if old.text("addressType") != new.text("addressType") {
        refused.invalid("addressType", new.text("addressType"), "field is immutable");
    }
}

pub(super) fn lease(lease: &Value, refused: &mut Refusals) {
    let spec = lease.object("spec");
    if let Some(seconds) = spec.int("leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        refused.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    if let Some(count) = spec.int("leaseTransitions").filter(|count| *count < 0) {
        refused.invalid("spec.leaseTransitions", count, text::NOT_NEGATIVE);
    }
}

/// An event of either view lives beside what it is about; what has no namespace is told of in `default`.
pub(super) fn event(event: &Value, refused: &mut Refusals) {
    let (key, about) = match event.get_some("regarding") {
        Some(about) => ("regarding", about),
        None => ("involvedObject", event.object("involvedObject")),
    };
    let namespace = event.object("metadata").text("namespace");
    let about = about.text("namespace");
    let beside = if about.is_empty() { matches!(namespace, "default" | "") } else { about == namespace };
    if !beside {
        refused.invalid(&format!("{key}.namespace"), about, "does not match event.namespace");
    }
}

pub(super) fn controller_revision(revision: &Value, refused: &mut Refusals) {
    if revision.get_some("data").is_none() {
        refused.required("data", "data is mandatory");
    }
    if let Some(number) = revision.int("revision").filter(|number| *number < 0) {
        refused.invalid("revision", number, text::NOT_NEGATIVE);
    }
}

pub(super) fn controller_revision_update(old: &Value, new: &Value, refused: &mut Refusals) {
    if old.object("data") != new.object("data") {
        refused.invalid("data", json!(new.object("data")), "field is immutable");
    }
}

pub(super) fn service_account(account: &Value, refused: &mut Refusals) {
    for (i, secret) in account.list("imagePullSecrets").iter().enumerate() {
        if secret.text("name").is_empty() {
            refused.required(&format!("imagePullSecrets[{i}].name"), "");
        }
    }
}
