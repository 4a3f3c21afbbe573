//! Plans as text for stories: what was done and why, what was said, what is waited for, what people were told.

use crate::world::Turned;
use firstlight_pod::status::{Condition, ContainerStatus, State};
use firstlight_pod::{Status, Wait};
use std::fmt::Write as _;

/// Prints turns, leaving out what did not change since the one before.
#[derive(Default)]
pub(crate) struct Printer {
    said: Vec<String>,
    waits: Vec<String>,
}

impl Printer {
    pub(crate) fn print(&mut self, turned: &[Turned], out: &mut String) {
        for turn in turned {
            let at = turn.at.0;
            for report in &turn.reports {
                let kind = if report.warning { "Warning" } else { "Normal" };
                let container = report.container.as_ref().map_or(String::new(), |name| format!(" {{{name}}}"));
                let _ = writeln!(out, "  {at:>7} tell {kind} {}{container}: {}", report.reason, report.message);
            }
            for action in &turn.plan.actions {
                let _ = writeln!(out, "  {at:>7} do   {}   <- {}", action.what, action.why.0);
            }
            let said = status(&turn.plan.status);
            let news: Vec<&str> = said.iter().filter(|part| !self.said.contains(part)).map(String::as_str).collect();
            if !news.is_empty() {
                let _ = writeln!(out, "  {at:>7} say  {}", news.join(" | "));
            }
            self.said = said;
            if turn.plan.actions.is_empty() {
                let waits: Vec<String> = turn.plan.waits.iter().map(wait).collect();
                for wait in waits.iter().filter(|wait| !self.waits.contains(wait)) {
                    let _ = writeln!(out, "  {at:>7} wait {wait}");
                }
                self.waits = waits;
            }
        }
    }
}

fn wait(wait: &Wait) -> String {
    let container = wait.container.as_ref().map_or(String::new(), |name| format!(" {{{name}}}"));
    let until = wait.until.map_or(String::new(), |until| format!(" until {}", until.0));
    format!("{}{container}: {}{until}", wait.reason, wait.what)
}

/// The parts of a status: `Running`, `a: Terminated Completed(0)`, `m: Running x1 ready (was Error(1))`,
/// `Initialized`, `not Ready: containers with unready status: [m]`.
fn status(status: &Status) -> Vec<String> {
    let mut phase = status.phase.as_str().to_owned();
    if !status.reason.is_empty() {
        let _ = write!(phase, " ({}: {})", status.reason, status.message);
    }
    let containers = status.inits.iter().chain(&status.mains).chain(&status.ephemerals).map(one);
    let telling = |condition: &&Condition| condition.kind != "PodScheduled" || !condition.holds;
    let conditions = status.conditions.iter().filter(telling).map(|condition| {
        let Condition { kind, holds, reason, message, .. } = condition;
        match (holds, message.is_empty()) {
            (true, _) => format!("{kind} {reason}").trim_end().to_owned(),
            (false, true) => format!("not {kind} {reason}").trim_end().to_owned(),
            (false, false) => format!("not {kind}: {message}"),
        }
    });
    // What follows from Ready is not repeated.
    let conditions = conditions.filter(|text| !text.contains("ContainersReady"));
    std::iter::once(phase).chain(containers).chain(conditions).collect()
}

fn one(container: &ContainerStatus) -> String {
    let mut text = format!("{}: ", container.name);
    match &container.state {
        State::Waiting { reason, message } if message.is_empty() => {
            let _ = write!(text, "Waiting {reason}");
        }
        State::Waiting { reason, message } => {
            let _ = write!(text, "Waiting {reason} ({message})");
        }
        State::Running { .. } => text.push_str("Running"),
        State::Terminated(ended) => {
            let _ = write!(text, "Terminated {}({})", ended.reason, ended.code);
        }
    }
    if container.restart_count > 0 {
        let _ = write!(text, " x{}", container.restart_count);
    }
    if container.ready {
        text.push_str(" ready");
    }
    if container.started == Some(true) && !container.ready {
        text.push_str(" started");
    }
    if let Some(last) = &container.last {
        let _ = write!(text, " (was {}({}))", last.reason, last.code);
    }
    text
}
