//! Does the pod live, or is it ending, and why? Asked first in every decision.

use super::restart;
use super::restart_all;
use super::turn::{Role, Turn};
use crate::seen::Sandbox;
use crate::spec::{RestartPolicy, VolumeKind};
use crate::status::{Phase, Status};
use crate::time::{Millis, Now};

/// The longest an evicted pod may take to end (upstream: `immediateEvictionGracePeriodSeconds`).
const EVICTION_GRACE: Millis = Millis::secs(1);

/// Where the pod is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    /// It is to run.
    Living,
    /// It is to end: what runs is stopped and nothing starts (RST-14).
    Ending(Ending),
}

/// An end that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) verdict: Verdict,
    /// When its grace began.
    pub(crate) since: Now,
    pub(crate) grace: Millis,
}

/// Why a pod ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The API already says it is over (PHA-8).
    Told { phase: Phase, reason: String, message: String },
    /// `activeDeadlineSeconds` is over (DLN-2).
    Deadline,
    /// A volume holds more than it may (DLN-4).
    Evicted { message: String },
    /// An init failed and may not run again (INI-14).
    InitFailed { init: String },
    /// Every main ended for good (REG-6).
    Done,
    /// The sandbox ended by itself, and the pod may not run twice (SBX-4, B3).
    SandboxLost,
    /// Deletion was asked for.
    Deleted,
}

impl Verdict {
    /// As the reason of an action.
    pub(crate) fn why(&self) -> String {
        match self {
            Verdict::Told { phase, .. } => format!("the pod is {}", phase.as_str()),
            Verdict::Deadline => "activeDeadlineSeconds is over".to_owned(),
            Verdict::Evicted { message } => format!("it is evicted: {}", message.trim_end()),
            Verdict::InitFailed { init } => format!("init \"{init}\" failed and may not run again"),
            Verdict::Done => "every main container is done".to_owned(),
            Verdict::SandboxLost => "the sandbox ended and restartPolicy Never forbids a second one".to_owned(),
            Verdict::Deleted => "the pod is being deleted".to_owned(),
        }
    }
}

impl Life {
    pub(crate) fn of(turn: &Turn<'_>) -> Life {
        let Some((verdict, natural)) = verdict(turn) else { return Life::Living };
        let (since, grace) = match (turn.seen.deletion, &verdict) {
            (Some(deletion), _) => (deletion.at, deletion.grace),
            (None, Verdict::Evicted { .. }) => (natural, turn.spec.grace.min(EVICTION_GRACE)),
            (None, _) => (natural, turn.spec.grace),
        };
        // An end that began while no engine was there leaves its containers their grace all the same.
        let since = since.max(turn.seen.began.unwrap_or(since));
        Life::Ending(Ending { verdict, since, grace })
    }
}

/// Why the pod ends, and since when that holds.
fn verdict(turn: &Turn<'_>) -> Option<(Verdict, Now)> {
    // An end that restarts all containers, and came first, has its way; one that came later is of a pod that ends.
    let restart = restart_all::asked_for(turn);
    let first = |natural: &(Verdict, Now)| restart.as_ref().is_none_or(|(_, asked)| natural.1 <= *asked);
    told(turn)
        .or_else(|| deadline(turn))
        .or_else(|| evicted(turn))
        .or_else(|| init_failed(turn).filter(first))
        .or_else(|| done(turn).filter(first))
        .or_else(|| turn.seen.deletion.map(|deletion| (Verdict::Deleted, deletion.at)))
        .or_else(|| sandbox_lost(turn))
}

fn told(turn: &Turn<'_>) -> Option<(Verdict, Now)> {
    let Status { phase, reason, message, .. } = turn.seen.said.as_deref()?;
    phase
        .is_terminal()
        .then(|| (Verdict::Told { phase: *phase, reason: reason.clone(), message: message.clone() }, turn.now))
}

/// When the node first said anything about this pod (STA-17).
pub(crate) fn start_time(turn: &Turn<'_>) -> Now {
    turn.seen.said.as_ref().and_then(|said| said.start_time).or(turn.seen.began).unwrap_or(turn.now)
}

/// When the pod's time is up, if it has a limit (DLN-1).
pub(crate) fn deadline_at(turn: &Turn<'_>) -> Option<Now> {
    turn.spec.deadline.map(|deadline| start_time(turn).plus(deadline))
}

fn deadline(turn: &Turn<'_>) -> Option<(Verdict, Now)> {
    let at = deadline_at(turn)?;
    let first = turn.seen.deletion.is_none_or(|deletion| at <= deletion.at);
    (turn.now >= at && first).then_some((Verdict::Deadline, at))
}

/// DLN-4, word for word (upstream: `pkg/kubelet/eviction/helpers.go`), the blank at the end included.
fn evicted(turn: &Turn<'_>) -> Option<(Verdict, Now)> {
    turn.spec.volumes.iter().find_map(|volume| {
        let VolumeKind::EmptyDir { memory: false, size_limit: Some(limit) } = &volume.kind else { return None };
        let (bytes, at) = turn.seen.volumes.most.get(&volume.name)?;
        let (name, text) = (&volume.name, &limit.text);
        let message = format!("Usage of EmptyDir volume \"{name}\" exceeds the limit \"{text}\". ");
        (*bytes > limit.bytes).then_some((Verdict::Evicted { message }, *at))
    })
}

fn init_failed(turn: &Turn<'_>) -> Option<(Verdict, Now)> {
    let walk = turn.seen.walk();
    turn.containers().filter(|(_, role)| *role == Role::Once).find_map(|(container, role)| {
        let history = turn.history(container);
        let past = history.past_in(walk).filter(|_| history.next().is_none())?;
        let failed = restart::init_failed(&past.terminated) && !restart::again(turn.spec, container, role, past);
        failed.then(|| (Verdict::InitFailed { init: container.name.clone() }, past.terminated.finished_at))
    })
}

fn done(turn: &Turn<'_>) -> Option<(Verdict, Now)> {
    turn.spec
        .mains
        .iter()
        .map(|main| {
            let history = turn.history(main);
            let past = history.past().filter(|_| !history.may_run())?;
            let over = !restart::again(turn.spec, main, Role::Main, past);
            // What was lost with its sandbox ended for another reason than its own.
            let lost = past.lost && turn.spec.restart == RestartPolicy::Never;
            (over && !lost).then_some(past.terminated.finished_at)
        })
        .try_fold(Now(0), |latest, finished| finished.map(|finished| latest.max(finished)))
        .map(|finished| (Verdict::Done, finished))
}

fn sandbox_lost(turn: &Turn<'_>) -> Option<(Verdict, Now)> {
    let mut pasts = turn.containers().filter_map(|(container, _)| turn.history(container).past());
    let lost_at = match &turn.seen.sandbox {
        Sandbox::Gone { at, .. } => pasts.next().map(|_| *at),
        // The API knows of containers but nothing of a sandbox is left on this machine.
        Sandbox::Never => pasts.next().and(turn.seen.began),
        Sandbox::Creating { .. } | Sandbox::Ready { .. } | Sandbox::Failed { .. } => {
            pasts.find(|past| past.lost).map(|past| past.terminated.finished_at)
        }
    };
    lost_at.filter(|_| turn.spec.restart == RestartPolicy::Never).map(|at| (Verdict::SandboxLost, at))
}
