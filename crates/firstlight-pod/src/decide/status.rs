//! What are watchers told (sections 1.9 to 1.11)? Computed from the same facts and the same decision as the actions
//! it is told with, so that the two never contradict each other.

use super::conditions;
use super::init::has_started;
use super::life::{self, Life, Verdict};
use super::phase;
use super::probe;
use super::restart;
use super::restart_all;
use super::step;
use super::turn::{Role, Turn};
use crate::seen::{Again, HookRun, Live, Next, Past, with_scheme};
use crate::spec::Container;
use crate::status::{ContainerStatus, Phase, REMOVED, RESTARTING_ALL, State, Status, Terminated};

/// MSG-2: one termination message, in bytes.
const MESSAGE_LIMIT: usize = 4096;
/// MSG-2: all termination messages of a pod, in bytes.
const MESSAGES_LIMIT: usize = 12 * 1024;

/// The pod's status as of this decision.
pub(crate) fn status(turn: &Turn<'_>, life: &Life) -> Status {
    let of_role = |wanted: &[Role]| -> Vec<ContainerStatus> {
        turn.containers()
            .filter(|(_, role)| wanted.contains(role))
            .map(|(container, role)| container_status(turn, life, container, role))
            .collect()
    };
    let inits = of_role(&[Role::Once, Role::Sidecar]);
    let mut mains = of_role(&[Role::Main]);
    mains.sort_by(|a, b| a.name.cmp(&b.name));
    let ephemerals = turn.ephemerals().map(|(container, role)| container_status(turn, life, container, role)).collect();
    let phase = phase::phase(turn, life, &mains);
    let (reason, message) = reason(life, phase);
    Status {
        observed_generation: turn.spec.generation,
        phase,
        reason,
        message,
        host_ip: said(turn, |said| said.host_ip.clone(), turn.seen.sandbox.host_ip()),
        pod_ip: pod_ip(turn, life),
        start_time: Some(life::start_time(turn)),
        conditions: conditions::conditions(turn, phase, &inits, &mains),
        inits,
        mains,
        ephemerals,
    }
}

fn said(turn: &Turn<'_>, of: impl Fn(&Status) -> Option<String>, news: Option<&str>) -> Option<String> {
    news.map(str::to_owned).or_else(|| turn.seen.said.as_deref().and_then(of))
}

/// A pod that is over keeps showing the address it had; one that gets a new sandbox has none meanwhile.
fn pod_ip(turn: &Turn<'_>, life: &Life) -> Option<String> {
    match life {
        Life::Living => turn.seen.pod_ip().map(str::to_owned),
        Life::Ending(_) => said(turn, |said| said.pod_ip.clone(), turn.seen.sandbox.pod_ip()),
    }
}

/// Why the pod is in its phase, where the phase alone does not say it (PHA-11).
fn reason(life: &Life, phase: Phase) -> (String, String) {
    let (reason, message) = match life {
        Life::Ending(ending) if phase.is_terminal() => match &ending.verdict {
            Verdict::Told { reason, message, .. } => (reason.as_str(), message.as_str()),
            Verdict::Deadline => ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"),
            Verdict::Evicted { message } => ("Evicted", message.as_str()),
            Verdict::SandboxLost => {
                ("SandboxLost", "the pod's sandbox ended, and restartPolicy Never forbids running its containers again")
            }
            Verdict::InitFailed { .. } | Verdict::Done | Verdict::Deleted => ("", ""),
        },
        Life::Ending(_) | Life::Living => ("", ""),
    };
    (reason.to_owned(), message.to_owned())
}

fn container_status(turn: &Turn<'_>, life: &Life, container: &Container, role: Role) -> ContainerStatus {
    let history = turn.history(container);
    let status = match history.next() {
        Some(Next::Live(live)) => of_live(turn, container, role, live),
        Some(Next::Coming(_)) | None => match history.past() {
            Some(past) => of_past(turn, life, container, role, past),
            None if role == Role::Once && turn.initialized => unrecorded(),
            None => ContainerStatus { state: waiting(turn, container), ..ContainerStatus::default() },
        },
    };
    ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone(),
        started: (role != Role::Ephemeral).then(|| status.started.unwrap_or(false)),
        restart_count: status.restart_count.max(count_said(turn, container)),
        ..status
    }
}

/// STA-10: a count that was told never falls, whatever is left of the records.
fn count_said(turn: &Turn<'_>, container: &Container) -> u32 {
    let said = turn.seen.said.iter().flat_map(|said| said.inits.iter().chain(&said.mains));
    said.filter(|said| said.name == container.name).map(|said| said.restart_count).max().unwrap_or(0)
}

/// Waiting for what the decision says it waits for; or because it was restarted with all others, while that did not come
/// to anything yet (RST-12); else in the words of STA-1.
fn waiting(turn: &Turn<'_>, container: &Container) -> State {
    let with_all = || {
        let past = turn.history(container).past();
        past.is_some_and(|past| matches!(past.again, Again::WithAll { .. } | Again::Removed))
    };
    let (reason, message) = match turn.shown(container) {
        Some((reason, message)) => (*reason, message.clone()),
        None if with_all() => (RESTARTING_ALL, REMOVED.to_owned()),
        None if turn.spec.inits.is_empty() => ("ContainerCreating", String::new()),
        None => ("PodInitializing", String::new()),
    };
    State::Waiting { reason: reason.to_owned(), message }
}

/// STA-13: nothing is left that tells how an init ended, and what runs after it shows that it did.
fn unrecorded() -> ContainerStatus {
    let message = "Unable to get init container status from container runtime and pod has been initialized, treat it as \
                   exited normally";
    let ended = Terminated { reason: "Completed".to_owned(), message: message.to_owned(), ..Terminated::default() };
    ContainerStatus { state: State::Terminated(ended), ready: true, ..ContainerStatus::default() }
}

fn of_live(turn: &Turn<'_>, container: &Container, role: Role, live: &Live) -> ContainerStatus {
    let history = turn.history(container);
    let hooked = role == Role::Once || step::post_start_done(container, live);
    let started = hooked && has_started(container, live);
    let state = match &live.post_start {
        HookRun::Failed(message) => {
            State::Waiting { reason: "PostStartHookError".to_owned(), message: message.clone() }
        }
        // A container runs, for watchers, when its post-start hook is over (SID-2).
        _ if !hooked => waiting(turn, container),
        HookRun::Idle | HookRun::Asked(_) | HookRun::Done => State::Running { since: live.since },
    };
    ContainerStatus {
        state,
        last: history.past().map(|past| cut(turn, &past.told_end())),
        ready: matches!(role, Role::Sidecar | Role::Main) && started && probe::readiness(container, live),
        started: Some(started),
        restart_count: live.attempt,
        container_id: with_scheme(&live.id),
        image_id: live.image_id.clone(),
        user: live.user.clone(),
        ..ContainerStatus::default()
    }
}

/// STA-9: an end is the state until something else is known of the next instance; then it is the last state.
fn of_past(turn: &Turn<'_>, life: &Life, container: &Container, role: Role, past: &Past) -> ContainerStatus {
    let history = turn.history(container);
    let in_this_walk = turn.seen.sandbox.is_there() && history.past_in(turn.seen.walk()).is_some();
    let comes_again = *life == Life::Living
        && !restart_all::ends(turn, past)
        && match role {
            Role::Once => !in_this_walk || restart::again(turn.spec, container, role, past),
            Role::Sidecar | Role::Main | Role::Ephemeral => restart::again(turn.spec, container, role, past),
        };
    let superseded = comes_again && (!in_this_walk || turn.shown(container).is_some());
    let ends = *life != Life::Living;
    let end = match role {
        _ if past.lost && ends => lost_at_the_end(&past.terminated),
        // It stays while all others are restarted, and its end is its own.
        Role::Ephemeral => past.terminated.clone(),
        Role::Once | Role::Sidecar | Role::Main => past.told_end(),
    };
    // While others of a deleted pod still end, nothing more is told of it than that it is gone (STA-8).
    let unsettled = past.lost && turn.seen.deletion.is_some() && turn.runs();
    // A record that is gone is counted before the next instance is there.
    let counted = u32::from(superseded && end.leaves_no_record());
    let (state, last) = if superseded || unsettled {
        (waiting(turn, container), Some(cut(turn, &past.told_end())))
    } else {
        (State::Terminated(cut(turn, &end)), history.before().map(|before| cut(turn, before)))
    };
    ContainerStatus {
        ready: role == Role::Once && !superseded && !restart::init_failed(&past.terminated),
        state,
        last,
        restart_count: past.attempt.saturating_add(counted),
        container_id: past.terminated.container_id.clone(),
        image_id: past.image_id.clone(),
        user: past.user.clone(),
        ..ContainerStatus::default()
    }
}

/// STA-8: what nobody saw end is told to have been lost at the latest now, the blanks as upstream has them.
fn lost_at_the_end(ended: &Terminated) -> Terminated {
    let message = "The container could not be located when the pod was terminated.  The container used to be Running";
    Terminated { message: message.to_owned(), ..ended.clone() }
}

/// MSG-2.
fn cut(turn: &Turn<'_>, ended: &Terminated) -> Terminated {
    let containers = turn.containers().count().max(1);
    let limit = MESSAGE_LIMIT.min(MESSAGES_LIMIT / containers);
    let mut end = ended.message.len().min(limit);
    while !ended.message.is_char_boundary(end) {
        end -= 1;
    }
    let message = ended.message.get(..end).unwrap_or_default().to_owned();
    Terminated { message, ..ended.clone() }
}
