//! Which probes are due, and what do their results say (section 1.16)? Results belong to one instance: the next one
//! begins anew, so no result of another can ever hold it (B7).

use super::expand;
use super::life::Life;
use super::restart;
use super::step;
use super::turn::{Role, Turn};
use crate::action::Do;
use crate::event::{Instance, ProbeKind};
use crate::seen::Live;
use crate::spec::{Container, Handler, Probe};
use crate::time::{Millis, Now};

/// The startup probe's result: `None` while it is not known, true where there is no such probe.
pub(crate) fn startup(container: &Container, live: &Live) -> Option<bool> {
    match &container.startup {
        None => Some(true),
        Some(_) if live.kept_started => Some(true),
        Some(probe) => result(probe, live, ProbeKind::Startup),
    }
}

/// The liveness probe's result; good until it says otherwise (PRB-2).
pub(crate) fn liveness(container: &Container, live: &Live) -> Option<bool> {
    container.liveness.as_ref().map(|probe| result(probe, live, ProbeKind::Liveness).unwrap_or(true))
}

/// The readiness probe's result; bad until it says otherwise, or what was said before this worker began (PRB-9).
pub(crate) fn readiness(container: &Container, live: &Live) -> bool {
    match &container.readiness {
        None => true,
        Some(probe) => result(probe, live, ProbeKind::Readiness).unwrap_or(live.kept_ready),
    }
}

fn result(probe: &Probe, live: &Live, kind: ProbeKind) -> Option<bool> {
    live.tries(kind).streaks.result(probe.success_threshold, probe.failure_threshold)
}

/// Asks for every try that is due, and to be asked again when the next one is.
pub(crate) fn due(turn: &mut Turn<'_>, life: &Life) {
    for (container, role) in turn.containers() {
        if let Some(live) = turn.history(container).live()
            && role != Role::Once
            && step::post_start_done(container, live)
        {
            of_container(turn, life, container, role, live);
        }
    }
}

fn of_container(turn: &mut Turn<'_>, life: &Life, container: &Container, role: Role, live: &Live) {
    let startup = startup(container, live);
    // Once a container is to end, only its readiness still matters (TRM-12, PRB-4).
    let stays = live.stop_asked.is_none() && restart::stop_reason(container, role, live).is_none();
    let judged = *life == Life::Living && stays && !turn.history(container).is_left_from(turn.seen.walk());
    let kinds = [
        (ProbeKind::Startup, &container.startup, judged && startup.is_none()),
        (ProbeKind::Liveness, &container.liveness, judged && startup == Some(true)),
        (ProbeKind::Readiness, &container.readiness, startup == Some(true)),
    ];
    for (kind, probe, runs) in kinds {
        if let Some(probe) = probe.as_ref().filter(|_| runs) {
            try_if_due(turn, container, live, kind, probe);
        }
    }
}

/// An engine that takes over does not try all probes of its pods in one moment: the first of each is somewhere in its first
/// period (PRB-8). Where is not left to chance, so that the next decision comes to the same.
fn not_all_at_once(turn: &Turn<'_>, container: &Container, live: &Live, kind: ProbeKind, probe: &Probe) -> Now {
    let Some(began) = turn.seen.began.filter(|began| live.since < *began) else { return Now(0) };
    let words = [turn.spec.id.uid.as_str(), container.name.as_str()];
    let bytes = words.iter().flat_map(|word| word.bytes()).chain([kind as u8]);
    // FNV-1a, 64 bits.
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    began.plus(Millis(hash.checked_rem(probe.period.0).unwrap_or(0)))
}

fn try_if_due(turn: &mut Turn<'_>, container: &Container, live: &Live, kind: ProbeKind, probe: &Probe) {
    let tries = live.tries(kind);
    if tries.under_way {
        return;
    }
    let at = match tries.last_asked {
        Some(last) => last.plus(probe.period),
        None => live.since.plus(probe.initial_delay).max(not_all_at_once(turn, container, live, kind, probe)),
    };
    if turn.now < at {
        turn.look_at(at);
        return;
    }
    let what = Do::Probe {
        instance: Instance { container: container.name.clone(), attempt: live.attempt },
        probe: kind,
        handler: match &probe.handler {
            Handler::Exec(command) => Handler::Exec(expand::probe_command(command, &container.env)),
            other => other.clone(),
        },
        timeout: probe.timeout,
    };
    turn.act(what, "its next try is due");
}
