//! Which phase is the pod in (section 1.9)? Computed from the container statuses that are told along with it.

use super::life::{Life, Verdict};
use super::restart;
use super::restart_all;
use super::turn::{Role, Turn};
use crate::spec::Container;
use crate::status::{ContainerStatus, Phase, State};

/// The phase, given what is told of the mains (in any order).
pub(crate) fn phase(turn: &Turn<'_>, life: &Life, mains: &[ContainerStatus]) -> Phase {
    match life {
        Life::Living => living(turn, mains),
        Life::Ending(ending) => {
            match &ending.verdict {
                Verdict::Told { phase, .. } => *phase,
                // A final phase is told only when nothing runs any more (PHA-8).
                _ if turn.runs() => turn.seen.phase_said(),
                Verdict::Deadline | Verdict::Evicted { .. } | Verdict::InitFailed { .. } | Verdict::SandboxLost => {
                    Phase::Failed
                }
                Verdict::Done | Verdict::Deleted => verdict_of(mains),
            }
        }
    }
}

/// PHA-2 to PHA-7. A pod with init steps is `Pending` until a main ran in this sandbox, whatever ran in an older one
/// (B13); and again while its inits run anew in the same sandbox (RST-12).
fn living(turn: &Turn<'_>, mains: &[ContainerStatus]) -> Phase {
    let never_ran = |status: &ContainerStatus| matches!(status.state, State::Waiting { .. }) && status.last.is_none();
    let walk = turn.seen.walk();
    let sandbox = walk.map(|walk| walk.sandbox);
    let ran_here = |main: &Container| {
        let history = turn.history(main);
        let past_in = history.past().and_then(|past| past.walk).map(|walk| walk.sandbox);
        history.live().is_some() || (sandbox.is_some() && past_in == sandbox)
    };
    let anew = walk.is_some_and(|walk| walk.number > 0) || restart_all::goes_on(turn);
    let passed = match anew && turn.seen.sandbox.is_ready() {
        true => restart_all::goes_on(turn) || !initializes_again(turn),
        false => turn.initialized,
    };
    let initialized = turn.spec.inits.is_empty() || (passed && turn.spec.mains.iter().any(ran_here));
    if !initialized || mains.iter().any(never_ran) {
        return Phase::Pending;
    }
    // It lives: something runs, or comes again. When nothing does any more, it is ending.
    Phase::Running
}

/// Whether regular inits run again in a walk that is not the sandbox's first. Before the first of them runs, what was told
/// of the walk before stands; sidecars do not matter any more (PHA-3). Decided by what is durable, so that the next engine
/// says the same.
fn initializes_again(turn: &Turn<'_>) -> bool {
    let walk = turn.seen.walk();
    let began = |container: &Container| {
        let history = turn.history(container);
        history.live_in(walk).is_some() || history.past_in(walk).is_some()
    };
    let done = |container: &Container| {
        let past = turn.history(container).past_in(walk);
        past.is_some_and(|past| !restart::init_failed(&past.terminated))
    };
    let inits = || turn.containers().filter(|(_, role)| *role == Role::Once).map(|(container, _)| container);
    inits().any(began) && !inits().all(done) && !turn.spec.mains.iter().any(began)
}

/// PHA-6, PHA-10: good only if every main ended with 0.
fn verdict_of(mains: &[ContainerStatus]) -> Phase {
    let good = |status: &ContainerStatus| match &status.state {
        State::Terminated(ended) => ended.code == 0,
        State::Waiting { .. } | State::Running { .. } => false,
    };
    if mains.iter().all(good) { Phase::Succeeded } else { Phase::Failed }
}
