//! Is a claim true, from what is known so far: the diary and every version of the pod that the API told?

use super::claim::{Asked, Bound, Count, Restarts, Said, State, Told, What, When};
use super::diary::{Diary, Moment};
use serde_json::Value;

/// What is known.
pub(crate) struct Facts<'a> {
    pub(crate) diary: &'a Diary,
    /// The pod as it was told, oldest first.
    pub(crate) versions: &'a [Value],
    /// What the API answered to the claim's own question, if it has one and there was an answer.
    pub(crate) answer: Option<&'a Value>,
}

/// What to say about a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    /// It may become true.
    NotYet,
    /// It cannot become true any more.
    Broken,
}

use Verdict::{Broken, Holds, NotYet};

/// The verdict.
pub(crate) fn judge(what: &What, facts: &Facts<'_>) -> Verdict {
    let Facts { diary, versions, answer } = facts;
    match what {
        What::Said(said) => of_diary(said, diary),
        What::Told(told) => of_versions(told, versions),
        What::Asked(asked) => answer.map_or(NotYet, |answer| of_answer(asked, answer)),
    }
}

fn of_diary(said: &Said, diary: &Diary) -> Verdict {
    match said {
        Said::Happens(moment, count) => count_of(diary.all(moment).len(), *count),
        Said::Before(a, b) => before(diary, a, b),
        Said::After(a, b) => {
            let after = diary.find(b).is_some_and(|b| diary.all(a).last().is_some_and(|a| *a > b));
            if after { Holds } else { NotYet }
        }
        Said::Apart { later, earlier, bound, seconds } => apart(diary, later, earlier, *bound, *seconds),
        Said::Together(a, b) => together(diary, a, b),
        Said::EachTogether(a, b) => each_together(diary, a, b),
    }
}

fn of_versions(what: &Told, versions: &[Value]) -> Verdict {
    match what {
        Told::Phase(when, phase) => told(*when, versions, |pod| pod["status"]["phase"] == **phase),
        Told::Phases(phases) => in_order(versions, phases),
        Told::Container { name, when, not, state } => {
            told(*when, versions, |pod| is_in(container(pod, name), state) != *not)
        }
        Told::Was { name, state } => {
            told(When::Now, versions, |pod| matches(&container(pod, name)["lastState"], state))
        }
        Told::RestartCount(name, Restarts::Is(count)) => {
            let restarts = versions.last().and_then(|pod| container(pod, name)["restartCount"].as_u64());
            // The count may be behind what happened, never ahead: more than claimed stays so.
            count_of(restarts.and_then(|n| usize::try_from(n).ok()).unwrap_or(0), *count)
        }
        Told::RestartCount(name, Restarts::NeverAbove(most)) => told(When::Never, versions, |pod| {
            container(pod, name)["restartCount"].as_u64().is_some_and(|restarts| restarts > *most)
        }),
        Told::Condition { when, kind, status, reason, message } => {
            // Before a condition is told at all it is neither.
            let has = |pod: &&Value| *when == When::Now || !condition(pod, kind).is_null();
            let versions: Vec<Value> = versions.iter().filter(has).cloned().collect();
            told(*when, &versions, |pod| {
                let told = condition(pod, kind);
                told["status"] == **status && says(told, "reason", reason) && says(told, "message", message)
            })
        }
        Told::Set(path) => told(When::Now, versions, |pod| !at(pod, path).is_null()),
        Told::Unchanged => {
            let before = versions.first().map_or(&Value::Null, |pod| &pod["status"]);
            told(When::Always, versions, |pod| pod["status"] == *before)
        }
        Told::Field { path, value } => told(When::Now, versions, |pod| at(pod, path) == value),
    }
}

fn of_answer(asked: &Asked, answer: &Value) -> Verdict {
    let text = || answer.as_str().unwrap_or("");
    let holds = match asked {
        Asked::Event { reason, of, message, count } => {
            let events = answer["items"].as_array().into_iter().flatten().filter(|event| {
                event["reason"] == **reason
                    && says(event, "message", message)
                    && of.as_ref().is_none_or(|name| concerns(event, name))
            });
            // Repeats are counted in one event (EVT-11).
            let times = events.map(|event| event["count"].as_u64().unwrap_or(1));
            return count_of(usize::try_from(times.sum::<u64>()).unwrap_or(usize::MAX), *count);
        }
        Asked::Get { text, lacks, .. } => answer.to_string().contains(text.as_str()) != *lacks,
        Asked::Object { path, value, .. } if path.is_empty() => answer == value,
        Asked::Object { path, value, .. } => at(answer, path) == value,
        Asked::Log { whole: true, text: wanted, .. } => text() == wanted,
        Asked::Log { whole: false, text: wanted, .. } => text().contains(wanted.as_str()),
        Asked::Prints { text: wanted, .. } => answer.is_string() && text() == wanted,
    };
    if holds { Holds } else { NotYet }
}

fn count_of(came: usize, count: Count) -> Verdict {
    match count {
        Count::AtLeast(wanted) if came >= wanted => Holds,
        Count::Exactly(wanted) if came == wanted => Holds,
        Count::Exactly(wanted) if came > wanted => Broken,
        Count::AtLeast(_) | Count::Exactly(_) => NotYet,
    }
}

fn before(diary: &Diary, a: &Moment, b: &Moment) -> Verdict {
    match (diary.find(a), diary.find(b)) {
        (Some(a), Some(b)) if a < b => Holds,
        (_, Some(_)) => Broken,
        (_, None) => NotYet,
    }
}

fn apart(diary: &Diary, later: &Moment, earlier: &Moment, bound: Bound, seconds: f64) -> Verdict {
    let (Some(later), Some(earlier)) = (diary.find(later), diary.find(earlier)) else { return NotYet };
    let between = diary.entries[later].at - diary.entries[earlier].at;
    let holds = match bound {
        Bound::AtLeast => between >= seconds,
        Bound::AtMost => between <= seconds,
    };
    if holds { Holds } else { Broken }
}

fn together(diary: &Diary, a: &str, b: &str) -> Verdict {
    let overlap = diary.runs(a).into_iter().any(|a| diary.runs(b).into_iter().any(|b| overlaps(a, b)));
    if overlap { Holds } else { NotYet }
}

fn each_together(diary: &Diary, a: &str, b: &str) -> Verdict {
    let runs = diary.runs(b);
    let beside = |run: &(usize, Option<usize>)| diary.runs(a).into_iter().any(|a| overlaps(a, *run));
    match runs.iter().all(beside) {
        true if runs.is_empty() => NotYet,
        true => Holds,
        false => Broken,
    }
}

fn overlaps(a: (usize, Option<usize>), b: (usize, Option<usize>)) -> bool {
    b.1.is_none_or(|end| a.0 < end) && a.1.is_none_or(|end| b.0 < end)
}

fn told(when: When, versions: &[Value], holds: impl Fn(&Value) -> bool) -> Verdict {
    match when {
        When::Now if versions.last().is_some_and(&holds) => Holds,
        When::Now => NotYet,
        When::Always if versions.iter().all(&holds) => Holds,
        When::Never if !versions.iter().any(&holds) => Holds,
        When::Always | When::Never => Broken,
    }
}

fn in_order(versions: &[Value], phases: &[String]) -> Verdict {
    let mut wanted = phases.iter().peekable();
    for version in versions {
        if wanted.peek().is_some_and(|phase| version["status"]["phase"] == ***phase) {
            wanted.next();
        }
    }
    if wanted.peek().is_none() { Holds } else { NotYet }
}

/// A container's status, wherever it is listed.
pub(crate) fn container<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let lists = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
    let statuses = lists.iter().filter_map(|list| pod["status"][list].as_array()).flatten();
    statuses.into_iter().find(|status| status["name"] == *name).unwrap_or(&Value::Null)
}

/// A condition of the pod.
pub(crate) fn condition<'a>(pod: &'a Value, kind: &str) -> &'a Value {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == *kind).unwrap_or(&Value::Null)
}

fn is_in(status: &Value, state: &State) -> bool {
    match state {
        State::Ready => status["ready"] == true,
        State::Started => status["started"] == true,
        State::Running | State::Waiting { .. } | State::Terminated { .. } => matches(&status["state"], state),
    }
}

fn matches(told: &Value, state: &State) -> bool {
    match state {
        State::Running => told["running"].is_object(),
        State::Waiting { reason, message } => {
            let told = &told["waiting"];
            told.is_object() && says(told, "reason", reason) && says(told, "message", message)
        }
        State::Terminated { code, reason, message } => {
            let told = &told["terminated"];
            told.is_object()
                && code.is_none_or(|code| told["exitCode"] == code)
                && says(told, "reason", reason)
                && says(told, "message", message)
        }
        State::Ready | State::Started => false,
    }
}

/// Whether a text is as claimed, if one is; `...` in it is any text.
fn says(object: &Value, field: &str, claimed: &Option<String>) -> bool {
    let Some(claimed) = claimed else { return true };
    let told = object[field].as_str().unwrap_or("");
    let mut parts = claimed.split("...");
    let Some(mut rest) = told.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether an event is about this container (EVT-1).
fn concerns(event: &Value, container: &str) -> bool {
    let path = event["involvedObject"]["fieldPath"].as_str().unwrap_or("");
    ["spec.containers", "spec.initContainers", "spec.ephemeralContainers"]
        .iter()
        .any(|list| path == format!("{list}{{{container}}}"))
}

/// The value at a path of names and numbers between dots.
fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    let path = format!("/{}", path.replace('.', "/"));
    object.pointer(&path).unwrap_or(&Value::Null)
}
