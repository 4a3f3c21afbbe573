//! What of a Pod's status may a client change? An end stays an end, unless that container runs again by its own rules
//! (STA-18, VAL-25).

use crate::refuse::Refusals;
use crate::view::View;
use serde_json::Value;

/// A list of statuses, and the list of the containers they are of.
const LISTS: [(&str, &str); 3] = [
    ("containerStatuses", "containers"),
    ("initContainerStatuses", "initContainers"),
    ("ephemeralContainerStatuses", "ephemeralContainers"),
];

pub(super) fn check(old: &Value, new: &Value, refused: &mut Refusals) {
    let spec = new.object("spec");
    if restarts_all(spec) {
        return;
    }
    for (statuses, containers) in LISTS {
        for (index, was) in old.object("status").list(statuses).iter().enumerate() {
            let named = |other: &&Value| other.text("name") == was.text("name");
            let Some(ended) = was.object("state").get_some("terminated") else { continue };
            let is = new.object("status").list(statuses).iter().find(named);
            let lives = is.is_some_and(|is| is.object("state").get_some("terminated").is_none());
            let again = containers != "ephemeralContainers"
                && runs_again(spec, spec.list(containers).iter().find(named), ended.int("exitCode").unwrap_or(0));
            if lives && !again {
                let at = format!("status.{statuses}[{index}].state");
                refused.forbidden(&at, "may not be transitioned to non-terminated state");
            }
        }
    }
}

/// A pod one of whose containers can have all of them run again.
fn restarts_all(spec: &Value) -> bool {
    let containers = spec.list("containers").iter().chain(spec.list("initContainers"));
    containers
        .flat_map(|container| container.list("restartPolicyRules"))
        .any(|rule| rule.text("action") == "RestartAllContainers")
}

/// Whether a container that ended with this code runs again (RST-1 to RST-7); a sidecar's own policy is `Always`.
fn runs_again(spec: &Value, container: Option<&Value>, code: i64) -> bool {
    let own = container.filter(|container| !container.text("restartPolicy").is_empty());
    let rules = own.map_or(&[][..], |container| container.list("restartPolicyRules"));
    let matches = |rule: &&Value| {
        let codes = rule.object("exitCodes");
        let listed = codes.list("values").iter().any(|value| value.as_i64() == Some(code));
        listed == (codes.text("operator") == "In")
    };
    if let Some(rule) = rules.iter().find(matches) {
        return rule.text("action") == "Restart";
    }
    match own.unwrap_or(spec).text("restartPolicy") {
        "Never" => false,
        "OnFailure" => code != 0,
        _ => true,
    }
}
