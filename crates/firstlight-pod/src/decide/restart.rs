//! Does a container that ended run again, and when? One answer for actions, phase and status (B6).

use super::probe;
use super::turn::{Role, Turn};
use crate::event::StopReason;
use crate::seen::{Again, HookRun, Live, Past};
use crate::spec::{Container, RestartPolicy, RestartRule, RuleAction, Spec};
use crate::status::Terminated;
use crate::time::{Millis, Now};

/// Whether a regular init that ended so has failed (INI-8).
pub(crate) fn init_failed(ended: &Terminated) -> bool {
    ended.code != 0 || ended.reason == "OOMKilled"
}

/// Whether a container whose newest instance ended so runs again in this sandbox (section 1.6).
pub(crate) fn again(spec: &Spec, container: &Container, role: Role, past: &Past) -> bool {
    let policy = container.restart.unwrap_or(spec.restart);
    match role {
        Role::Sidecar => true,
        Role::Ephemeral => false,
        // One that succeeded is done, whatever its rules say (RST-8).
        Role::Once => {
            init_failed(&past.terminated) && (policy != RestartPolicy::Never || restarts_by_rule(container, past))
        }
        Role::Main if past.again != Again::Judged => true,
        Role::Main => match past.retired {
            Some(StopReason::Changed) => true,
            // Under Never its end is judged as any other (REG-5).
            Some(StopReason::Startup | StopReason::Liveness) if policy != RestartPolicy::Never => true,
            Some(StopReason::Startup | StopReason::Liveness | StopReason::PostStart) | None => {
                restarts_by_rule(container, past)
                    || match policy {
                        RestartPolicy::Always => true,
                        RestartPolicy::OnFailure => past.terminated.code != 0,
                        RestartPolicy::Never => false,
                    }
            }
        },
    }
}

/// Whether a rule of its own restarts it, alone or with all others (RST-6, RST-7).
fn restarts_by_rule(container: &Container, past: &Past) -> bool {
    rule(container, past).is_some()
}

/// The rule that decides about this end. What was lost has no exit code to judge by.
fn rule<'a>(container: &'a Container, past: &Past) -> Option<&'a RestartRule> {
    let rules = container.restart.map_or(&[][..], |_| &container.restart_rules);
    rules.iter().find(|rule| !past.lost && rule.matches(past.terminated.code))
}

/// Whether this end restarts every container of the pod (RST-12). One that was stopped to start anew says nothing.
pub(crate) fn restarts_all(spec: &Spec, container: &Container, past: &Past) -> bool {
    let policy = container.restart.unwrap_or(spec.restart);
    let judged = match past.retired {
        Some(StopReason::Changed) => false,
        Some(StopReason::Startup | StopReason::Liveness) => policy == RestartPolicy::Never,
        Some(StopReason::PostStart) | None => true,
    };
    judged && rule(container, past).is_some_and(|rule| rule.action == RuleAction::RestartAllContainers)
}

/// Whether the pod has a rule that restarts every container.
pub(crate) fn may_restart_all(spec: &Spec) -> bool {
    spec.containers().any(|container| {
        let rules = container.restart.map_or(&[][..], |_| &container.restart_rules);
        rules.iter().any(|rule| rule.action == RuleAction::RestartAllContainers)
    })
}

/// Why this running container must end although the pod lives, if it must.
pub(crate) fn stop_reason(container: &Container, role: Role, live: &Live) -> Option<StopReason> {
    if let Some((reason, _)) = live.retired {
        return Some(reason);
    }
    if matches!(role, Role::Once | Role::Ephemeral) {
        return None;
    }
    if matches!(live.post_start, HookRun::Failed(_)) {
        return Some(StopReason::PostStart);
    }
    let startup = probe::startup(container, live);
    if startup == Some(false) {
        return Some(StopReason::Startup);
    }
    let changed = live.image.as_ref().is_some_and(|image| *image != container.image);
    if changed && (role == Role::Main || startup == Some(true)) {
        return Some(StopReason::Changed);
    }
    (probe::liveness(container, live) == Some(false)).then_some(StopReason::Liveness)
}

impl StopReason {
    /// What the `Killing` event says (EVT-3).
    pub(crate) fn message(self, spec: &Spec, container: &Container, role: Role) -> String {
        let name = &container.name;
        let never = container.restart.unwrap_or(spec.restart) == RestartPolicy::Never;
        let what = match self {
            StopReason::PostStart => return "FailedPostStartHook".to_owned(),
            StopReason::Changed => "definition changed",
            StopReason::Startup => "failed startup probe",
            StopReason::Liveness => "failed liveness probe",
        };
        match role {
            Role::Once | Role::Sidecar => format!("Init container {name} {what}"),
            Role::Main if never && self != StopReason::Changed => format!("Container {name} {what}"),
            Role::Ephemeral => format!("Container {name} {what}"),
            Role::Main => format!("Container {name} {what}, will be restarted"),
        }
    }

    /// How long the container may take to end (TRM-3).
    pub(crate) fn grace(self, spec: &Spec, container: &Container) -> Millis {
        let own = match self {
            StopReason::PostStart | StopReason::Changed => None,
            StopReason::Startup => container.startup.as_ref().and_then(|probe| probe.grace),
            StopReason::Liveness => container.liveness.as_ref().and_then(|probe| probe.grace),
        };
        own.unwrap_or(spec.grace)
    }
}

/// The crash back-off after this end: how long it is, and when it is or was over; `None` if there is none.
pub(crate) fn held_back(turn: &Turn<'_>, container: &Container, past: &Past) -> Option<(Millis, Now)> {
    if past.again.is_for_anothers_sake() {
        return None;
    }
    let crashes = turn.history(container).crashes.as_ref()?;
    let finished = past.terminated.finished_at;
    let delay = crashes.delay(finished, &container.image, turn.spec.rules.backoff);
    (delay > Millis(0)).then(|| (delay, finished.plus(delay)))
}

/// The crash back-off that held the instance whose turn it is now, if one did.
pub(crate) fn held_back_before(turn: &Turn<'_>, container: &Container) -> Option<Millis> {
    let history = turn.history(container);
    history.coming().and_then(|coming| coming.turn)?;
    history.past().filter(|past| !past.again.is_for_anothers_sake())?;
    history.crashes.as_ref()?.last_delay(turn.spec.rules.backoff)
}
