//! A container, settled: image, environment, mounts, ports, resources.

use super::{handler, reference, restart, security};
use crate::quantity::Quantity;
use crate::refuse::Refusals;
use crate::validate::NO_ENV_SOURCE;
use crate::view::View;
use firstlight_pod::spec::{
    Container, EnvFrom, EnvValue, EnvVar, FileRef, Mount, Port, PullPolicy, Resources, RestartRule, RuleAction,
    SourceRef,
};
use serde_json::Value;

/// Where the last word goes if the container names no place (MSG-1).
const TERMINATION_MESSAGE_PATH: &str = "/dev/termination-log";

pub(super) fn settle(container: &Value, spec: &Value, path: &str, refused: &mut Refusals) -> Container {
    let name = container.text("name");
    let image = container.text("image");
    let ports = ports(container, path, refused);
    Container {
        name: name.to_owned(),
        image: image.to_owned(),
        pull: pull(container.text("imagePullPolicy")),
        command: container.texts("command"),
        args: container.texts("args"),
        working_dir: container.text_some("workingDir").map(str::to_owned),
        env_from: container.list("envFrom").iter().filter_map(env_from).collect(),
        env: env(container, path, refused),
        mounts: container.list("volumeMounts").iter().map(mount).collect(),
        resources: resources(container.object("resources"), path, refused),
        security: security::settle(container, spec, path, refused),
        startup: handler::probe(container, "startupProbe", &ports, path, refused),
        liveness: handler::probe(container, "livenessProbe", &ports, path, refused),
        readiness: handler::probe(container, "readinessProbe", &ports, path, refused),
        post_start: handler::hook(container, "postStart", &ports, path, refused),
        pre_stop: handler::hook(container, "preStop", &ports, path, refused),
        stop_signal: container.object("lifecycle").text_some("stopSignal").map(str::to_owned),
        restart: restart(container.text("restartPolicy")),
        restart_rules: container.list("restartPolicyRules").iter().map(restart_rule).collect(),
        ports,
        termination_message_path: container
            .text_some("terminationMessagePath")
            .unwrap_or(TERMINATION_MESSAGE_PATH)
            .to_owned(),
        termination_message_from_log: container.text("terminationMessagePolicy") == "FallbackToLogsOnError",
        stdin: container.flag("stdin"),
        stdin_once: container.flag("stdinOnce"),
        tty: container.flag("tty"),
    }
}

pub(super) fn pull(policy: &str) -> PullPolicy {
    match policy {
        "Always" => PullPolicy::Always,
        "Never" => PullPolicy::Never,
        _ => PullPolicy::IfNotPresent,
    }
}

fn restart_rule(rule: &Value) -> RestartRule {
    let codes = rule.object("exitCodes");
    let values = codes.list("values").iter().filter_map(|code| i32::try_from(code.as_i64()?).ok());
    let action = match rule.text("action") {
        "RestartAllContainers" => RuleAction::RestartAllContainers,
        _ => RuleAction::Restart,
    };
    RestartRule { action, codes: values.collect(), listed: codes.text("operator") == "In" }
}

fn ports(container: &Value, path: &str, refused: &mut Refusals) -> Vec<Port> {
    let mut ports = Vec::new();
    for (i, port) in container.list("ports").iter().enumerate() {
        match port.int("containerPort").and_then(|n| u16::try_from(n).ok()).filter(|n| *n != 0) {
            Some(number) => ports.push(Port { name: port.text("name").to_owned(), port: number }),
            None => refused.invalid(
                &format!("{path}.ports[{i}].containerPort"),
                port.object("containerPort").clone(),
                "must be between 1 and 65535, inclusive",
            ),
        }
    }
    ports
}

fn env_from(from: &Value) -> Option<EnvFrom> {
    let config_map = from.get_some("configMapRef").map(|r| (r, SourceRef::ConfigMap(r.text("name").to_owned())));
    let secret = || from.get_some("secretRef").map(|r| (r, SourceRef::Secret(r.text("name").to_owned())));
    let (reference, source) = config_map.or_else(secret)?;
    Some(EnvFrom { source, prefix: from.text("prefix").to_owned(), optional: reference.flag("optional") })
}

fn env(container: &Value, path: &str, refused: &mut Refusals) -> Vec<EnvVar> {
    let mut vars = Vec::new();
    for (i, var) in container.list("env").iter().enumerate() {
        let value = match var.get_some("valueFrom") {
            None => Some(EnvValue::Text(var.text("value").to_owned())),
            Some(from) => env_value(from, container.text("name"), &format!("{path}.env[{i}].valueFrom"), refused),
        };
        vars.extend(value.map(|value| EnvVar { name: var.text("name").to_owned(), value }));
    }
    vars
}

fn env_value(from: &Value, own: &str, path: &str, refused: &mut Refusals) -> Option<EnvValue> {
    let key = |of: &Value, source: fn(String) -> SourceRef| EnvValue::Key {
        source: source(of.text("name").to_owned()),
        key: of.text("key").to_owned(),
        optional: of.flag("optional"),
    };
    if let Some(of) = from.get_some("configMapKeyRef") {
        Some(key(of, SourceRef::ConfigMap))
    } else if let Some(of) = from.get_some("secretKeyRef") {
        Some(key(of, SourceRef::Secret))
    } else if let Some(of) = from.get_some("fieldRef") {
        reference::field_ref(of, &format!("{path}.fieldRef"), refused).map(EnvValue::Field)
    } else if let Some(of) = from.get_some("resourceFieldRef") {
        reference::resource_ref(of, Some(own), &format!("{path}.resourceFieldRef"), refused).map(EnvValue::Resource)
    } else if let Some(of) = from.get_some("fileKeyRef") {
        let text = |key: &str| of.text(key).to_owned();
        let (volume, path, key) = (text("volumeName"), text("path"), text("key"));
        Some(EnvValue::File(FileRef { volume, path, key, optional: of.flag("optional") }))
    } else {
        refused.required(path, NO_ENV_SOURCE);
        None
    }
}

fn mount(mount: &Value) -> Mount {
    let expression = mount.text_some("subPathExpr");
    // A relative place is taken from the root, as the kubelet takes it.
    let slash = if mount.text("mountPath").starts_with('/') { "" } else { "/" };
    Mount {
        volume: mount.text("name").to_owned(),
        path: format!("{slash}{}", mount.text("mountPath")),
        sub_path: expression.unwrap_or_else(|| mount.text("subPath")).to_owned(),
        sub_path_expr: expression.is_some(),
        read_only: mount.flag("readOnly"),
        // Every kernel that containers run on here can: it is possible wherever it is asked.
        recursive_read_only: matches!(mount.text("recursiveReadOnly"), "Enabled" | "IfPossible"),
        from_host: mount.text("mountPropagation") == "HostToContainer",
    }
}

fn resources(resources: &Value, path: &str, refused: &mut Refusals) -> Resources {
    let mut amount = |side: &str, name: &str, read: fn(Quantity) -> i128| {
        let value = resources.object(side).get_some(name)?;
        let amount = Quantity::of(value).ok().and_then(|quantity| u64::try_from(read(quantity)).ok());
        if amount.is_none() {
            let path = format!("{path}.resources.{side}[{name}]");
            refused.invalid(&path, value.clone(), "must be a quantity greater than or equal to 0");
        }
        amount
    };
    Resources {
        cpu_request: amount("requests", "cpu", Quantity::milli),
        cpu_limit: amount("limits", "cpu", Quantity::milli),
        memory_request: amount("requests", "memory", Quantity::units),
        memory_limit: amount("limits", "memory", Quantity::units),
    }
}
