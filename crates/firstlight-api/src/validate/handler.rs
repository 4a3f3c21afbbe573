//! Probes and hooks of a main or a sidecar (VAL-15, VAL-16).

use super::text;
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::Value;

/// What a probe, and what a hook may do.
const PROBE_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOK_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "sleep"];

pub(super) fn check(container: &Value, grace: i64, path: &str, refused: &mut Refusals) {
    for key in ["postStart", "preStop"] {
        if let Some(hook) = container.object("lifecycle").get_some(key) {
            let at = format!("{path}.lifecycle.{key}");
            handler(hook, &HOOK_HANDLERS, container, &at, refused);
            sleep(hook, grace, &at, refused);
        }
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_some(key) {
            let at = format!("{path}.{key}");
            handler(probe, &PROBE_HANDLERS, container, &at, refused);
            timing(probe, key, &at, refused);
        }
    }
}

fn timing(probe: &Value, key: &str, path: &str, refused: &mut Refusals) {
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        if let Some(value) = probe.int(field).filter(|value| *value < 0) {
            refused.invalid(&format!("{path}.{field}"), value, text::NOT_NEGATIVE);
        }
    }
    let readiness = key == "readinessProbe";
    if let Some(grace) = probe.int("terminationGracePeriodSeconds") {
        let at = format!("{path}.terminationGracePeriodSeconds");
        if readiness {
            refused.invalid(&at, grace, "must not be set for readinessProbes");
        } else if grace <= 0 {
            refused.invalid(&at, grace, "must be greater than 0");
        }
    }
    if let Some(successes) = probe.int("successThreshold").filter(|n| *n != 1 && !readiness) {
        refused.invalid(&format!("{path}.successThreshold"), successes, "must be 1");
    }
}

fn handler(of: &Value, kinds: &[&str], container: &Value, path: &str, refused: &mut Refusals) {
    let given: Vec<&str> = kinds.iter().copied().filter(|kind| of.get_some(kind).is_some()).collect();
    for (i, kind) in given.iter().enumerate() {
        let at = format!("{path}.{kind}");
        if i > 0 {
            refused.forbidden(&at, "may not specify more than 1 handler type");
            continue;
        }
        let action = of.object(kind);
        match *kind {
            "exec" if action.list("command").is_empty() => {
                refused.required(&format!("{at}.command"), "");
            }
            "httpGet" => http(action, container, &at, refused),
            "tcpSocket" => port(action.object("port"), container, &format!("{at}.port"), refused),
            "grpc" => port(action.object("port"), container, &format!("{at}.port"), refused),
            // A sleep is checked with its grace.
            _ => {}
        }
    }
    if given.is_empty() {
        refused.required(path, "must specify a handler type");
    }
}

fn http(action: &Value, container: &Value, path: &str, refused: &mut Refusals) {
    if action.text("path").is_empty() {
        refused.required(&format!("{path}.path"), "");
    }
    port(action.object("port"), container, &format!("{path}.port"), refused);
    super::pod::one_of(action, "scheme", &["HTTP", "HTTPS"], path, refused);
    for header in action.list("httpHeaders") {
        let name = header.text("name");
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            let words = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex \
                         used for validation is '[-A-Za-z0-9]+')";
            refused.invalid(&format!("{path}.httpHeaders"), name, words);
        }
    }
}

/// A number, or the name of a port. Firstlight is stricter than upstream in one thing: a name that no port of the
/// container has is refused, because such a probe or hook can never succeed.
fn port(value: &Value, container: &Value, path: &str, refused: &mut Refusals) {
    match value {
        Value::String(name) => {
            let problems = text::port_name(name);
            let number = name.parse::<u16>().is_ok_and(|n| n != 0);
            let known = container.list("ports").iter().any(|p| p.text("name") == name);
            if number || known {
                return;
            }
            if problems.is_empty() {
                let words = "names no port of this container; add it to ports, or write its number";
                refused.invalid(path, name.as_str(), words);
            }
            refused.each(path, name, problems);
        }
        other => {
            if !other.as_i64().is_some_and(|n| (1..=65535).contains(&n)) {
                let shown = if other.is_null() { Value::from(0) } else { other.clone() };
                refused.invalid(path, shown, text::PORT_RANGE);
            }
        }
    }
}

fn sleep(hook: &Value, grace: i64, path: &str, refused: &mut Refusals) {
    if let Some(seconds) = hook.object("sleep").int("seconds")
        && !(0..=grace).contains(&seconds)
    {
        let words = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        refused.invalid(&format!("{path}.sleep"), seconds, &words);
    }
}
