//! The decision: one `match` on where the pod is in its life, one file per phase.
//!
//! | file | question it answers |
//! | --- | --- |
//! | [`life`] | does the pod live, or is it ending, and why |
//! | [`volumes`] | are its volumes in place |
//! | [`sandbox`] | is its sandbox up |
//! | [`init`] | how far is initialization |
//! | [`ephemeral`] | which containers that look into it may start |
//! | [`main`] | which mains may start |
//! | [`ahead`] | what can be created before its turn |
//! | [`step`] | what is the next step of one container on its way to running |
//! | [`launch`], [`expand`] | with what exactly is it created |
//! | [`restart`] | does it run again, and when |
//! | [`restart_all`] | are all containers to run again, and is what ran before out of the way |
//! | [`stop`] | how is a running container brought to its end |
//! | [`probe`] | which probes are due, what do their results say |
//! | [`drain`] | what is left to do for a pod that is ending |
//! | [`status`], [`phase`], [`conditions`] | what are watchers told |

mod ahead;
mod conditions;
mod drain;
mod ephemeral;
pub(crate) mod expand;
mod init;
mod launch;
mod life;
mod main;
mod phase;
pub(crate) mod probe;
pub(crate) mod restart;
mod restart_all;
mod sandbox;
mod status;
mod step;
mod stop;
pub(crate) mod turn;
mod volumes;

use crate::plan::Plan;
use crate::seen::Seen;
use crate::spec::Spec;
use crate::time::Now;
use life::Life;
use turn::Turn;

/// What to do for this pod now. Total: one plan for every input; the same input gives the same plan.
#[must_use]
pub fn decide(spec: &Spec, seen: &Seen, now: Now) -> Plan {
    let mut turn = Turn::new(spec, seen, now);
    let life = Life::of(&turn);
    match &life {
        Life::Living => live(&mut turn),
        Life::Ending(ending) => drain::drain(&mut turn, ending),
    }
    probe::due(&mut turn, &life);
    let status = status::status(&turn, &life);
    turn.plan(status)
}

fn live(turn: &mut Turn<'_>) {
    if let Some(deadline) = life::deadline_at(turn) {
        turn.look_at(deadline);
    }
    turn.initialized = turn.spec.inits.is_empty() || init::passed(turn);
    if restart_all::goes_on(turn) {
        restart_all::proceed(turn);
        return;
    }
    if !volumes::placed(turn) || !sandbox::ready(turn) {
        return;
    }
    ephemeral::start(turn);
    init::walk(turn);
    if turn.initialized {
        main::start(turn);
    }
    ahead::create(turn);
}

#[cfg(test)]
mod tests;
