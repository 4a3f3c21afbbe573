//! What run-once says about its decisions.

use firstlight_bootstrap::Digest;
use firstlight_bootstrap::marker::{Step, Why};

use super::Work;
use crate::exit::Code;
use crate::failure::Failure;
use crate::launch::Ended;
use crate::marker::{Noted, Process};

/// The reason of a decision.
pub fn why(why: &Why) -> String {
    match why {
        Why::Unreadable(text) => format!("the marker cannot be understood: {text}"),
        Why::OtherCluster { recorded, declared } => {
            let name = |id: &Option<String>| id.as_ref().map_or_else(|| "none".to_owned(), |id| format!("\"{id}\""));
            format!("the state belongs to cluster {}, this run is for {}", name(recorded), name(declared))
        }
        Why::Unclaimed(path) => format!("{path} exists, but nobody claimed to make it"),
        Why::OwnerAlive => "its owner is alive".to_owned(),
        Why::OwnerUnknown => "its owner ran on another host".to_owned(),
        Why::OwnerDied => "its owner died on the way".to_owned(),
        Why::LastFailed => "the last attempt failed".to_owned(),
        Why::InputsChanged { committed, declared } => {
            let short = |digest: &Digest| digest.to_string().chars().take(12).collect::<String>();
            format!("it was made from inputs {}, now they are {}", short(committed), short(declared))
        }
        Why::OutputsRedeclared(path) => format!("{path} is declared in one of then and now only"),
        Why::OutputGone(path) => format!("{path} was committed and is gone"),
        Why::OutputChanged { path, committed, found: Some(found) } => {
            format!("{path} was committed as sha256 {committed} and is {found}")
        }
        Why::OutputChanged { path, committed: _, found: None } => {
            format!("{path} was committed and is no file any more")
        }
    }
}

/// The end of a run that needs a person.
pub fn refusal(reason: &Why) -> Failure {
    let (word, hint) = match reason {
        Why::Unreadable(_) => ("marker", "use the version that wrote it, or remove the marker and its outputs"),
        Why::OtherCluster { .. } => ("cluster", "mount the right volume; nothing was touched"),
        Why::Unclaimed(_) => ("unclaimed", "remove it, or let it be replaced with --unclaimed-outputs remake"),
        Why::InputsChanged { .. } | Why::OutputsRedeclared(_) => {
            ("inputs", "give the old inputs, or make it again with --changed-inputs remake")
        }
        Why::OutputGone(_) | Why::OutputChanged { .. } => {
            ("outputs", "restore it, or make it again with --changed-outputs remake: others may hold the old state")
        }
        Why::OwnerAlive | Why::OwnerUnknown | Why::OwnerDied | Why::LastFailed => ("owner", "look at its owner"),
    };
    Failure::new(Code::Person, word, why(reason)).hint(hint)
}

/// What would be done.
pub fn intention(step: &Step) -> String {
    match step {
        Step::Make { attempt } => format!("would run the command, attempt {attempt}"),
        Step::CleanThenMake { attempt, remove, why: reason } => {
            format!("would remove {} and run the command, attempt {attempt}: {}", remove.join(", "), why(reason))
        }
        Step::Keep => "would do nothing: it is done".to_owned(),
        Step::Wait { why: reason } => format!("would wait: {}", why(reason)),
        Step::Refuse { why: reason } => format!("would refuse, code 6: {}", why(reason)),
    }
}

/// What the settings mean.
pub fn explanation(work: &Work<'_>) -> String {
    let outputs: Vec<&str> = work.declared.iter().map(|output| output.path.as_str()).collect();
    format!(
        "would run the command unless {} says it is done from inputs {:.12}; outputs: {}",
        work.marker.display(),
        work.inputs.to_string(),
        if outputs.is_empty() { "none".to_owned() } else { outputs.join(", ") }
    )
}

/// Who is at work.
pub fn owner(noted: &Noted) -> String {
    match &noted.owner {
        Some(Process { host, pid, .. }) => format!("process {pid} on {host}"),
        None => "another run".to_owned(),
    }
}

/// How a command ended.
pub fn ended(ended: Ended) -> String {
    match ended {
        Ended::Code(code) => format!("ended with code {code}"),
        Ended::Signal(signal) => format!("was ended by signal {signal}"),
        Ended::OutOfTime => "did not end in time".to_owned(),
    }
}
