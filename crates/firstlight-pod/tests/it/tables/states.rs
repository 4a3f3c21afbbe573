//! What is said of a pod whose containers are in given states: its phase (section 2.19), its conditions (section 2.22), its
//! containers' statuses (section 2.20).
//!
//! A row is `POLICY [HOW] KIND=STATE[:POLICY]... => OUTCOME`. `KIND` is `init`, `side` or `main`; containers are named i0, s1,
//! m0 by their kind and place. States:
//!
//! ```text
//! -        never ran                       run      runs, and has started
//! N        ended with code N               slow     runs, and its startup probe has not succeeded
//! oom-N    the same, for want of memory    unready  runs, and its readiness probe has not succeeded
//! back-N   ended with N twice, and waits   again    runs, the second time
//! old-N    ended with N in a sandbox that is gone
//! all-N    ended with code N, by which its rule restarts all containers
//! A>B      was A, and is B since that restart was written down; as B, `-` has not run since, and `left` is not ended yet
//! ```
//!
//! `HOW` is `deleted`, `no-sandbox`, `dead-sandbox`, or `said-PHASE`, which the API holds already. An outcome is a phase, a
//! condition with its reason and message, or a container's name with its count, its state and how it ended before.
//! The status is told after every event, as the worker does.

use super::{Row, compare, lines};
use crate::pods;
use firstlight_pod::event::{Exit, Instance};
use firstlight_pod::spec::{Container, Init, RestartPolicy, RestartRule, RuleAction};
use firstlight_pod::status::{Phase, State, Terminated};
use firstlight_pod::{Event, Millis, Now, Seen, Spec, Status, decide};

#[test]
fn phases_are_what_upstreams_tables_say() {
    compare(rows(include_str!("../../tables/phases.txt")));
}

#[test]
fn conditions_are_what_upstreams_tables_say() {
    compare(rows(include_str!("../../tables/conditions.txt")));
}

#[test]
fn statuses_are_what_upstreams_tables_say() {
    compare(rows(include_str!("../../tables/statuses.txt")));
}

fn rows(text: &str) -> impl Iterator<Item = (String, String, String)> {
    lines(text).map(|line| {
        let Row { ids, what, outcome } = Row::of(line).unwrap_or_else(|| panic!("no row: {line}"));
        let status = said(what);
        let came = match outcome.split_whitespace().next() {
            Some("Pending" | "Running" | "Succeeded" | "Failed") => status.phase.as_str().to_owned(),
            Some(name) if name.starts_with(|c: char| c.is_ascii_lowercase()) => container(&status, name),
            kind => condition(&status, kind.unwrap()),
        };
        (format!("{ids} {what}"), outcome.to_owned(), came)
    })
}

fn condition(status: &Status, kind: &str) -> String {
    let Some(condition) = status.conditions.iter().find(|condition| condition.kind == kind) else {
        return format!("{kind} is not told");
    };
    let holds = if condition.holds { "True" } else { "False" };
    format!("{kind} {holds} {} {}", condition.reason, condition.message).trim_end().to_owned()
}

fn container(status: &Status, name: &str) -> String {
    let told = status.inits.iter().chain(&status.mains).find(|told| told.name == name).unwrap();
    let ended = |ended: &Terminated| format!("{} {} {}", ended.code, ended.reason, ended.message);
    let count = if told.restart_count > 0 { format!("x{} ", told.restart_count) } else { String::new() };
    let state = match &told.state {
        State::Waiting { reason, message } => format!("Waiting {reason} {message}"),
        State::Running { since } => format!("Running since {}", since.0),
        State::Terminated(end) => format!("Terminated {}", ended(end)),
    };
    let last = told.last.as_ref().map_or(String::new(), |last| format!(", was {}", ended(last).trim_end()));
    let ready = if told.ready { " ready" } else { "" };
    let started = if told.started == Some(true) { " started" } else { "" };
    format!("{name} {count}{}{last}{started}{ready}", state.trim_end())
}

fn policy(text: &str) -> RestartPolicy {
    match text {
        "Always" => RestartPolicy::Always,
        "OnFailure" => RestartPolicy::OnFailure,
        "Never" => RestartPolicy::Never,
        other => panic!("no such policy: {other}"),
    }
}

fn said(what: &str) -> Status {
    let mut words = what.split_whitespace();
    let mut spec = pods::pod(policy(words.next().unwrap()), Vec::new(), Vec::new());
    let mut states: Vec<(String, &str)> = Vec::new();
    let mut how = "";
    for word in words {
        let Some((kind, state)) = word.split_once('=') else {
            how = word;
            continue;
        };
        let (state, own) = state.split_once(':').map_or((state, None), |(state, own)| (state, Some(policy(own))));
        let rules = state.strip_prefix("all-").map(|code| RestartRule {
            action: RuleAction::RestartAllContainers,
            codes: vec![code.split('>').next().unwrap().parse().unwrap()],
            listed: true,
        });
        let own = own.or(rules.as_ref().map(|_| if kind == "side" { RestartPolicy::Always } else { spec.restart }));
        let (letter, place) = match kind {
            "init" => ("i", spec.inits.len()),
            "side" => ("s", spec.inits.len()),
            _ => ("m", spec.mains.len()),
        };
        let startup = (state == "slow").then(|| pods::probe(Millis::secs(1), 1000));
        let readiness = (state == "unready").then(|| pods::probe(Millis::secs(1), 1));
        let container = Container {
            restart: own,
            restart_rules: rules.into_iter().collect(),
            startup,
            readiness,
            ..pods::container(&format!("{letter}{place}"))
        };
        states.push((container.name.clone(), state));
        match kind {
            "init" => spec.inits.push(Init::Once(container)),
            "side" => spec.inits.push(Init::Sidecar(container)),
            "main" => spec.mains.push(container),
            other => panic!("no such kind: {other}"),
        }
    }
    Life::new(spec).live(&states, how)
}

/// A pod to which events happen, one each millisecond.
struct Life {
    spec: Spec,
    seen: Seen,
    now: u64,
    status: Status,
}

impl Life {
    fn new(spec: Spec) -> Life {
        Life { spec, seen: Seen::default(), now: 0, status: Status::default() }
    }

    fn live(mut self, states: &[(String, &str)], how: &str) -> Status {
        let said = match how {
            "said-Succeeded" => Phase::Succeeded,
            "said-Failed" => Phase::Failed,
            _ => Phase::Pending,
        };
        let said = Status { phase: said, ..Status::default() };
        self.seen.fold(&Event::Said { status: Box::new(said), at: Now(0) });
        if how != "no-sandbox" {
            self.sandbox(0);
        }
        let old = |state: &str| state.starts_with("old-");
        for (name, state) in states.iter().filter(|(_, state)| old(state)) {
            self.run(name, 0, state.strip_prefix("old-"));
        }
        if states.iter().any(|(_, state)| old(state)) {
            self.happens(|at| Event::SandboxGone { attempt: 0, at });
            self.sandbox(1);
        }
        let pairs: Vec<(&str, &str, Option<&str>)> = states
            .iter()
            .map(|(name, state)| match state.split_once('>') {
                Some((was, is)) => (name.as_str(), was, Some(is)),
                None => (name.as_str(), *state, None),
            })
            .collect();
        for (name, was, _) in &pairs {
            self.comes_to(name, was);
        }
        if let Some((because, ..)) = pairs.iter().find(|(_, was, is)| was.starts_with("all-") && is.is_some()) {
            let because = Instance { container: (*because).to_owned(), attempt: 0 };
            self.happens(|at| Event::RestartAll { walk: 1, because, at });
            for (name, ..) in pairs.iter().filter(|(_, was, is)| *was == "run" && *is != Some("left")) {
                let instance = Instance { container: (*name).to_owned(), attempt: 0 };
                let exit = |at| Exit {
                    code: 143,
                    id: format!("{name}-0"),
                    started_at: at,
                    finished_at: at,
                    ..Exit::default()
                };
                self.happens(|at| Event::Exited { instance, exit: exit(at) });
            }
            for (name, was, is) in pairs {
                match is {
                    None | Some("-" | "left") => {}
                    Some("run") => self.run(name, u32::from(was != "-"), None),
                    Some(code) => self.run(name, u32::from(was != "-"), Some(code)),
                }
            }
        }
        match how {
            "deleted" => self.happens(|at| Event::Deletion { at, grace: Millis::secs(30) }),
            "dead-sandbox" => self.happens(|at| Event::SandboxGone { attempt: 0, at }),
            _ => self.say(),
        }
        self.status
    }

    /// A container comes to be in this state.
    fn comes_to(&mut self, name: &str, state: &str) {
        match state.split_once('-') {
            _ if state == "-" => {}
            Some(("back", code)) => {
                self.run(name, 0, Some(code));
                self.run(name, 1, Some(code));
            }
            Some(("all", code)) => self.run(name, 0, Some(code)),
            Some(("oom", _)) => self.run(name, 0, Some(state)),
            Some(_) => {}
            None => match state {
                "run" | "slow" | "unready" => self.run(name, 0, None),
                "again" => {
                    self.run(name, 0, Some("1"));
                    self.run(name, 1, None);
                }
                code => self.run(name, 0, Some(code)),
            },
        }
    }

    fn sandbox(&mut self, attempt: u32) {
        let address = || "10.0.0.1".to_owned();
        self.happens(|at| Event::SandboxReady { attempt, pod_ip: address(), host_ip: address(), at });
    }

    fn run(&mut self, name: &str, attempt: u32, code: Option<&str>) {
        let instance = Instance { container: name.to_owned(), attempt };
        let (id, of) = (format!("{name}-{attempt}"), || instance.clone());
        self.happens(|at| Event::Created { instance: of(), id: id.clone(), image_id: String::new(), user: None, at });
        self.happens(|at| Event::Started { instance: of(), at });
        if let Some(code) = code {
            let (oom, code) = (code.starts_with("oom-"), code.trim_start_matches("oom-").parse().unwrap());
            self.happens(|at| {
                let exit = Exit { code, oom, id: id.clone(), started_at: at, finished_at: at, ..Exit::default() };
                Event::Exited { instance: of(), exit }
            });
        }
    }

    fn happens(&mut self, event: impl FnOnce(Now) -> Event) {
        self.now += 1;
        self.seen.fold(&event(Now(self.now)));
        self.say();
    }

    fn say(&mut self) {
        self.status = decide(&self.spec, &self.seen, Now(self.now)).status;
        self.seen.fold(&Event::Said { status: Box::new(self.status.clone()), at: Now(self.now) });
    }
}
