//! What is left to do for a pod that is ending? Mains first, sidecars after them in reverse order, the sandbox after
//! them all, and the pod itself only if it was deleted (section 1.14).

use super::life::Ending;
use super::restart_all;
use super::sandbox;
use super::stop::{self, Grace};
use super::turn::{Role, Turn};
use crate::action::Do;
use crate::seen::Sandbox;

/// Takes the next steps of the pod's end.
pub(crate) fn drain(turn: &mut Turn<'_>, ending: &Ending) {
    let grace = Grace { since: ending.since, length: ending.grace };
    let why = ending.verdict.why();
    let mut still_runs = false;
    for (index, (container, role)) in turn.containers().chain(turn.ephemerals()).enumerate() {
        let history = turn.history(container);
        still_runs = still_runs || history.may_run();
        if let Some(live) = history.live() {
            let its_turn = role != Role::Sidecar || !later_runs(turn, index);
            // An end of its own that began before the pod's may be nearer.
            let own = stop::own_grace(turn.spec, container, live).filter(|own| own.since < grace.since);
            let left = restart_all::grace(turn).filter(|_| history.is_left_from(turn.seen.walk()));
            let grace = own.into_iter().chain(left).fold(grace, nearer);
            stop::advance(turn, container, live, grace, its_turn, &why);
        } else if history.may_run() {
            turn.wait(Some(container), "ContainerStarting", "its start to be over, to stop it", grace.since);
        }
    }
    if !still_runs {
        take_down(turn, ending);
    }
}

/// Whether a main or a sidecar after this one runs: those stop first (TRM-9). A regular init holds nobody up (TRM-8).
fn later_runs(turn: &Turn<'_>, index: usize) -> bool {
    let later = turn.containers().skip(index.saturating_add(1));
    later.filter(|(_, role)| *role != Role::Once).any(|(container, _)| turn.history(container).may_run())
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
        Sandbox::Gone { at, written: false, .. } if turn.seen.deletion.is_some() => {
            sandbox::wait_to_be_written(turn, *at);
        }
        Sandbox::Never | Sandbox::Failed { .. } | Sandbox::Gone { .. } => forget(turn),
    }
}

fn forget(turn: &mut Turn<'_>) {
    if turn.seen.deletion.is_some() && turn.seen.forgetting.is_none() {
        turn.act(Do::Forget, "the pod is being deleted and nothing of it is left");
    }
}
