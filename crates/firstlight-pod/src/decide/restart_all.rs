//! Are all containers to run again, because one ended so that its rule says it, and is what ran before out of the way
//! (RST-12, RST-13)?
//!
//! ```text
//!  a rule matches ──► RestartAll is written down ──► what runs is ended, grace 0 ──► the walk begins at the first step
//! ```
//!
//! Everything else of the pod stays: sandbox, address, volumes. That a new walk has begun is a durable fact before anything
//! is done about it: whichever engine sees a container end, its end belongs to the walk that it started in.

use super::restart;
use super::stop::{self, Grace};
use super::turn::{Role, Turn};
use crate::action::Do;
use crate::event::Instance;
use crate::seen::Past;
use crate::time::{Millis, Now};

/// Whose end asks for a new walk that has not begun, and when it came. The end is in the sandbox's journal, so the next
/// engine asks as well.
pub(super) fn asked_for(turn: &Turn<'_>) -> Option<(Instance, Now)> {
    let walk = turn.seen.walk().filter(|_| turn.seen.sandbox.is_ready());
    let ends = turn.containers().filter_map(|(container, _)| {
        let past = turn.history(container).past_in(walk)?;
        let instance = Instance { container: container.name.clone(), attempt: past.attempt };
        let asks = restart::restarts_all(turn.spec, container, past);
        asks.then_some((instance, past.terminated.finished_at))
    });
    ends.min_by_key(|(_, finished)| *finished)
}

/// Whether a new walk is asked for, or something of an older one is still there. No other decision is made meanwhile
/// (RST-13).
pub(super) fn goes_on(turn: &Turn<'_>) -> bool {
    let walk = turn.seen.walk();
    asked_for(turn).is_some() || turn.containers().any(|(container, _)| turn.history(container).is_left_from(walk))
}

/// Whether the restart that goes on is what ended the walk of this instance: its end is shown until nothing of that walk is
/// left. One of a walk before that waits since then.
pub(super) fn ends(turn: &Turn<'_>, past: &Past) -> bool {
    let Some(walk) = turn.seen.walk().filter(|_| goes_on(turn)) else { return false };
    let asked = asked_for(turn).is_some();
    let waits = past.walk.is_some_and(|ran_in| {
        ran_in.sandbox == walk.sandbox && ran_in.number.saturating_add(u32::from(!asked)) < walk.number
    });
    !waits
}

/// Takes the next steps of the restart.
pub(super) fn proceed(turn: &mut Turn<'_>) {
    if let Some((because, finished)) = asked_for(turn) {
        begin(turn, because, finished);
        return;
    }
    let inits_last = |role: Role| role != Role::Main;
    let mut left: Vec<_> = turn.containers().collect();
    left.sort_by_key(|(_, role)| inits_last(*role));
    for (container, _) in left {
        let history = turn.history(container);
        if !history.is_left_from(turn.seen.walk()) {
            continue;
        }
        match (history.live(), grace(turn)) {
            (Some(live), Some(grace)) => {
                stop::advance(turn, container, live, grace, true, "all containers of the pod are restarted");
            }
            (None, Some(grace)) => {
                turn.wait(Some(container), "ContainerStarting", "its start to be over, to stop it", grace.since);
            }
            (_, None) => {}
        }
    }
}

fn begin(turn: &mut Turn<'_>, because: Instance, finished: Now) {
    let Some(walk) = turn.seen.walk().map(|walk| walk.number.saturating_add(1)) else { return };
    let what = format!("\"{}\" ended so that all containers are restarted", because.container);
    match turn.seen.restart_asked.filter(|(asked, _)| turn.seen.walk().is_some_and(|now| *asked > now)) {
        Some((_, since)) => {
            turn.wait(
                None,
                "RestartingAllContainers",
                format!("it to be written down that {what}"),
                since.max(finished),
            );
        }
        None => turn.act(Do::RestartAll { walk, because }, what),
    }
}

/// What is left from an older walk has no time to end, and no pre-stop hook, since that walk is over.
pub(super) fn grace(turn: &Turn<'_>) -> Option<Grace> {
    turn.seen.restarted.map(|restarted| Grace { since: restarted.at, length: Millis(0) })
}
