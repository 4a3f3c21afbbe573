//! How is a container written in a scene? `NAME: WHAT IT DOES, ...`; here it becomes the container of a pod.

use super::layouts::IMAGE;
use super::words::{Word, duration, merge, words, yaml};
use serde_json::{Value, json};
use std::time::Duration;

/// Which list of the pod a container is in, by how its name begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Init,
    Sidecar,
    Main,
}

impl Kind {
    /// `init1` is an init step, `sidecar` a sidecar, all else a main container.
    pub(crate) fn of(name: &str) -> Kind {
        if name.starts_with("init") {
            Kind::Init
        } else if name.starts_with("sidecar") {
            Kind::Sidecar
        } else {
            Kind::Main
        }
    }
}

/// The container that this line describes, with literal YAML merged in.
pub(crate) fn container(name: &str, what: &str, literal: &str) -> Value {
    let mut container = json!({
        "name": name,
        "image": format!("{IMAGE}:1"),
        "command": ["/bin/actor"],
        "env": [{"name": "NAME", "value": name}, {"name": "SCENE", "value": "@SCENE@"}],
        "volumeMounts": [{"name": "scene", "mountPath": "/scene"}],
    });
    if Kind::of(name) == Kind::Sidecar {
        container["restartPolicy"] = json!("Always");
    }
    for clause in super::words::split(what, ',') {
        let words: Vec<Word> = words(&clause);
        let words: Vec<&str> = words.iter().map(|word| word.bare().unwrap_or("")).collect();
        let known = clause_of(&mut container, &words);
        assert!(known.is_some(), "{name}: {clause:?} is not known");
    }
    if !literal.trim().is_empty() {
        merge(&mut container, yaml(literal));
    }
    container
}

fn clause_of(container: &mut Value, words: &[&str]) -> Option<()> {
    let mut say = |name: &str, value: String| {
        container["env"].as_array_mut()?.push(json!({"name": name, "value": value}));
        Some(())
    };
    match words {
        ["runs"] => Some(()),
        ["exits", code, "on", "TERM"] => say("TERM_EXIT", (*code).to_owned()),
        [time, "then", "exits", code, "the", "first", "time"] => {
            say("FIRST_FOR", seconds(duration(time)?))?;
            say("FIRST_TIMES", "1".to_owned())?;
            say("FIRST_EXIT", (*code).to_owned())
        }
        ["exits", code, "the", "first", "time"] => {
            say("FIRST_TIMES", "1".to_owned())?;
            say("FIRST_EXIT", (*code).to_owned())
        }
        ["exits", code, "the", "first", times, "times"] => {
            say("FIRST_TIMES", (*times).to_owned())?;
            say("FIRST_EXIT", (*code).to_owned())
        }
        ["exits", code] => {
            say("FOR", "0".to_owned())?;
            say("EXIT", (*code).to_owned())
        }
        [time, "then", "exits", code] => {
            say("FOR", seconds(duration(time)?))?;
            say("EXIT", (*code).to_owned())
        }
        ["ignores", "TERM"] => say("IGNORES_TERM", "yes".to_owned()),
        ["takes", time, "to", "stop"] => say("STOP_FOR", seconds(duration(time)?)),
        ["serves", "http", "on", port] => say("HTTP", (*port).to_owned()),
        ["serves", "grpc", "on", port, how @ ..] => {
            say("GRPC", (*port).to_owned())?;
            say("GRPC_HEALTH", answer(how)?.0.join(" "))
        }
        ["image", reference] => {
            container["image"] = json!(reference);
            Some(())
        }
        [hook @ ("postStart" | "preStop"), time] => hook_of(container, hook, time, "0"),
        [hook @ ("postStart" | "preStop"), time, "exits", code] => hook_of(container, hook, time, code),
        [probe @ ("startup" | "liveness" | "readiness"), how @ ..] => probe_of(container, probe, how),
        [time] => say("FOR", seconds(duration(time)?)),
        _ => None,
    }
}

fn hook_of(container: &mut Value, hook: &str, time: &str, code: &str) -> Option<()> {
    let command = json!(["/bin/actor", hook, seconds(duration(time)?), code]);
    container["lifecycle"][hook] = json!({"exec": {"command": command}});
    Some(())
}

/// A probe once a second, whose first failure counts unless a later try is to pass.
fn probe_of(container: &mut Value, probe: &str, how: &[&str]) -> Option<()> {
    let (answer, threshold) = answer(how)?;
    let command: Vec<&str> = ["/bin/actor", "probe", probe].into_iter().chain(answer).collect();
    container[format!("{probe}Probe")] =
        json!({"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": threshold, "timeoutSeconds": 20});
    Some(())
}

/// How the actor answers a probe, in its words, and how many failures may be before it counts.
fn answer<'a>(how: &[&'a str]) -> Option<(Vec<&'a str>, u32)> {
    match how {
        ["passes"] | ["fails"] => Some((how.to_vec(), 1)),
        ["passes", "from", "try", number] => Some((vec!["passes-from-try", *number], 30)),
        ["fails", "from", "try", number] => Some((vec!["fails-from-try", *number], 1)),
        ["passes", "with", file] => Some((vec!["passes-with", *file], 1)),
        ["fails", "in", "preStop"] => Some((vec!["fails-in-preStop"], 1)),
        ["passes", "with", "image", number] => Some((vec!["passes-with-image", *number], 1)),
        _ => None,
    }
}

fn seconds(time: Duration) -> String {
    time.as_secs_f64().to_string()
}
