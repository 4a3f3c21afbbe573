//! Which conditions hold (section 1.11)?

use super::restart;
use super::restart_all;
use super::turn::Turn;
use super::volumes;
use crate::seen::Seen;
use crate::spec::{Init, Spec};
use crate::status::{Condition, ContainerStatus, Phase, State};
use crate::time::Now;

/// A condition before it is compared with what was said.
struct Verdict {
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Verdict {
    fn holds() -> Verdict {
        Verdict { holds: true, reason: "", message: String::new() }
    }

    fn fails(reason: &'static str, message: impl Into<String>) -> Verdict {
        Verdict { holds: false, reason, message: message.into() }
    }
}

/// All conditions this crate writes, in Kubernetes' order.
pub(crate) fn conditions(
    turn: &Turn<'_>,
    phase: Phase,
    inits: &[ContainerStatus],
    mains: &[ContainerStatus],
) -> Vec<Condition> {
    let Turn { spec, seen, now, .. } = turn;
    let can_start = match seen.sandbox.is_ready() && !turn.removes_sandbox() {
        true => Verdict::holds(),
        false => Verdict::fails("", ""),
    };
    let initialized = initialized(turn, phase, inits, mains);
    let (ready, containers_ready) =
        (ready(spec, seen, phase, inits, mains), containers_ready(spec, phase, inits, mains));
    let restarting = restart::may_restart_all(spec).then(|| restarting(turn, phase));
    let scheduled = match volumes::unschedulable(turn) {
        None => Verdict::holds(),
        Some(message) => Verdict::fails("Unschedulable", message),
    };
    [
        ("PodReadyToStartContainers", can_start),
        ("Initialized", initialized),
        ("Ready", ready),
        ("ContainersReady", containers_ready),
        ("PodScheduled", scheduled),
    ]
    .into_iter()
    .chain(restarting.map(|verdict| ("AllContainersRestarting", verdict)))
    .map(|(kind, Verdict { holds, reason, message })| Condition {
        kind: kind.to_owned(),
        holds,
        reason: reason.to_owned(),
        message,
        since: since(seen, kind, holds).unwrap_or(*now),
    })
    .collect()
}

/// When a condition that was said already came to hold, or not to (CON-7).
fn since(seen: &Seen, kind: &str, holds: bool) -> Option<Now> {
    said(seen, kind).filter(|condition| condition.holds == holds).map(|condition| condition.since)
}

fn said<'a>(seen: &'a Seen, kind: &str) -> Option<&'a Condition> {
    seen.said.as_ref()?.conditions.iter().find(|condition| condition.kind == kind)
}

/// CON-3, CON-4: once it holds it holds for ever.
fn initialized(turn: &Turn<'_>, phase: Phase, inits: &[ContainerStatus], mains: &[ContainerStatus]) -> Verdict {
    if phase == Phase::Succeeded {
        return Verdict { holds: true, reason: "PodCompleted", message: String::new() };
    }
    let has_run = |status: &ContainerStatus| match status.state {
        State::Running { .. } | State::Terminated(_) => true,
        State::Waiting { .. } => false,
    };
    let said = said(turn.seen, "Initialized").is_some_and(|condition| condition.holds);
    if said || turn.initialized || mains.iter().any(has_run) {
        return Verdict::holds();
    }
    let incomplete: Vec<&str> = turn
        .spec
        .inits
        .iter()
        .zip(inits)
        .filter(|(init, status)| match init {
            Init::Once(_) => !status.ready,
            Init::Sidecar(_) => status.started != Some(true),
        })
        .map(|(init, _)| init.container().name.as_str())
        .collect();
    Verdict::fails("ContainersNotInitialized", format!("containers with incomplete status: [{}]", incomplete.join(" ")))
}

/// CON-8: from the end that asks for it until nothing of the older walk is left.
fn restarting(turn: &Turn<'_>, phase: Phase) -> Verdict {
    match phase {
        Phase::Succeeded => Verdict::fails("PodCompleted", ""),
        Phase::Failed => Verdict::fails("PodFailed", ""),
        Phase::Pending | Phase::Running if restart_all::goes_on(turn) => Verdict {
            reason: "RestartAllContainersStarted",
            message: "container exited with restart policy rule".to_owned(),
            ..Verdict::holds()
        },
        Phase::Pending | Phase::Running => Verdict::fails("", ""),
    }
}

/// CON-5.
fn containers_ready(spec: &Spec, phase: Phase, inits: &[ContainerStatus], mains: &[ContainerStatus]) -> Verdict {
    match phase {
        Phase::Succeeded => return Verdict::fails("PodCompleted", ""),
        Phase::Failed => return Verdict::fails("PodFailed", ""),
        Phase::Pending | Phase::Running => {}
    }
    let sidecars = spec.inits.iter().zip(inits).filter(|(init, _)| match init {
        Init::Sidecar(_) => true,
        Init::Once(_) => false,
    });
    let in_spec_order = spec.mains.iter().filter_map(|main| mains.iter().find(|status| status.name == main.name));
    let unready: Vec<&str> = sidecars
        .map(|(_, status)| status)
        .chain(in_spec_order)
        .filter(|status| !status.ready)
        .map(|status| status.name.as_str())
        .collect();
    if unready.is_empty() {
        Verdict::holds()
    } else {
        Verdict::fails("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" ")))
    }
}

/// CON-6.
fn ready(spec: &Spec, seen: &Seen, phase: Phase, inits: &[ContainerStatus], mains: &[ContainerStatus]) -> Verdict {
    let containers = containers_ready(spec, phase, inits, mains);
    if !containers.holds {
        return containers;
    }
    let failures: Vec<String> = spec
        .readiness_gates
        .iter()
        .filter_map(|gate| match seen.gates.get(gate) {
            Some(true) => None,
            Some(false) => Some(format!("the status of pod readiness gate \"{gate}\" is not \"True\", but False")),
            None => Some(format!("corresponding condition of pod readiness gate \"{gate}\" does not exist.")),
        })
        .collect();
    if failures.is_empty() { containers } else { Verdict::fails("ReadinessGatesNotReady", failures.join(", ")) }
}
