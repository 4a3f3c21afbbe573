//! What does the API say, and is it true? A client that reads every change of every pod, in order.

use crate::witness::Witness;
use firstlight_api::object::text;
use firstlight_pod::Now;
use firstlight_pod::event::Instance;
use firstlight_store::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was said of one pod last.
#[derive(Debug, Clone, Default)]
struct Said {
    phase: String,
    restarts: BTreeMap<String, u64>,
}

/// The client.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    said: BTreeMap<String, Said>,
    /// What contradicts itself or the kernel.
    pub(crate) violations: Vec<String>,
}

impl Reader {
    /// Reads all there is, as a client begins, or begins again after a 410.
    pub(crate) fn list(&mut self, pods: &[Arc<Object>], witness: &mut Witness, now: Now) {
        let here: BTreeSet<&str> = pods.iter().map(|pod| text(&pod.value, &["metadata", "uid"])).collect();
        let gone: Vec<String> = self.said.keys().filter(|uid| !here.contains(uid.as_str())).cloned().collect();
        for uid in gone {
            witness.deleted(&uid, now.0);
            self.said.remove(&uid);
        }
        for pod in pods {
            self.read(&pod.value, false, witness, now);
        }
    }

    /// Reads a pod, or its last state before it was gone.
    pub(crate) fn read(&mut self, pod: &Value, gone: bool, witness: &mut Witness, now: Now) {
        let uid = text(pod, &["metadata", "uid"]).to_owned();
        if gone || is_going(pod) {
            witness.deleted(&uid, now.0);
        }
        if gone {
            self.said.remove(&uid);
            return;
        }
        let said = self.said.entry(uid.clone()).or_default();
        let phase = text(pod, &["status", "phase"]).to_owned();
        let mut wrong = Vec::new();
        if matches!(said.phase.as_str(), "Succeeded" | "Failed") && phase != said.phase {
            wrong.push(format!("it was {} and is {phase}", said.phase));
        }
        said.phase = phase;
        for status in statuses(pod) {
            let (name, restarts) = (text(status, &["name"]), count(status));
            let before = said.restarts.insert(name.to_owned(), restarts).unwrap_or_default();
            if restarts < before {
                wrong.push(format!("{name} had {before} restarts and has {restarts}"));
            }
            wrong.extend(untrue(&uid, status, witness));
        }
        wrong.extend(too_early(pod));
        self.violations.extend(wrong.into_iter().map(|wrong| format!("{uid}: {wrong}")));
    }

    /// Reads a pod when all has been calm for long: it must have come to what was asked, and say what is.
    pub(crate) fn judge(&mut self, object: &Object, witness: &Witness) {
        let pod = &object.value;
        let (uid, phase) = (text(pod, &["metadata", "uid"]), text(pod, &["status", "phase"]));
        // Nothing waits any more: what does not run has ended, for good.
        let waits = statuses(pod).any(|status| status.pointer("/state/waiting").is_some());
        let ready = conditions(pod).any(|c| c["type"] == "Ready" && c["status"] == "True");
        let ended = statuses(pod).any(|status| is_main(pod, status) && status.pointer("/state/terminated").is_some());
        let runs = witness.running(uid);
        let wrong = match phase {
            "Succeeded" | "Failed" if runs.is_empty() => None,
            "Succeeded" | "Failed" => Some(format!("it is {phase} and {runs:?} run")),
            "Running" if !waits && (ready || ended) => {
                let shown: Vec<&str> = statuses(pod).filter(|s| is_running(s)).map(|s| text(s, &["name"])).collect();
                let agree = shown.len() == runs.len() && shown.iter().all(|name| runs.contains(*name));
                (!agree).then(|| format!("{shown:?} are said to run and {runs:?} do"))
            }
            phase => Some(format!("it never came up, and is {phase}: {}", pod["status"])),
        };
        self.violations.extend(wrong.map(|wrong| format!("{uid}: {wrong}")));
    }
}

/// What is said of a container and was never so.
fn untrue(uid: &str, status: &Value, witness: &Witness) -> Option<String> {
    let (name, restarts) = (text(status, &["name"]), count(status));
    let instance = |attempt: u64| Instance { container: name.to_owned(), attempt: u32::try_from(attempt).unwrap_or(0) };
    if is_running(status) {
        let started = witness.has_started(uid, &instance(restarts));
        return (!started).then(|| format!("{name} is said to run as number {restarts} and was never started"));
    }
    let ended = status.pointer("/state/terminated")?;
    let code = ended["exitCode"].as_i64();
    // Words for an end that nobody saw, or that does not count any more (RST-12).
    let formal = matches!(text(ended, &["reason"]), "ContainerStatusUnknown" | "RestartingAllContainers");
    let unknown = code == Some(255) || formal;
    match witness.end_of(uid, &instance(restarts)) {
        _ if unknown => None,
        Some(Some(real)) if Some(i64::from(real)) == code => None,
        real => Some(format!("{name} number {restarts} is said to have ended with {code:?} and has with {real:?}")),
    }
}

/// A main that runs before every init container is done or up (CON-10).
fn too_early(pod: &Value) -> Option<String> {
    let list = |field: &str| pod["status"][field].as_array().cloned().unwrap_or_default();
    let main = list("containerStatuses").into_iter().find(is_running)?;
    let inits = list("initContainerStatuses");
    let waits = inits.iter().find(|init| init.pointer("/state/waiting").is_some() && count(init) == 0)?;
    // Of a sidecar that was made anew the first start may be waited for again.
    let again = waits.pointer("/lastState/terminated").is_some();
    (!again).then(|| format!("{} runs while {} waits (CON-10)", main["name"], waits["name"]))
}

/// What is said of a pod, in a line.
pub(crate) fn in_short(pod: &Value) -> String {
    let state = |status: &Value| {
        let state = status["state"].as_object().and_then(|state| state.iter().next());
        let word = state.map_or("nothing", |(word, _)| word.as_str());
        let reason = state.map_or("", |(_, detail)| text(detail, &["reason"]));
        format!(" {} {word} {reason} x{}", text(status, &["name"]), count(status))
    };
    let going = if is_going(pod) { " (going)" } else { "" };
    let containers: String = statuses(pod).map(state).collect();
    format!("{}{going};{containers}", text(pod, &["status", "phase"]))
}

/// Whether its deletion was asked for.
pub(crate) fn is_going(pod: &Value) -> bool {
    pod["metadata"].get("deletionTimestamp").is_some()
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    let list = |field: &str| pod["status"][field].as_array().into_iter().flatten();
    list("initContainerStatuses").chain(list("containerStatuses"))
}

fn is_main(pod: &Value, status: &Value) -> bool {
    pod["status"]["containerStatuses"].as_array().is_some_and(|mains| mains.contains(status))
}

fn conditions(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["status"]["conditions"].as_array().into_iter().flatten()
}

fn is_running(status: &Value) -> bool {
    status.pointer("/state/running").is_some()
}

fn count(status: &Value) -> u64 {
    status["restartCount"].as_u64().unwrap_or(0)
}
