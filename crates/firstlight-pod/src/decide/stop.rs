//! How is a running container brought to its end? The pre-stop hook, the stop signal, and at the end of the grace
//! the kill signal; never more than one of each (TRM-4, TRM-7). Asked for single containers and for a whole pod.

use super::turn::{Role, Turn};
use crate::action::{Do, Signal};
use crate::event::{Hook, Instance, StopReason};
use crate::seen::{HookRun, Live};
use crate::spec::{Container, Spec};
use crate::time::{Millis, Now};

/// What a container always gets between its stop signal and the kill (TRM-4).
const FLOOR: Millis = Millis::secs(2);

/// The time an end may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grace {
    pub(crate) since: Now,
    pub(crate) length: Millis,
}

impl Grace {
    pub(crate) fn end(self) -> Now {
        self.since.plus(self.length)
    }
}

/// The grace of a container that is stopped for a reason of its own, from when that was written down.
pub(crate) fn own_grace(spec: &Spec, container: &Container, live: &Live) -> Option<Grace> {
    live.retired.map(|(reason, since)| Grace { since, length: reason.grace(spec, container) })
}

/// Ends one container while the pod lives on. That it is to end, and why, is written down first: else an engine that
/// dies in between would leave the next one with an end it cannot tell from the container's own.
pub(crate) fn single(turn: &mut Turn<'_>, container: &Container, role: Role, live: &Live, reason: StopReason) {
    let why = reason.message(turn.spec, container, role);
    match (own_grace(turn.spec, container, live), live.retire_asked) {
        (Some(grace), _) => advance(turn, container, live, grace, true, &why),
        (None, Some(since)) => {
            let what = format!("it to be written down that \"{}\" is to end: {why}", container.name);
            turn.wait(Some(container), "Stopping", what, since);
        }
        (None, None) => {
            let instance = Instance { container: container.name.clone(), attempt: live.attempt };
            turn.act(Do::Retire { instance, reason }, why);
        }
    }
}

/// Takes the next step of a container's end. `its_turn` holds back the stop signal, but not the hook and not the
/// end of the grace.
pub(crate) fn advance(
    turn: &mut Turn<'_>,
    container: &Container,
    live: &Live,
    grace: Grace,
    its_turn: bool,
    why: &str,
) {
    let instance = Instance { container: container.name.clone(), attempt: live.attempt };
    let now = turn.now;
    let over = now >= grace.end();
    let hook_over = match (&container.pre_stop, &live.pre_stop) {
        (Some(handler), HookRun::Idle) if !over && live.stop_signal.is_none() => {
            let (handler, timeout) = (handler.clone(), Some(grace.end().since(now)));
            turn.act(Do::Hook { instance: instance.clone(), hook: Hook::PreStop, handler, timeout }, why);
            false
        }
        (Some(_), HookRun::Asked(_)) => false,
        (Some(_) | None, _) => true,
    };
    let Some(stopped) = live.stop_signal else {
        if over || (hook_over && its_turn) {
            turn.act(Do::Signal { instance, signal: Signal::Stop }, why);
            turn.look_at(grace.end().max(now.plus(FLOOR)));
        } else {
            let what = match hook_over {
                false => format!("the preStop hook of \"{}\": {why}", container.name),
                true => format!("the containers that stop before \"{}\": {why}", container.name),
            };
            turn.wait_until(Some(container), "Stopping", what, grace.since, grace.end());
        }
        return;
    };
    let kill_at = grace.end().max(stopped.plus(FLOOR));
    match live.kill_signal {
        None if now >= kill_at => {
            turn.act(Do::Signal { instance, signal: Signal::Kill }, "its grace is over");
        }
        None => {
            let what = format!("\"{}\" to end: {why}", container.name);
            turn.wait_until(Some(container), "Stopping", what, stopped, kill_at);
        }
        Some(killed) => {
            turn.wait(Some(container), "Killing", format!("the kernel to end \"{}\"", container.name), killed);
        }
    }
}
