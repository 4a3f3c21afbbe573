//! What must be true of every pod of every scene, in every version that a watcher sees (CON-10, PHA-8, STA-10).
//!
//! Upstream's own checker of this sort never fires (B12); this one is asked of every scene.

use super::judge::{condition, container};
use serde_json::Value;

/// The laws that these versions break.
pub(crate) fn broken(versions: &[Value], sandbox_was_replaced: bool) -> Vec<String> {
    let mut broken = Vec::new();
    for pair in versions.windows(2) {
        never_back(&pair[0], &pair[1], &mut broken);
    }
    for version in versions.iter().take_while(|pod| condition(pod, "Initialized")["status"] != "True") {
        in_turn(version, sandbox_was_replaced, &mut broken);
    }
    broken.dedup();
    broken
}

fn never_back(before: &Value, after: &Value, broken: &mut Vec<String>) {
    let phase = |pod: &Value| pod["status"]["phase"].as_str().unwrap_or("").to_owned();
    if ["Succeeded", "Failed"].contains(&phase(before).as_str()) && phase(before) != phase(after) {
        broken.push(format!("a terminal phase is final: {} became {}", phase(before), phase(after)));
    }
    let initialized = |pod: &Value| condition(pod, "Initialized")["status"] == "True";
    if initialized(before) && !initialized(after) {
        broken.push("Initialized went from True to False".to_owned());
    }
    for name in names(before, "initContainers").iter().chain(&names(before, "containers")) {
        let restarts = |pod: &Value| container(pod, name)["restartCount"].as_u64();
        if restarts(before) > restarts(after) {
            broken.push(format!("{name}: restartCount went from {:?} to {:?}", restarts(before), restarts(after)));
        }
    }
}

/// Before all inits are done, mains wait, and so does every init behind an unfinished one.
fn in_turn(pod: &Value, sandbox_was_replaced: bool, broken: &mut Vec<String>) {
    let inits = names(pod, "initContainers");
    let initialized = condition(pod, "Initialized");
    if initialized.is_object() && initialized["lastTransitionTime"].as_str().is_none_or(str::is_empty) {
        broken.push("Initialized has no transition time".to_owned());
    }
    if inits.is_empty() || pod["status"]["initContainerStatuses"].is_null() {
        return;
    }
    // Between a rule's match and the new start all of them say so (RST-12).
    let waits = |name: &String| {
        let state = &container(pod, name)["state"];
        let reasons = [&state["waiting"]["reason"], &state["terminated"]["reason"]];
        reasons[0] == "PodInitializing" || reasons.into_iter().any(|reason| reason == "RestartingAllContainers")
    };
    for name in names(pod, "containers").iter().filter(|name| !waits(name)) {
        broken.push(format!("{name} does not wait for the inits: {}", container(pod, name)["state"]));
    }
    let sidecar = |name: &str| {
        let specs = pod["spec"]["initContainers"].as_array().into_iter().flatten();
        specs.into_iter().any(|spec| spec["name"] == *name && spec["restartPolicy"] == "Always")
    };
    let unfinished = |name: &String| !sidecar(name) && container(pod, name)["state"]["terminated"]["exitCode"] != 0;
    let first = inits.iter().position(unfinished).unwrap_or(inits.len());
    for name in inits.iter().skip(first + 1).filter(|name| !waits(name) && !sandbox_was_replaced) {
        broken.push(format!("{name} does not wait for {}: {}", inits[first], container(pod, name)["state"]));
    }
}

fn names(pod: &Value, list: &str) -> Vec<String> {
    let specs = pod["spec"][list].as_array().into_iter().flatten();
    specs.filter_map(|spec| spec["name"].as_str().map(str::to_owned)).collect()
}
