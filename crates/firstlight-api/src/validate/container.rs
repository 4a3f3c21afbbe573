//! A container: main, init or sidecar.

use super::pod::{Holder, one_of};
use super::{env, handler, resources, security, text, volume};
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The most exit codes and rules that a container may name (VAL-9).
const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;

/// What an ephemeral container does not have (upstream `validateEphemeralContainers`).
const NOT_EPHEMERAL: [&str; 9] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
];

/// The signals that Linux has, in the words of the API (upstream `pkg/apis/core/types.go`, `Signal`).
#[rustfmt::skip]
const STOP_SIGNALS: &[&str] = &[
    "SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCLD", "SIGCONT", "SIGFPE", "SIGHUP",
    "SIGILL", "SIGINT", "SIGIO", "SIGIOT", "SIGKILL", "SIGPIPE", "SIGPOLL", "SIGPROF",
    "SIGPWR", "SIGQUIT", "SIGRTMAX", "SIGRTMAX-1", "SIGRTMAX-10", "SIGRTMAX-11", "SIGRTMAX-12", "SIGRTMAX-13",
    "SIGRTMAX-14", "SIGRTMAX-2", "SIGRTMAX-3", "SIGRTMAX-4", "SIGRTMAX-5", "SIGRTMAX-6", "SIGRTMAX-7", "SIGRTMAX-8",
    "SIGRTMAX-9", "SIGRTMIN", "SIGRTMIN+1", "SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12", "SIGRTMIN+13", "SIGRTMIN+14",
    "SIGRTMIN+15", "SIGRTMIN+2", "SIGRTMIN+3", "SIGRTMIN+4", "SIGRTMIN+5", "SIGRTMIN+6", "SIGRTMIN+7", "SIGRTMIN+8",
    "SIGRTMIN+9", "SIGSEGV", "SIGSTKFLT", "SIGSTOP", "SIGSYS", "SIGTERM", "SIGTRAP", "SIGTSTP",
    "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGWINCH", "SIGXCPU",
    "SIGXFSZ",
];

/// What of the pod a container's rules look at.
pub(super) struct Pod<'a> {
    pub(super) spec: &'a Value,
    /// Volume names.
    pub(super) volumes: &'a BTreeMap<&'a str, &'a Value>,
    pub(super) grace: i64,
    pub(super) holder: Holder,
}

/// What a container is in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Main,
    Init,
    Sidecar,
    Ephemeral,
}

pub(super) fn check(container: &Value, pod: &Pod<'_>, role: Role, path: &str, refused: &mut Refusals) {
    name(container, path, refused);
    image(container, pod.holder, path, refused);
    let policies = ["Always", "IfNotPresent", "Never"];
    one_of(container, "imagePullPolicy", &policies, path, refused);
    let messages = ["File", "FallbackToLogsOnError"];
    one_of(container, "terminationMessagePolicy", &messages, path, refused);
    ports(container, path, refused);
    env::check(container, pod.volumes, path, refused);
    volume::mounts(container, pod.volumes, path, refused);
    resources::check(container.object("resources"), &format!("{path}.resources"), refused);
    resize_policy(container, role, path, refused);
    security::container(container, path, refused);
    restart(container, path, refused);
    match role {
        Role::Ephemeral => ephemeral(container, path, refused),
        Role::Main | Role::Sidecar => handler::check(container, pod.grace, path, refused),
        Role::Init => {
            // VAL-6
            for key in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if container.get_some(key).is_some() {
                    let words = "may not be set for init containers without restartPolicy=Always";
                    refused.forbidden(&format!("{path}.{key}"), words);
                }
            }
        }
    }
    if let Some(stop) = container.object("lifecycle").text_some("stopSignal") {
        stop_signal(stop, pod.spec, path, refused);
    }
}

/// One that was added to look into a pod takes nothing of it and is nobody's concern.
fn ephemeral(container: &Value, path: &str, refused: &mut Refusals) {
    let words = "cannot be set for an Ephemeral Container";
    for key in NOT_EPHEMERAL {
        let said = container.get_some(key).is_some_and(|value| match value {
            Value::Object(members) => !members.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        });
        if said {
            refused.forbidden(&format!("{path}.{key}"), words);
        }
    }
    for (i, mount) in container.list("volumeMounts").iter().enumerate() {
        for key in ["subPath", "subPathExpr"] {
            if mount.text_some(key).is_some() {
                refused.forbidden(&format!("{path}.volumeMounts[{i}].{key}"), words);
            }
        }
    }
}

/// VAL-2.
fn name(container: &Value, path: &str, refused: &mut Refusals) {
    let at = format!("{path}.name");
    match container.text("name") {
        "" => refused.required(&at, ""),
        name => refused.each(&at, name, text::dns_label(name)),
    }
}

/// VAL-4, VAL-5.
fn image(container: &Value, holder: Holder, path: &str, refused: &mut Refusals) {
    let at = format!("{path}.image");
    let image = container.text("image");
    if image.is_empty() {
        refused.required(&at, "");
    } else if image != image.trim() && holder == Holder::Pod {
        refused.invalid(&at, image, "must not have leading or trailing whitespace");
    }
}

fn ports(container: &Value, path: &str, refused: &mut Refusals) {
    let mut names = BTreeSet::new();
    for (i, port) in container.list("ports").iter().enumerate() {
        let at = format!("{path}.ports[{i}]");
        if let Some(name) = port.text_some("name") {
            let problems = text::port_name(name);
            if problems.is_empty() && !names.insert(name) {
                refused.duplicate(&format!("{at}.name"), name);
            }
            refused.each(&format!("{at}.name"), name, problems);
        }
        match port.int("containerPort").unwrap_or(0) {
            0 => refused.required(&format!("{at}.containerPort"), ""),
            1..=65535 => {}
            number => refused.invalid(&format!("{at}.containerPort"), number, text::PORT_RANGE),
        }
        one_of(port, "protocol", &["SCTP", "TCP", "UDP"], &at, refused);
    }
}

/// VAL-7, VAL-8, VAL-9.
fn restart(container: &Value, path: &str, refused: &mut Refusals) {
    one_of(container, "restartPolicy", &["Always", "Never", "OnFailure"], path, refused);
    let rules = container.list("restartPolicyRules");
    if rules.is_empty() {
        return;
    }
    if container.text("restartPolicy").is_empty() {
        let words = "must specify restartPolicy when restart rules are used";
        refused.required(&format!("{path}.restartPolicy"), words);
    }
    let at = format!("{path}.restartPolicyRules");
    if rules.len() > RULES_MAX {
        refused.too_many(&at, rules.len(), RULES_MAX);
    }
    for (i, rule) in rules.iter().enumerate() {
        let at = format!("{at}[{i}]");
        match rule.text("action") {
            "" => refused.required(&format!("{at}.action"), ""),
            _ => one_of(rule, "action", &["Restart", "RestartAllContainers"], &at, refused),
        }
        match rule.get_some("exitCodes") {
            None => refused.required(&format!("{at}.exitCodes"), "must be specified"),
            Some(codes) => exit_codes(codes, &format!("{at}.exitCodes"), refused),
        }
    }
}

fn exit_codes(codes: &Value, path: &str, refused: &mut Refusals) {
    match codes.text("operator") {
        "" => refused.required(&format!("{path}.operator"), ""),
        _ => one_of(codes, "operator", &["In", "NotIn"], path, refused),
    }
    let values = codes.list("values");
    if values.is_empty() {
        refused.required(&format!("{path}.values"), "must specify at least one value");
    } else if values.len() > EXIT_CODES_MAX {
        refused.too_many(&format!("{path}.values"), values.len(), EXIT_CODES_MAX);
    }
}

/// VAL-18.
fn resize_policy(container: &Value, role: Role, path: &str, refused: &mut Refusals) {
    for (i, policy) in container.list("resizePolicy").iter().enumerate() {
        let at = format!("{path}.resizePolicy[{i}]");
        one_of(policy, "resourceName", &["cpu", "memory"], &at, refused);
        one_of(policy, "restartPolicy", &["NotRequired", "RestartContainer"], &at, refused);
        if role == Role::Init && policy.text("restartPolicy") == "RestartContainer" {
            let words = "must not be set to 'RestartContainer' for non-sidecar initContainers";
            refused.invalid(&format!("{at}.restartPolicy"), "RestartContainer", words);
        }
    }
}

/// VAL-17.
fn stop_signal(signal: &str, spec: &Value, path: &str, refused: &mut Refusals) {
    let at = format!("{path}.lifecycle.stopSignal");
    match spec.object("os").text("name") {
        "" => refused.forbidden(&at, "may not be set for containers with empty `spec.os.name`"),
        "windows" if !matches!(signal, "SIGTERM" | "SIGKILL") => {
            refused.unsupported(&at, signal, &["SIGTERM", "SIGKILL"]);
        }
        "linux" if !STOP_SIGNALS.contains(&signal) => refused.unsupported(&at, signal, STOP_SIGNALS),
        _ => {}
    }
}
