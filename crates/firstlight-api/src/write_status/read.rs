//! The way back: what `.status` says, in settled form.

use crate::time;
use crate::view::View;
use firstlight_pod::Now;
use firstlight_pod::status::{Condition, ContainerStatus, Phase, State, Status, Terminated, User};
use serde_json::Value;

/// The settled status of `pod`, from its `.status`. Total; what is missing or unreadable is as if never said.
///
/// Conditions written by others are included: readiness gates are decided from them.
#[must_use]
pub fn read(pod: &Value) -> Status {
    let status = pod.object("status");
    Status {
        observed_generation: status.int("observedGeneration").unwrap_or(0),
        phase: phase(status.text("phase")),
        reason: status.text("reason").to_owned(),
        message: status.text("message").to_owned(),
        host_ip: status.text_some("hostIP").map(str::to_owned),
        pod_ip: status.text_some("podIP").map(str::to_owned),
        start_time: status.text_some("startTime").and_then(time::read),
        conditions: status.list("conditions").iter().map(condition).collect(),
        inits: status.list("initContainerStatuses").iter().map(container).collect(),
        mains: status.list("containerStatuses").iter().map(container).collect(),
        ephemerals: status.list("ephemeralContainerStatuses").iter().map(container).collect(),
    }
}

fn phase(text: &str) -> Phase {
    match text {
        "Running" => Phase::Running,
        "Succeeded" => Phase::Succeeded,
        "Failed" => Phase::Failed,
        _ => Phase::Pending,
    }
}

fn condition(condition: &Value) -> Condition {
    Condition {
        kind: condition.text("type").to_owned(),
        holds: condition.text("status") == "True",
        reason: condition.text("reason").to_owned(),
        message: condition.text("message").to_owned(),
        since: instant(condition, "lastTransitionTime"),
    }
}

fn container(status: &Value) -> ContainerStatus {
    ContainerStatus {
        name: status.text("name").to_owned(),
        image: status.text("image").to_owned(),
        image_id: status.text("imageID").to_owned(),
        container_id: status.text("containerID").to_owned(),
        state: state(status.object("state")),
        last: status.object("lastState").get_some("terminated").map(terminated),
        ready: status.flag("ready"),
        started: status.get_some("started").and_then(Value::as_bool),
        restart_count: status.int("restartCount").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        user: status.object("user").get_some("linux").map(user),
    }
}

fn user(linux: &Value) -> User {
    let id = |value: i64| u32::try_from(value).ok();
    User {
        uid: linux.int("uid").and_then(id).unwrap_or(0),
        gid: linux.int("gid").and_then(id).unwrap_or(0),
        groups: linux.list("supplementalGroups").iter().filter_map(|group| id(group.as_i64()?)).collect(),
    }
}

fn state(state: &Value) -> State {
    if let Some(running) = state.get_some("running") {
        State::Running { since: instant(running, "startedAt") }
    } else if let Some(end) = state.get_some("terminated") {
        State::Terminated(terminated(end))
    } else {
        // A state that says nothing means waiting, as upstream documents `ContainerState`.
        let waiting = state.object("waiting");
        State::Waiting { reason: waiting.text("reason").to_owned(), message: waiting.text("message").to_owned() }
    }
}

fn terminated(end: &Value) -> Terminated {
    Terminated {
        code: end.int("exitCode").and_then(|code| i32::try_from(code).ok()).unwrap_or(0),
        reason: end.text("reason").to_owned(),
        message: end.text("message").to_owned(),
        started_at: instant(end, "startedAt"),
        finished_at: instant(end, "finishedAt"),
        container_id: end.text("containerID").to_owned(),
    }
}

fn instant(from: &Value, key: &str) -> Now {
    from.text_some(key).and_then(time::read).unwrap_or_default()
}
