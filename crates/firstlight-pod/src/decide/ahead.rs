//! What can be created before its turn? Creating a container costs far more than starting one, so everything that
//! is certain already is created as soon as the sandbox is up, and only started at its turn.
//!
//! Whoever's turn it is comes first: nothing is created ahead before that one has been asked for, and never more at
//! once than the node has hands for.
//!
//! Not ahead: what must resolve its image's tag at every start (IMG-12), what mounts a path an init may still
//! make (`subPath`), what reads its variables from a file an init may still write (ENV-11), what cannot be resolved
//! yet, and what the runtime refused to create ahead.

use super::launch;
use super::restart;
use super::turn::{Role, Turn};
use crate::action::Do;
use crate::seen::{Coming, Next, Stage};
use crate::spec::{Container, EnvValue, PullPolicy};

/// Creates ahead whatever can be.
pub(crate) fn create(turn: &mut Turn<'_>) {
    let Some(sandbox) = turn.seen.sandbox.attempt() else { return };
    let mut free = free_hands(turn);
    for (container, role) in turn.containers() {
        if free == 0 {
            return;
        }
        if !may_be_ahead(turn, container, role) {
            continue;
        }
        if let Ok(launch) = launch::launch(turn.spec, turn.seen, container) {
            let instance = turn.next_instance(container);
            let create = Do::Create { instance, sandbox, launch: Box::new(launch), ahead: true };
            turn.act(create, "it is certain to be wanted");
            free -= 1;
        }
    }
}

/// How many more may be created now. None while an image is looked up: its container comes first, and soon. One that
/// has to be transferred takes long enough to create others meanwhile.
fn free_hands(turn: &Turn<'_>) -> usize {
    let coming = || turn.containers().filter_map(|(container, _)| turn.history(container).coming());
    let begins = turn.containers().any(|(container, _)| turn.takes_turn(container));
    if begins || coming().any(|c| matches!(c.stage, Stage::Pulling { transfer: false, .. } | Stage::Pulled { .. })) {
        return 0;
    }
    let busy = coming().filter(|c| matches!(c.stage, Stage::Creating { .. })).count() + turn.creations();
    turn.spec.rules.creations_at_once.saturating_sub(busy)
}

fn may_be_ahead(turn: &Turn<'_>, container: &Container, role: Role) -> bool {
    let history = turn.history(container);
    let untouched = match history.next() {
        None => true,
        Some(Next::Coming(Coming { turn: None, stage: Stage::Idle, not_ahead: false, .. })) => true,
        Some(Next::Coming(_) | Next::Live(_)) => false,
    };
    let wanted = match (history.past(), role) {
        (Some(past), Role::Main) => restart::again(turn.spec, container, role, past),
        (Some(_), Role::Once | Role::Sidecar | Role::Ephemeral) | (None, _) => true,
    };
    let first_here = !history.had_turn_in(turn.seen.walk());
    let settled = container.pull != PullPolicy::Always
        && container.mounts.iter().all(|m| m.sub_path.is_empty())
        && !container.env.iter().any(|var| matches!(var.value, EnvValue::File(_)));
    untouched && wanted && first_here && settled
}
