//! Shows progress: bars on a terminal, plain lines elsewhere, JSON for machines.

use super::{Board, Line, Summary, What};
use crate::args::Output;
use crate::exit::{Exit, Failure};
use crate::say;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// Where progress goes.
pub(crate) enum Show {
    /// A bar per step.
    Bars {
        /// All of them.
        all: MultiProgress,
        /// By pod and step.
        bars: BTreeMap<(String, Option<String>), ProgressBar>,
    },
    /// A line per change.
    Plain,
    /// A JSON object per change.
    Json,
}

impl Show {
    /// The way that fits the request and the terminal.
    pub(crate) fn new(output: Output) -> Show {
        match output {
            Output::Json => Show::Json,
            Output::Text if std::io::stderr().is_terminal() => {
                Show::Bars { all: MultiProgress::new(), bars: BTreeMap::new() }
            }
            Output::Text => Show::Plain,
        }
    }

    /// Says that a manifest was applied.
    pub(crate) fn applied(&self, title: &str, how: &str) {
        match self {
            Show::Json => say::line(json!({"object": title, "applied": how})),
            Show::Plain => say::line(format_args!("{title} {how}")),
            Show::Bars { all, .. } => {
                let _ = all.println(format!("{title} {how}"));
            }
        }
    }

    /// Says a line.
    pub(crate) fn line(&mut self, line: &Line) {
        match self {
            Show::Json => say::line(as_json(line)),
            Show::Plain => say::line(format_args!("{:>8}  {}  {}", clock(line.at), subject(line), words(&line.what))),
            Show::Bars { all, bars } => {
                let bar = bars.entry((line.pod.clone(), line.step.clone())).or_insert_with(|| new_bar(all, line));
                bar.set_message(words(&line.what));
                if !matches!(line.what, What::Running | What::Waiting(_)) {
                    bar.finish();
                }
            }
        }
    }

    /// Says how long each step took, and that all is well.
    pub(crate) fn summary(&self, board: &Board, took: Duration) {
        match self {
            Show::Json => say::line(summary_as_json(board, took)),
            Show::Plain | Show::Bars { .. } => print_summary(board, took),
        }
    }

    /// Says to a machine how it failed; people read that on standard error.
    pub(crate) fn failure(&self, failure: &Failure, took: Duration) {
        let Show::Json = self else { return };
        let result = match failure.exit {
            Exit::Done => "ready",
            Exit::Failed | Exit::Interrupted => "error",
            Exit::Usage | Exit::Refused => "refused",
            Exit::PodFailed => "failed",
            Exit::Timeout => "timeout",
        };
        say::line(json!({"result": result, "message": failure.message, "took_ms": took.as_millis()}));
    }
}

fn summary_as_json(board: &Board, took: Duration) -> serde_json::Value {
    let pod = |summary: Summary<'_>| {
        let Summary { pod, ip, steps, ready } = summary;
        let steps: BTreeMap<_, _> = steps.iter().map(|s| (s.name.as_str(), s.took.map(|t| t.as_millis()))).collect();
        json!({"pod": pod, "ip": ip, "ready_ms": ready.map(|t| t.as_millis()), "steps_ms": steps})
    };
    let pods: Vec<_> = board.summary().map(pod).collect();
    json!({"result": "ready", "took_ms": took.as_millis(), "pods": pods})
}

fn print_summary(board: &Board, took: Duration) {
    for Summary { pod, ip: _, steps, ready } in board.summary() {
        let steps: Vec<String> = steps.iter().map(|step| timed(&step.name, " ", step.took)).collect();
        say::line(format_args!("{pod}: {}  ({})", steps.join(", "), timed("ready", " after ", ready)));
    }
    say::line(format_args!("everything is ready after {}", clock(took)));
}

/// A word, with the time it took if that is known.
fn timed(word: &str, between: &str, took: Option<Duration>) -> String {
    took.map_or(word.to_owned(), |took| format!("{word}{between}{}", clock(took)))
}

fn new_bar(all: &MultiProgress, line: &Line) -> ProgressBar {
    let bar = all.add(ProgressBar::new_spinner());
    if let Ok(style) = ProgressStyle::with_template("{prefix} {spinner} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(subject(line));
    bar.enable_steady_tick(TICK);
    bar
}

/// `default/web  [1/2] init`.
fn subject(line: &Line) -> String {
    let step = match (&line.step, line.position) {
        (Some(step), Some((index, count))) => format!("[{index}/{count}] {step}"),
        (Some(step), None) => step.clone(),
        (None, _) => String::new(),
    };
    format!("{:<24} {step:<26}", line.pod)
}

fn words(what: &What) -> String {
    match what {
        What::Running => "running".to_owned(),
        What::Done(took) => timed("done", " in ", *took),
        What::Ready(took) => timed("ready", " after ", *took),
        What::Waiting(why) => format!("waiting: {why}"),
        What::Ended(how) => format!("ended: {how}"),
        What::Failed(why) => format!("failed: {why}"),
        What::Gone => "gone".to_owned(),
    }
}

/// `12 ms`, `3.42 s`.
pub(crate) fn clock(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

fn as_json(line: &Line) -> serde_json::Value {
    let (word, detail, took) = match &line.what {
        What::Running => ("running", None, None),
        What::Done(took) => ("done", None, *took),
        What::Ready(took) => ("ready", None, *took),
        What::Waiting(why) => ("waiting", Some(why), None),
        What::Ended(how) => ("ended", Some(how), None),
        What::Failed(why) => ("failed", Some(why), None),
        What::Gone => ("gone", None, None),
    };
    json!({"at_ms": line.at.as_millis(), "pod": line.pod, "step": line.step, "state": word, "detail": detail,
           "took_ms": took.map(|took| took.as_millis())})
}
