//! Is the pod's sandbox up? Every container runs in it, inits included (SBX-10).

use super::turn::Turn;
use crate::action::Do;
use crate::backoff::doubled;
use crate::seen::Sandbox;
use crate::time::Millis;

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
        Sandbox::Gone { .. } => make(turn, "the pod's sandbox ended"),
    }
    false
}

fn make(turn: &mut Turn<'_>, why: &str) {
    let what = Do::CreateSandbox {
        attempt: turn.seen.sandbox.next_attempt(),
        identity: turn.spec.identity.clone(),
        sysctls: turn.spec.sysctls.clone(),
    };
    turn.act(what, why);
}
