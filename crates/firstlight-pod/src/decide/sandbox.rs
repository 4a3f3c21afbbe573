//! Is the pod's sandbox up? Every container runs in it, inits included (SBX-10).

use super::turn::Turn;
use crate::action::Do;
use crate::backoff::doubled;
use crate::seen::Sandbox;
use crate::time::{Millis, Now};

/// The first wait after a sandbox could not be made; doubled each time.
const RETRY: Millis = Millis::secs(1);
/// The longest such wait: what the kubelet waits after any error (SYN-10).
const RETRY_CAP: Millis = Millis::secs(10);

/// Has a sandbox made if there is none. True if containers can be started in it.
pub(crate) fn ready(turn: &mut Turn<'_>) -> bool {
    match &turn.seen.sandbox {
        Sandbox::Ready { removing: None, .. } => return true,
        Sandbox::Ready { removing: Some(since), .. } => {
            turn.wait(None, "SandboxRemoving", "the old sandbox to be taken down", *since);
        }
        Sandbox::Creating { since, .. } => turn.wait(None, "SandboxCreating", "the sandbox to come up", *since),
        Sandbox::Failed { message, at, failures, .. } => {
            let until = at.plus(doubled(RETRY, *failures, RETRY_CAP));
            if turn.now < until {
                let what = format!("the next try to make a sandbox: {message}");
                turn.wait_until(None, "SandboxRetry", what, *at, until);
            } else {
                make(turn, "the last try to make a sandbox failed");
            }
        }
        Sandbox::Never => make(turn, "the pod has no sandbox"),
        Sandbox::Gone { at, written: false, .. } => wait_to_be_written(turn, *at),
        Sandbox::Gone { written: true, .. } => make(turn, "the pod's sandbox ended"),
    }
    false
}

/// Whatever removes the journal of the sandbox before must wait until the API knows what it tells: an engine that was
/// killed in between would run again what is done.
pub(crate) fn wait_to_be_written(turn: &mut Turn<'_>, since: Now) {
    turn.wait(None, "StatusUnwritten", "the API to know what became of the sandbox before", since);
}

fn make(turn: &mut Turn<'_>, why: &str) {
    let what = Do::CreateSandbox {
        attempt: turn.seen.sandbox.next_attempt(),
        identity: turn.spec.identity.clone(),
        sysctls: turn.spec.sysctls.clone(),
        share_processes: turn.spec.share_processes,
    };
    turn.act(what, why);
}
