//! A pod's spec, in a Pod or in a template (VAL-1 to VAL-24).

use super::{container, security, text, volume};
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The most DNS servers, search domains and characters of search domains that resolvers take (NET-6).
const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCH_CHARS_MAX: usize = 2048;
/// The longest deadline (upstream: `validation.MaxInt32`).
const DEADLINE_MAX_S: i64 = i32::MAX as i64;

/// Where a pod's spec stands. Templates are looser where a Pod made from them gets more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A Pod.
    Pod,
    /// A template.
    Template,
}

pub(super) fn check(spec: &Value, path: &str, holder: Holder, refused: &mut Refusals) {
    let volumes = volume::check(spec, path, refused);
    let grace = spec.int("terminationGracePeriodSeconds").unwrap_or(0);
    let pod = container::Pod { spec, volumes: &volumes, grace, holder };
    containers(&pod, path, refused);
    if !spec.text("restartPolicy").is_empty() {
        one_of(spec, "restartPolicy", &["Always", "OnFailure", "Never"], path, refused);
    } else {
        refused.required(&format!("{path}.restartPolicy"), "");
    }
    security::pod(spec, path, refused);
    pull_secrets(spec, path, refused);
    dns(spec, path, refused);
    for (i, gate) in spec.list("readinessGates").iter().enumerate() {
        let kind = gate.text("conditionType");
        refused.each(&format!("{path}.readinessGates[{i}].conditionType"), kind, text::qualified_name(kind));
    }
    gates(spec, path, holder, refused);
    deadline(spec, path, refused);
    names(spec, path, refused);
    host_aliases(spec, path, refused);
}

fn containers(pod: &container::Pod<'_>, path: &str, refused: &mut Refusals) {
    let (mains, inits) = (pod.spec.list("containers"), pod.spec.list("initContainers"));
    if mains.is_empty() {
        refused.required(&format!("{path}.containers"), "");
    }
    let mut names = BTreeSet::new();
    // NET-7: mains run together, and each init by itself.
    let mut host_ports = BTreeSet::new();
    for (i, main) in mains.iter().enumerate() {
        let at = format!("{path}.containers[{i}]");
        unique_host_ports(main, &mut host_ports, &at, refused);
        container::check(main, pod, container::Role::Main, &at, refused);
        unique(main, &mut names, &at, refused);
    }
    for (i, init) in inits.iter().enumerate() {
        let at = format!("{path}.initContainers[{i}]");
        unique_host_ports(init, &mut BTreeSet::new(), &at, refused);
        let sidecar = init.text("restartPolicy") == "Always";
        let role = if sidecar { container::Role::Sidecar } else { container::Role::Init };
        container::check(init, pod, role, &at, refused);
        unique(init, &mut names, &at, refused);
    }
    let targets = names.clone();
    for (i, ephemeral) in pod.spec.list("ephemeralContainers").iter().enumerate() {
        let at = format!("{path}.ephemeralContainers[{i}]");
        container::check(ephemeral, pod, container::Role::Ephemeral, &at, refused);
        unique(ephemeral, &mut names, &at, refused);
        if let Some(target) = ephemeral.text_some("targetContainerName").filter(|target| !targets.contains(target)) {
            refused.not_found(&format!("{at}.targetContainerName"), target);
        }
    }
}

/// NET-7: one port of the host, one listener.
fn unique_host_ports(container: &Value, taken: &mut BTreeSet<String>, path: &str, refused: &mut Refusals) {
    for (i, port) in container.list("ports").iter().enumerate() {
        let Some(number) = port.int("hostPort").filter(|number| *number != 0) else { continue };
        let place = format!("{}/{}/{number}", port.text("protocol"), port.text("hostIP"));
        if taken.contains(&place) {
            refused.duplicate(&format!("{path}.ports[{i}].hostPort"), place.as_str());
        }
        taken.insert(place);
    }
}

/// VAL-3: a name used twice is reported where it is used again, and inits come after mains.
fn unique<'a>(container: &'a Value, names: &mut BTreeSet<&'a str>, path: &str, refused: &mut Refusals) {
    let name = container.text("name");
    if !name.is_empty() && !names.insert(name) {
        refused.duplicate(&format!("{path}.name"), name);
    }
}

/// A text that must be one of a few, if it is there.
pub(super) fn one_of(of: &Value, key: &str, values: &[&str], path: &str, refused: &mut Refusals) {
    let text = of.text(key);
    if !text.is_empty() && !values.contains(&text) {
        refused.unsupported(&format!("{path}.{key}"), text, values);
    }
}

/// Gates are named, each once, and hold a pod before it has a node.
fn gates(spec: &Value, path: &str, holder: Holder, refused: &mut Refusals) {
    let gates = spec.list("schedulingGates");
    let mut names = BTreeSet::new();
    for (i, gate) in gates.iter().enumerate() {
        let (at, name) = (format!("{path}.schedulingGates[{i}]"), gate.text("name"));
        refused.each(&at, name, text::qualified_name(name));
        if !names.insert(name) {
            refused.duplicate(&at, name);
        }
    }
    if holder == Holder::Pod && !gates.is_empty() && !spec.text("nodeName").is_empty() {
        refused.forbidden(&format!("{path}.nodeName"), "cannot be set until all schedulingGates have been cleared");
    }
}

fn pull_secrets(spec: &Value, path: &str, refused: &mut Refusals) {
    for (i, secret) in spec.list("imagePullSecrets").iter().enumerate() {
        let at = format!("{path}.imagePullSecrets[{i}].name");
        match secret.text("name") {
            "" => refused.required(&at, ""),
            name => refused.each(&at, name, text::dns_subdomain(name)),
        }
    }
}

fn dns(spec: &Value, path: &str, refused: &mut Refusals) {
    let policy = spec.text("dnsPolicy");
    one_of(spec, "dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], path, refused);
    let at = format!("{path}.dnsConfig");
    let config = spec.object("dnsConfig");
    let servers = config.texts("nameservers");
    if policy == "None" && config.is_null() {
        refused.required(&at, "must provide `dnsConfig` when `dnsPolicy` is None");
    } else if policy == "None" && servers.is_empty() {
        let words = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        refused.required(&format!("{at}.nameservers"), words);
    }
    if servers.len() > NAMESERVERS_MAX {
        let words = format!("must not have more than {NAMESERVERS_MAX} nameservers");
        refused.invalid(&format!("{at}.nameservers"), json!(servers), &words);
    }
    for (i, server) in servers.iter().enumerate() {
        refused.each(&format!("{at}.nameservers[{i}]"), server, text::ip(server));
    }
    searches(&config.texts("searches"), &format!("{at}.searches"), refused);
    for (i, option) in config.list("options").iter().enumerate() {
        if option.text("name").is_empty() {
            refused.required(&format!("{at}.options[{i}]"), "must not be empty");
        }
    }
}

fn searches(searches: &[String], path: &str, refused: &mut Refusals) {
    if searches.len() > SEARCHES_MAX {
        let words = format!("must not have more than {SEARCHES_MAX} search paths");
        refused.invalid(path, json!(searches), &words);
    }
    if searches.join(" ").len() > SEARCH_CHARS_MAX {
        let words =
            format!("must not have more than {SEARCH_CHARS_MAX} characters (including spaces) in the search list");
        refused.invalid(path, json!(searches), &words);
    }
    for (i, search) in searches.iter().enumerate() {
        // A lone or a trailing dot, and names with underscores, are what resolvers take too.
        let name = search.strip_suffix('.').unwrap_or(search).replace('_', "x");
        if search != "." {
            refused.each(&format!("{path}[{i}]"), search, text::dns_subdomain(&name));
        }
    }
}

fn deadline(spec: &Value, path: &str, refused: &mut Refusals) {
    if let Some(seconds) = spec.int("activeDeadlineSeconds")
        && !(1..=DEADLINE_MAX_S).contains(&seconds)
    {
        let words = format!("must be between 1 and {DEADLINE_MAX_S}, inclusive");
        refused.invalid(&format!("{path}.activeDeadlineSeconds"), seconds, &words);
    }
}

fn names(spec: &Value, path: &str, refused: &mut Refusals) {
    for (key, rule) in [
        ("serviceAccountName", text::dns_subdomain as text::Rule),
        ("nodeName", text::dns_subdomain),
        ("hostname", text::dns_label),
        ("subdomain", text::dns_label),
    ] {
        if let Some(name) = spec.text_some(key) {
            refused.each(&format!("{path}.{key}"), name, rule(name));
        }
    }
    hostname_override(spec, path, refused);
}

/// VAL-22.
fn hostname_override(spec: &Value, path: &str, refused: &mut Refusals) {
    let Some(name) = spec.get_some("hostnameOverride").and_then(Value::as_str) else { return };
    let at = format!("{path}.hostnameOverride");
    let mut problems = text::dns_subdomain(name);
    // The kernel takes 64 characters.
    if name.len() > 64 {
        problems.push("must be no more than 64 characters".to_owned());
    }
    refused.each(&at, name, problems);
    if spec.flag("setHostnameAsFQDN") {
        refused.forbidden(&at, "may not be specified when `setHostnameAsFQDN` is true");
    }
    if spec.flag("hostNetwork") {
        refused.forbidden(&at, "may not be specified when `hostNetwork` is true");
    }
}

fn host_aliases(spec: &Value, path: &str, refused: &mut Refusals) {
    for (i, alias) in spec.list("hostAliases").iter().enumerate() {
        let at = format!("{path}.hostAliases[{i}]");
        refused.each(&format!("{at}.ip"), alias.text("ip"), text::ip(alias.text("ip")));
        for (j, name) in alias.texts("hostnames").iter().enumerate() {
            refused.each(&format!("{at}.hostnames[{j}]"), name, text::dns_subdomain(name));
        }
    }
}
