//! How far is initialization? Walks the init steps of this sandbox in spec order (sections 1.3 and 1.4).
//!
//! ```text
//!   a (done)   s (sidecar, started)   b (running)   c          mains
//!   ─────────────────────────────────►│ frontier
//!   kept alive: s                     only b may act; c and mains wait
//! ```
//!
//! The frontier is the last step whose turn came in this sandbox. Steps before it are never held against the pod
//! again: a regular init there is done, a sidecar is only kept alive (INI-5, SID-5).

use super::probe;
use super::restart;
use super::step::{self, Step};
use super::turn::{Role, Turn};
use crate::seen::{HookRun, Live};
use crate::spec::{Container, Init};

/// Whether every step is passed in this sandbox.
pub(crate) fn passed(turn: &Turn<'_>) -> bool {
    let frontier = frontier(turn);
    let walk = turn.seen.walk();
    turn.seen.sandbox.is_ready()
        && turn.spec.inits.iter().enumerate().all(|(index, init)| {
            let history = turn.history(init.container());
            match init {
                Init::Once(_) => {
                    index < frontier
                        || history.past_in(walk).is_some_and(|past| !restart::init_failed(&past.terminated))
                }
                Init::Sidecar(container) => {
                    index < frontier || history.live_in(walk).is_some_and(|live| has_started(container, live))
                }
            }
        })
}

/// Takes the next step of initialization, and keeps alive the sidecars that are passed.
pub(crate) fn walk(turn: &mut Turn<'_>) {
    let spec = turn.spec;
    let frontier = frontier(turn);
    for (index, init) in spec.inits.iter().enumerate() {
        match init {
            Init::Once(_) if index < frontier => {}
            Init::Once(container) => match step::advance(turn, container, Role::Once) {
                Step::Over => {}
                Step::UnderWay | Step::Held | Step::Runs => return,
            },
            Init::Sidecar(container) => {
                step::advance(turn, container, Role::Sidecar);
                if index >= frontier && !started(turn, container) {
                    return;
                }
            }
        }
    }
}

/// The index of the last step whose turn came in this sandbox; past the end if a main's did.
fn frontier(turn: &Turn<'_>) -> usize {
    let walk = turn.seen.walk();
    let had_turn = |container: &Container| turn.history(container).had_turn_in(walk);
    let inits = &turn.spec.inits;
    if turn.spec.mains.iter().any(had_turn) {
        return inits.len();
    }
    inits.iter().rposition(|init| had_turn(init.container())).unwrap_or(0)
}

/// Whether a sidecar lets the next step begin (SID-1); if it runs but does not yet, says what is waited for.
fn started(turn: &mut Turn<'_>, container: &Container) -> bool {
    let Some(live) = turn.history(container).live() else { return false };
    let started = has_started(container, live);
    let probing = !matches!(live.post_start, HookRun::Failed(_)) && step::post_start_done(container, live);
    if !started && probing {
        let what = format!("the startup probe of sidecar \"{}\"", container.name);
        turn.wait(Some(container), "StartupProbe", what, live.since);
    }
    started
}

/// STA-12 for sidecars and mains.
pub(crate) fn has_started(container: &Container, live: &Live) -> bool {
    step::post_start_done(container, live) && probe::startup(container, live) == Some(true)
}
