//! What is left to do for a pod that is ending? Mains first, sidecars after them in reverse order, the sandbox after
//! them all, and the pod itself only if it was deleted (section 1.14).

use super::life::Ending;
use super::restart;
use super::stop::{self, Grace};
use super::turn::{Role, Turn};
use crate::action::Do;
use crate::seen::Sandbox;

/// Takes the next steps of the pod's end.
pub(crate) fn drain(turn: &mut Turn<'_>, ending: &Ending) {
    let grace = Grace { since: ending.since, length: ending.grace };
    let why = ending.verdict.why();
    // Walking backwards, a sidecar meets every container that stops before it first (TRM-9).
    let mut still_runs = false;
    for (container, role) in turn.containers().rev() {
        let history = turn.history(container);
        if let Some(live) = history.live() {
            let its_turn = match role {
                Role::Sidecar => !still_runs,
                Role::Once | Role::Main => true,
            };
            let own = restart::stop_reason(container, role, live).zip(live.stop_asked);
            let grace = match own {
                // Its own end had begun already, and may be nearer.
                Some((reason, since)) => nearer(grace, Grace { since, length: reason.grace(turn.spec, container) }),
                None => grace,
            };
            stop::advance(turn, container, live, grace, its_turn, &why);
        } else if history.may_run() {
            turn.wait(Some(container), "ContainerStarting", "its start to be over, to stop it", grace.since);
        }
        still_runs = still_runs || history.may_run();
    }
    if !still_runs {
        take_down(turn, ending);
    }
}

fn nearer(a: Grace, b: Grace) -> Grace {
    if b.end() < a.end() { b } else { a }
}

fn take_down(turn: &mut Turn<'_>, ending: &Ending) {
    match &turn.seen.sandbox {
        Sandbox::Ready { attempt, removing: None, .. } => {
            let why = ending.verdict.why();
            turn.act(Do::RemoveSandbox { attempt: *attempt }, why);
        }
        Sandbox::Ready { removing: Some(since), .. } => {
            turn.wait(None, "SandboxRemoving", "the sandbox to be taken down", *since);
        }
        Sandbox::Creating { since, .. } => {
            turn.wait(None, "SandboxCreating", "the sandbox to come up, to take it down", *since);
        }
        Sandbox::Never | Sandbox::Failed { .. } | Sandbox::Gone { .. } => forget(turn),
    }
}

fn forget(turn: &mut Turn<'_>) {
    if turn.seen.deletion.is_some() && turn.seen.forgetting.is_none() {
        turn.act(Do::Forget, "the pod is being deleted and nothing of it is left");
    }
}
