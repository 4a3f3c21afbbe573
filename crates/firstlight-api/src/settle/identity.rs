//! How the pod names itself and finds others (NET-1, NET-2, NET-6).

use crate::view::View;
use firstlight_pod::spec::Identity;
use serde_json::Value;

/// The DNS domain of the cluster.
pub const DOMAIN: &str = "cluster.local";

/// The longest host name the kernel and DNS labels allow.
const LONGEST_HOSTNAME: usize = 63;

pub(super) fn settle(metadata: &Value, spec: &Value) -> Identity {
    let policy = spec.text_some("dnsPolicy").unwrap_or("ClusterFirst");
    let config = spec.object("dnsConfig");
    let override_name = spec.text_some("hostnameOverride");
    let name = override_name.or_else(|| spec.text_some("hostname")).unwrap_or_else(|| metadata.text("name"));
    let hostname = cut(name);
    // An overridden host name is the whole name: it has no place in a subdomain.
    let subdomain = spec.text_some("subdomain").filter(|_| override_name.is_none());
    let namespace = metadata.text("namespace");
    Identity {
        fqdn: subdomain.map(|subdomain| format!("{hostname}.{subdomain}.{namespace}.svc.{DOMAIN}")),
        hostname,
        hostname_is_fqdn: spec.flag("setHostnameAsFQDN"),
        host_aliases: spec
            .list("hostAliases")
            .iter()
            .map(|a| (a.text("ip").to_owned(), a.texts("hostnames")))
            .collect(),
        cluster_dns: matches!(policy, "ClusterFirst" | "ClusterFirstWithHostNet"),
        host_dns: policy == "Default",
        nameservers: config.texts("nameservers"),
        searches: config.texts("searches"),
        options: config.list("options").iter().map(option).collect(),
    }
}

fn cut(name: &str) -> String {
    let end = name.char_indices().nth(LONGEST_HOSTNAME).map_or(name.len(), |(at, _)| at);
    name.get(..end).unwrap_or(name).trim_end_matches(['-', '.']).to_owned()
}

fn option(option: &Value) -> String {
    match option.get_some("value").and_then(Value::as_str) {
        Some(value) => format!("{}:{value}", option.text("name")),
        None => option.text("name").to_owned(),
    }
}
