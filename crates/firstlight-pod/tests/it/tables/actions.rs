//! What is started, stopped and taken down (sections 2.15 to 2.18)? Upstream's tables hold the lists that one reconcile
//! computes; here the pod lives through the same situation, and what is done about it is written down.
//!
//! `===` begins another pod; its lines are those of a story. A row is `[SETTING...] GROUP; GROUP ... => ACTIONS`. A setting
//! is one of the pod's, such as `[restart=Never]`. A group is things that happen at the same time, joined by `&`: those of
//! stories, and `missed exit NAME CODE` (the engine is not there to see it), `unstarted NAME` (NAME was created and nobody
//! knows more of it), `forgotten NAME` (the journal knows nothing of NAME, and it runs no more). The pod is up before the
//! first group, unless a group says `begin`. The outcome is what is done from the last group on, for three seconds.

use super::{Row, compare, lines};
use crate::pods;
use crate::stories::{describe, happen};
use crate::world::{Turned, World};
use firstlight_pod::action::{Do, Signal};
use firstlight_pod::event::{Exit, Instance};
use firstlight_pod::spec::RestartPolicy;
use firstlight_pod::status::ContainerStatus;
use firstlight_pod::{Event, Millis, Now, Spec};

#[test]
fn what_is_done_is_what_upstreams_tables_say() {
    let mut spec = blank();
    let mut rows = Vec::new();
    for line in lines(include_str!("../../tables/actions.txt")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match Row::of(line) {
            Some(Row { ids, what, outcome }) => {
                rows.push((format!("{ids} {what}"), outcome.to_owned(), live(&spec, what)));
            }
            None if line == "===" => spec = blank(),
            None => describe(&mut spec, &words),
        }
    }
    compare(rows.into_iter());
}

fn blank() -> Spec {
    pods::pod(RestartPolicy::Always, Vec::new(), Vec::new())
}

fn live(spec: &Spec, what: &str) -> String {
    let mut spec = spec.clone();
    let mut what = what;
    while let Some((setting, rest)) = what.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        describe(&mut spec, &["pod", setting]);
        what = rest.trim();
    }
    let mut world = World::new(spec);
    let groups: Vec<&str> = what.split(';').map(str::trim).filter(|group| !group.is_empty()).collect();
    if !groups.iter().any(|group| group.split('&').any(|step| step.trim() == "begin")) {
        world.begin();
        world.pass(Now(1000));
    }
    let mut turned = Vec::new();
    for group in groups {
        turned.clear();
        for step in group.split('&') {
            turned.extend(take(&mut world, step.trim()));
        }
        let until = world.now.plus(Millis::secs(3));
        turned.extend(world.pass(until));
    }
    done(&turned)
}

fn take(world: &mut World, step: &str) -> Vec<Turned> {
    let words: Vec<&str> = step.split_whitespace().collect();
    let of = |event: &Event| match event {
        Event::Created { instance, .. }
        | Event::Starting { instance, .. }
        | Event::Started { instance, .. }
        | Event::Exited { instance, .. } => Some(instance.container.clone()),
        _ => None,
    };
    match words.as_slice() {
        ["missed", "exit", name, code] => {
            let (attempt, started_at) = world.processes.remove(*name).unwrap();
            let instance = Instance { container: (*name).to_owned(), attempt };
            let exit = Exit { code: code.parse().unwrap(), started_at, finished_at: world.now, ..Exit::default() };
            world.journal.push(Event::Exited { instance, exit });
            Vec::new()
        }
        ["unstarted", name] => {
            world.processes.remove(*name);
            world.laws.never_started(name);
            let starts = |event: &Event| matches!(event, Event::Starting { .. } | Event::Started { .. });
            world.journal.retain(|event| !starts(event) || of(event).as_deref() != Some(*name));
            let mut status = world.api.clone();
            let told = status.inits.iter_mut().chain(&mut status.mains).find(|told| told.name == *name).unwrap();
            *told = ContainerStatus { name: (*name).to_owned(), ..ContainerStatus::default() };
            world.api_holds(status);
            Vec::new()
        }
        ["forgotten", name] => {
            world.processes.remove(*name);
            world.laws.never_started(name);
            world.journal.retain(|event| of(event).as_deref() != Some(*name));
            Vec::new()
        }
        ["restart"] => world.begin_knowing_less(),
        _ => happen(world, &words, step),
    }
}

/// `stop a; start a b; sandbox 1; remove 1`: neighbours of one kind are written together.
fn done(turned: &[Turned]) -> String {
    let actions = turned.iter().flat_map(|turned| &turned.plan.actions);
    let mut retired = Vec::new();
    let words = actions.filter_map(|action| match &action.what {
        Do::Start { instance } => Some(("start", instance.container.clone())),
        // A stop for the container's own sake begins with its being written down.
        Do::Retire { instance, .. } => {
            retired.push(instance.clone());
            Some(("stop", instance.container.clone()))
        }
        Do::Signal { instance, signal: Signal::Stop } if retired.contains(instance) => None,
        Do::Signal { instance, signal: Signal::Stop } => Some(("stop", instance.container.clone())),
        Do::Signal { instance, signal: Signal::Kill } => Some(("kill", instance.container.clone())),
        Do::CreateSandbox { attempt, .. } => Some(("sandbox", attempt.to_string())),
        Do::RemoveSandbox { attempt } => Some(("remove", attempt.to_string())),
        // What prepares or accompanies these.
        _ => None,
    });
    let words: Vec<(&str, String)> = words.collect();
    let groups = words.chunk_by(|a, b| a.0 == b.0).map(|group| {
        let names: Vec<&str> = group.iter().map(|(_, name)| name.as_str()).collect();
        format!("{} {}", group[0].0, names.join(" "))
    });
    let text = groups.collect::<Vec<_>>().join("; ");
    if text.is_empty() { "nothing".to_owned() } else { text }
}
