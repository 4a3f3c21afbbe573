//! How is it written what happens to a scene's pod and its world?

use super::claim::{Claim, claims};
use super::words::{duration, words, yaml};
use serde_json::Value;
use std::time::Duration;

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Nothing, until these hold.
    Once(Vec<Claim>),
    Pod(ToPod),
    Object(ToObject),
    Machine(ToMachine),
}

/// To the scene's pod, or its set, through the API.
#[derive(Debug, Clone)]
pub(crate) enum ToPod {
    PatchImage {
        container: String,
        image: String,
    },
    PatchImageOften {
        container: String,
        times: u32,
    },
    Patch(Value),
    PatchStatus(Value),
    /// The status as it is, changed so, and put in its place.
    ReplaceStatus(Value),
    Delete {
        grace: Option<Duration>,
    },
}

/// To any object of the default namespace, through the API.
#[derive(Debug, Clone)]
pub(crate) enum ToObject {
    Create(Value),
    /// The API is asked for it, and what it says is noted in the diary.
    Attempt {
        on: Option<(String, String)>,
        body: Value,
    },
    Patch {
        kind: String,
        name: String,
        patch: Value,
    },
    Delete {
        kind: String,
        name: String,
    },
    /// Deletes it and leaves behind what it owns.
    Orphan {
        kind: String,
        name: String,
    },
    DeleteAll {
        kind: String,
        selector: String,
    },
    /// Makes another object its controller.
    Give {
        object: (String, String),
        owner: (String, String),
    },
}

/// To the machine, without the API.
#[derive(Debug, Clone)]
pub(crate) enum ToMachine {
    /// Makes a file that containers see as `/scene/FILE`.
    Touch(String),
    /// Notes this instant in the diary, as `pod NAME`.
    Mark(String),
    Kill {
        container: String,
    },
    KillSandbox,
    KillEngine,
    StartEngine,
}

/// A step whose object is below its line.
pub(crate) fn patch(to: &str, below: &str) -> Step {
    let words: Vec<&str> = to.split_whitespace().collect();
    match words[..] {
        [] => Step::Pod(ToPod::Patch(yaml(below))),
        ["status"] => Step::Pod(ToPod::PatchStatus(yaml(below))),
        [kind, name] => {
            Step::Object(ToObject::Patch { kind: kind.to_owned(), name: name.to_owned(), patch: yaml(below) })
        }
        _ => panic!("patch: {to}: not known"),
    }
}

/// A step in words.
pub(crate) fn step(line: &str) -> Step {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(|word| word.bare().unwrap_or("\"")).collect();
    if words.first() == Some(&"once") {
        return Step::Once(claims(line.trim().strip_prefix("once").unwrap()));
    }
    let step = to_pod(line, &words).map(Step::Pod);
    let step = step.or_else(|| to_machine(&words).map(Step::Machine));
    let step = step.or_else(|| to_object(&words).map(Step::Object));
    step.unwrap_or_else(|| panic!("{line}: neither a container (NAME: ...) nor a step nor a row"))
}

fn to_pod(line: &str, words: &[&str]) -> Option<ToPod> {
    match words {
        ["patch", "image", "of", container, "to", image] => {
            Some(ToPod::PatchImage { container: (*container).to_owned(), image: (*image).to_owned() })
        }
        ["patch", "image", "of", container, times, "times"] => {
            let times = times.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
            Some(ToPod::PatchImageOften { container: (*container).to_owned(), times })
        }
        ["delete"] => Some(ToPod::Delete { grace: None }),
        ["delete", "with", "grace", time] => {
            let grace = duration(time).unwrap_or_else(|| panic!("{line}: {time:?} is not a duration"));
            Some(ToPod::Delete { grace: Some(grace) })
        }
        _ => None,
    }
}

fn to_object(words: &[&str]) -> Option<ToObject> {
    let named = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    match words {
        ["delete", "all", kind @ ("pods" | "statefulsets"), "with", selector] => {
            let (kind, selector) = named(kind.trim_end_matches('s'), selector);
            Some(ToObject::DeleteAll { kind, selector })
        }
        ["delete", kind, name, "but", "not", "what", "it", "owns"] => {
            let (kind, name) = named(kind, name);
            Some(ToObject::Orphan { kind, name })
        }
        ["delete", kind, name] => {
            let (kind, name) = named(kind, name);
            Some(ToObject::Delete { kind, name })
        }
        ["give", kind, name, "to", owner_kind, owner] => {
            Some(ToObject::Give { object: named(kind, name), owner: named(owner_kind, owner) })
        }
        _ => None,
    }
}

fn to_machine(words: &[&str]) -> Option<ToMachine> {
    match words {
        ["touch", file] => Some(ToMachine::Touch((*file).to_owned())),
        ["mark", name] => Some(ToMachine::Mark((*name).to_owned())),
        ["kill", "-9", container] => Some(ToMachine::Kill { container: (*container).to_owned() }),
        ["the", "sandbox", "is", "killed"] => Some(ToMachine::KillSandbox),
        ["the", "engine", "is", "killed"] => Some(ToMachine::KillEngine),
        ["the", "engine", "starts"] => Some(ToMachine::StartEngine),
        _ => None,
    }
}
