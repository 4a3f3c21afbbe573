//! Services. Which of their forms Firstlight serves is in [`crate::honoured`].

use super::pod::one_of;
use super::{meta, text};
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn check(service: &Value, refused: &mut Refusals) {
    let spec = service.object("spec");
    one_of(spec, "type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], "spec", refused);
    one_of(spec, "sessionAffinity", &["ClientIP", "None"], "spec", refused);
    meta::labels(spec.object("selector"), "spec.selector", refused);
    let addresses = spec.texts("clusterIPs");
    if addresses.first().is_some_and(|first| first != spec.text("clusterIP")) {
        refused.invalid("spec.clusterIPs", json!(addresses), "first value must match `clusterIP`");
    }
    ports(spec.list("ports"), refused);
}

fn ports(ports: &[Value], refused: &mut Refusals) {
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{i}]");
        let name = port.text("name");
        if name.is_empty() {
            if ports.len() > 1 {
                refused.required(&format!("{at}.name"), "");
            }
        } else {
            refused.each(&format!("{at}.name"), name, text::dns_label(name));
            if !names.insert(name) {
                refused.duplicate(&format!("{at}.name"), name);
            }
        }
        let number = port.int("port").unwrap_or(0);
        if !(1..=65535).contains(&number) {
            refused.invalid(&format!("{at}.port"), number, text::PORT_RANGE);
        }
        one_of(port, "protocol", &["SCTP", "TCP", "UDP"], &at, refused);
        target(port.object("targetPort"), &format!("{at}.targetPort"), refused);
        if !numbers.insert((number, port.text("protocol"))) {
            refused.duplicate(&at, json!({ "protocol": port.text("protocol"), "port": number }));
        }
    }
}

fn target(target: &Value, path: &str, refused: &mut Refusals) {
    match target {
        Value::String(name) => refused.each(path, name, text::port_name(name)),
        Value::Null => {}
        number => {
            if !number.as_i64().is_some_and(|n| (1..=65535).contains(&n)) {
                refused.invalid(path, number.clone(), text::PORT_RANGE);
            }
        }
    }
}

/// What of a Service may change: not its address.
pub(super) fn update(old: &Value, new: &Value, refused: &mut Refusals) {
    let (was, is) = (old.object("spec").text("clusterIP"), new.object("spec").text("clusterIP"));
    if !was.is_empty() && was != is {
        refused.invalid("spec.clusterIP", is, "field is immutable");
    }
}
