//! Probes and hooks: what they do, with named ports resolved.

use super::seconds;
use crate::refuse::Refusals;
use crate::view::View;
use firstlight_pod::Millis;
use firstlight_pod::spec::{Handler, Port, Probe};
use serde_json::{Value, json};

pub(super) fn probe(container: &Value, key: &str, ports: &[Port], path: &str, refused: &mut Refusals) -> Option<Probe> {
    let probe = container.get_some(key)?;
    let count = |key: &str, default: u32| probe.int(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let length = |key: &str, default: i64| seconds(probe.int(key).unwrap_or(default));
    Some(Probe {
        handler: handler(probe, ports, &format!("{path}.{key}"), refused)?,
        initial_delay: length("initialDelaySeconds", 0),
        period: length("periodSeconds", 10),
        timeout: length("timeoutSeconds", 1),
        success_threshold: count("successThreshold", 1),
        failure_threshold: count("failureThreshold", 3),
        grace: probe.int("terminationGracePeriodSeconds").map(seconds),
    })
}

pub(super) fn hook(
    container: &Value,
    key: &str,
    ports: &[Port],
    path: &str,
    refused: &mut Refusals,
) -> Option<Handler> {
    let hook = container.object("lifecycle").get_some(key)?;
    handler(hook, ports, &format!("{path}.lifecycle.{key}"), refused)
}

fn handler(of: &Value, ports: &[Port], path: &str, refused: &mut Refusals) -> Option<Handler> {
    if let Some(exec) = of.get_some("exec") {
        Some(Handler::Exec(exec.texts("command")))
    } else if let Some(http) = of.get_some("httpGet") {
        let headers = http.list("httpHeaders").iter();
        Some(Handler::Http {
            host: http.text("host").to_owned(),
            port: port(http.object("port"), ports, &format!("{path}.httpGet.port"), refused)?,
            path: http.text_some("path").unwrap_or("/").to_owned(),
            https: http.text("scheme") == "HTTPS",
            headers: headers.map(|h| (h.text("name").to_owned(), h.text("value").to_owned())).collect(),
        })
    } else if let Some(tcp) = of.get_some("tcpSocket") {
        let port = port(tcp.object("port"), ports, &format!("{path}.tcpSocket.port"), refused)?;
        Some(Handler::Tcp { host: tcp.text("host").to_owned(), port })
    } else if let Some(grpc) = of.get_some("grpc") {
        let port = port(grpc.object("port"), ports, &format!("{path}.grpc.port"), refused)?;
        Some(Handler::Grpc { port, service: grpc.text("service").to_owned() })
    } else if let Some(sleep) = of.get_some("sleep") {
        Some(Handler::Sleep(Millis::secs(sleep.int("seconds").and_then(|s| u64::try_from(s).ok()).unwrap_or(0))))
    } else {
        refused.required(path, "must specify a handler type");
        None
    }
}

/// A number, the name of one of the container's ports, or a number in quotes: what upstream's
/// `ResolveContainerPort` takes.
fn port(value: &Value, ports: &[Port], path: &str, refused: &mut Refusals) -> Option<u16> {
    let number = match value.as_str() {
        Some(name) => ports.iter().find(|p| p.name == name).map(|p| p.port).or_else(|| name.parse().ok()),
        None => value.as_u64().and_then(|n| u16::try_from(n).ok()),
    };
    let number = number.filter(|n| *n != 0);
    if number.is_none() {
        let detail = match value.as_str() {
            Some(_) => "names no port of this container; add it to ports, or write its number",
            None => "must be between 1 and 65535, inclusive",
        };
        refused.invalid(path, if value.is_null() { json!(0) } else { value.clone() }, detail);
    }
    number
}
