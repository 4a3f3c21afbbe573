//! The Pod's row (PRT-1 to PRT-9).
//!
//! ```text
//!  phase ─► status.reason ─► SchedulingGated        what there is to say before any container
//!    └─► init statuses, in order                    Init:... at the first that is not done
//!          └─► main statuses, last to first         if none stopped, or Initialized is True
//!                └─► Terminating                    if it is being deleted
//! ```

use super::{Column, age, ago, name, narrow, wide};
use crate::time;
use crate::view::View;
use firstlight_pod::Now;
use serde_json::{Value, json};

pub(super) const COLUMNS: &[Column] = &[
    narrow("Name"),
    narrow("Ready"),
    narrow("Status"),
    narrow("Restarts"),
    narrow("Age"),
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
];

pub(super) fn cells(pod: &Value, now: Now) -> Vec<Value> {
    let (spec, status) = (pod.object("spec"), pod.object("status"));
    let Seen { reason, ready, restarts } = look(pod);
    let total = spec.list("containers").len() + spec.list("initContainers").iter().filter(|c| is_sidecar(c)).count();
    vec![
        name(pod),
        json!(format!("{ready}/{total}")),
        json!(reason),
        json!(restarts.print(now)),
        age(pod, now),
        json!(pod_ip(status)),
        json!(spec.text_some("nodeName").unwrap_or("<none>")),
        json!(status.text_some("nominatedNodeName").unwrap_or("<none>")),
        json!(readiness_gates(spec, status)),
    ]
}

/// What clients that hide finished pods look at.
pub(super) fn row_conditions(pod: &Value) -> Option<Value> {
    let (reason, message) = match pod.object("status").text("phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{ "type": "Completed", "status": "True", "reason": reason, "message": message }]))
}

/// What READY, STATUS and RESTARTS say.
struct Seen {
    reason: String,
    ready: usize,
    restarts: Restarts,
}

/// Restarts counted, and when the latest of the counted containers ended.
#[derive(Default)]
struct Restarts {
    count: i64,
    last: Option<Now>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count = self.count.saturating_add(status.int("restartCount").unwrap_or(0));
        let ended = status.object("lastState").object("terminated").text_some("finishedAt");
        self.last = self.last.max(ended.and_then(time::read));
    }

    /// PRT-7: `3 (10s ago)`
    fn print(&self, now: Now) -> String {
        match self.last {
            Some(last) if self.count != 0 => format!("{} ({} ago)", self.count, ago(&time::write(last), now)),
            _ => self.count.to_string(),
        }
    }
}

fn look(pod: &Value) -> Seen {
    let status = pod.object("status");
    let (inits, stopped) = look_at_inits(pod);
    let mut seen = inits;
    if !stopped || condition_holds(status, "Initialized") {
        seen = look_at_mains(status, seen);
    }
    let terminal = matches!(status.text("phase"), "Succeeded" | "Failed");
    let deleted = pod.object("metadata").get_some("deletionTimestamp").is_some();
    if deleted && status.text("reason") == "NodeLost" {
        seen.reason = "Unknown".to_owned();
    } else if deleted && !terminal {
        seen.reason = "Terminating".to_owned();
    }
    seen
}

/// PRT-1, PRT-2, and whether an init is what the pod waits for. If none is, only the restarts of sidecars are counted.
fn look_at_inits(pod: &Value) -> (Seen, bool) {
    let (spec, status) = (pod.object("spec"), pod.object("status"));
    let inits = spec.list("initContainers");
    let mut seen = Seen { reason: word_for_all(status), ready: 0, restarts: Restarts::default() };
    let mut of_sidecars = Restarts::default();
    for (i, init) in status.list("initContainerStatuses").iter().enumerate() {
        let sidecar = inits.iter().any(|c| c.text("name") == init.text("name") && is_sidecar(c));
        seen.restarts.add(init);
        if sidecar {
            of_sidecars.add(init);
        }
        let succeeded = init.object("state").get_some("terminated").is_some_and(|end| !failed(end));
        if sidecar && init.flag("started") && !succeeded {
            seen.ready += usize::from(init.flag("ready"));
            continue;
        }
        if let Some(reason) = init_reason(init.object("state"), i, inits.len()) {
            seen.reason = reason;
            // After initialization (PRT-9) the mains still go by the sidecars' restarts alone.
            if condition_holds(status, "Initialized") {
                seen.restarts = of_sidecars;
            }
            return (seen, true);
        }
    }
    seen.restarts = of_sidecars;
    (seen, false)
}

/// What there is to say of the pod as a whole.
fn word_for_all(status: &Value) -> String {
    let gated = |c: &&Value| c.text("type") == "PodScheduled" && c.text("reason") == "SchedulingGated";
    if status.list("conditions").iter().any(|c| gated(&c)) {
        return "SchedulingGated".to_owned();
    }
    status.text_some("reason").unwrap_or_else(|| status.text("phase")).to_owned()
}

/// `Init:...`, or `None` if this init is done.
fn init_reason(state: &Value, index: usize, count: usize) -> Option<String> {
    if let Some(end) = state.get_some("terminated") {
        return failed(end).then(|| format!("Init:{}", ended(end)));
    }
    match state.object("waiting").text("reason") {
        "" | "PodInitializing" => Some(format!("Init:{index}/{count}")),
        reason => Some(format!("Init:{reason}")),
    }
}

/// PRT-3 and PRT-4.
fn look_at_mains(status: &Value, mut seen: Seen) -> Seen {
    let mains = status.list("containerStatuses");
    let mut running = false;
    for main in mains.iter().rev() {
        seen.restarts.add(main);
        let state = main.object("state");
        if let Some(reason) = state.object("waiting").text_some("reason") {
            seen.reason = reason.to_owned();
        } else if let Some(end) = state.get_some("terminated") {
            seen.reason = ended(end);
        } else if main.flag("ready") && state.get_some("running").is_some() {
            running = true;
            seen.ready += 1;
        }
    }
    if seen.reason == "Completed" {
        let crashed = mains.iter().filter_map(|m| m.object("state").get_some("terminated")).find(|end| failed(end));
        if running && condition_holds(status, "Ready") {
            seen.reason = "Running".to_owned();
        } else if let Some(end) = crashed {
            seen.reason = ended(end);
        } else if running {
            seen.reason = "NotReady".to_owned();
        }
    }
    seen
}

fn failed(end: &Value) -> bool {
    end.int("exitCode").unwrap_or(0) != 0
}

/// The reason of an end, or its signal, or its exit code.
fn ended(end: &Value) -> String {
    match (end.text_some("reason"), end.int("signal").unwrap_or(0)) {
        (Some(reason), _) => reason.to_owned(),
        (None, 0) => format!("ExitCode:{}", end.int("exitCode").unwrap_or(0)),
        (None, signal) => format!("Signal:{signal}"),
    }
}

fn is_sidecar(init: &Value) -> bool {
    init.text("restartPolicy") == "Always"
}

fn condition_holds(status: &Value, kind: &str) -> bool {
    status.list("conditions").iter().any(|c| c.text("type") == kind && c.text("status") == "True")
}

fn pod_ip(status: &Value) -> &str {
    let first = status.list("podIPs").first().and_then(|ip| ip.text_some("ip"));
    first.or_else(|| status.text_some("podIP")).unwrap_or("<none>")
}

fn readiness_gates(spec: &Value, status: &Value) -> String {
    let gates = spec.list("readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let holding = gates.iter().filter(|g| condition_holds(status, g.text("conditionType"))).count();
    format!("{holding}/{}", gates.len())
}
