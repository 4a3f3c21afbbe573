//! Which ephemeral containers are to start? Each once in the pod's life, as soon as there is a sandbox, whatever its inits
//! and mains do; nothing waits for one, and none comes again (section 2.18).

use super::step;
use super::turn::{Role, Turn};

/// Takes the next step of every ephemeral container.
pub(crate) fn start(turn: &mut Turn<'_>) {
    for (container, _) in turn.ephemerals() {
        step::advance(turn, container, Role::Ephemeral);
    }
}
