//! Which mains may start? All at once after initialization, but one after the other in spec order: pull, create,
//! start and post-start hook of one are over before the next begins (REG-1, SYN-8).

use super::step::{self, Step};
use super::turn::{Role, Turn};
use crate::spec::Container;
use crate::time::Now;

/// Takes the next step of every main.
pub(crate) fn start(turn: &mut Turn<'_>) {
    let spec = turn.spec;
    let walk = turn.seen.walk();
    let mut before = None;
    for main in &spec.mains {
        let history = turn.history(main);
        let first = history.live().is_none() && history.past_in(walk).is_none();
        match before {
            Some((name, since)) if first => {
                let what = format!("main container \"{name}\", which starts before it");
                turn.wait(Some(main), "EarlierContainer", what, since);
            }
            Some(_) | None => match step::advance(turn, main, Role::Main) {
                Step::UnderWay => before = before.or(Some((&main.name, turn_began(turn, main)))),
                Step::Held | Step::Runs | Step::Over => {}
            },
        }
    }
    let running = |main: &&Container| turn.history(main).live().filter(|live| step::post_start_done(main, live));
    let live = spec.mains.iter().filter_map(|main| running(&main));
    if let Some(since) = live.map(|live| live.since).min() {
        turn.wait(None, "Running", "its main containers run until they end", since);
    }
}

fn turn_began(turn: &Turn<'_>, main: &Container) -> Now {
    let history = turn.history(main);
    let coming = history.coming().and_then(|coming| coming.turn);
    coming.or_else(|| history.live().map(|live| live.since)).unwrap_or(turn.now)
}
