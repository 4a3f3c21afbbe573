//! How is it written what must be true? Claims are separated by `;`. A claim is about the diary, where a moment is a
//! container and what it says (`main exits 0`), or about what the API tells.

use super::diary::Moment;
use super::words::{Word, duration, split, words};
use serde_json::Value;

/// Something that must be true, and how it is written.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) text: String,
    pub(crate) what: What,
}

/// What must be true.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Said(Said),
    Told(Told),
    Asked(Asked),
}

/// Of the diary.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// `init1 exits`, `main never starts`, `sidecar starts once`, `main starts 3 times or more`.
    Happens(Moment, Count),
    /// `init1 exits before init2 starts`: the first of each, or the second with `again`.
    Before(Moment, Moment),
    /// `sidecar starts after main starts`: one of the first, after the first of the second.
    After(Moment, Moment),
    /// `pod gone at least 2s after pod delete`: the first of each, that many seconds apart.
    Apart { later: Moment, earlier: Moment, bound: Bound, seconds: f64 },
    /// `sidecar runs while init1 runs`: a run of one overlaps a run of the other.
    Together(String, String),
    /// `sidecar runs while every init1 runs`: each run of the second overlaps one of the first.
    EachTogether(String, String),
}

/// Of the pod, as the API told it, version by version.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// `phase Running`, `phase always Pending`, `phase never Failed`.
    Phase(When, String),
    /// `phases Running, Pending, Running`: in this order, with others in between if need be.
    Phases(Vec<String>),
    /// `main is waiting PodInitializing`, `main is never ready`.
    Container { name: String, when: When, not: bool, state: State },
    /// `main was terminated 137 Error`: what the instance before says.
    Was { name: String, state: State },
    /// `restartCount of main is 1`, `... is 3 or more`, `... is never above 1`.
    RestartCount(String, Restarts),
    /// `condition Initialized False ContainersNotInitialized "..."`, `condition Ready always True`.
    Condition { when: When, kind: String, status: String, reason: Option<String>, message: Option<String> },
    /// `status never changes`: it is what it was before, to the last field.
    Unchanged,
    /// `field status.qosClass is "Guaranteed"`, `field metadata.generation is 2`.
    Field { path: String, value: Value },
    /// `field status.hostIP is set`.
    Set(String),
}

/// Of what the API answers to a question of the claim's own.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// `event Killing of main "Stopping container main"`, `no event BackOff`, `event Started of main once`.
    Event { reason: String, of: Option<String>, message: Option<String>, count: Count },
    /// `get "/api/v1/namespaces/default/pods?labelSelector=a%3Db" has "text"`, `... lacks "text"`.
    Get { path: String, text: String, lacks: bool },
    /// `ConfigMap c has data.key "value"`, `ConfigMap c is gone`: an object of the default namespace, whole if the path is
    /// empty.
    Object { kind: String, name: String, path: String, value: Value },
    /// `log of main is "..."`, `log of main has "..."`, `log of main over a websocket is "..."`.
    Log { container: String, websocket: bool, whole: bool, text: String },
    /// `in main "cat /x" prints "..."`.
    Prints { container: String, command: String, text: String },
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    AtLeast(usize),
    Exactly(usize),
}

/// A restart count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Restarts {
    Is(Count),
    NeverAbove(u64),
}

/// Not nearer, or not farther.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast,
    AtMost,
}

/// At some time from here on, or at every instant or none so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Always,
    Never,
}

/// A container's state, with as much about it as is claimed. In messages `...` is any text.
#[derive(Debug, Clone)]
pub(crate) enum State {
    Running,
    Waiting { reason: Option<String>, message: Option<String> },
    Terminated { code: Option<i64>, reason: Option<String>, message: Option<String> },
    Ready,
    Started,
}

/// The claims of a line.
pub(crate) fn claims(text: &str) -> Vec<Claim> {
    let claims: Vec<Claim> = split(text, ';').iter().map(|claim| Claim::parse(claim)).collect();
    assert!(!claims.is_empty(), "{text:?}: nothing is claimed");
    claims
}

impl Claim {
    fn parse(text: &str) -> Claim {
        let words = words(text);
        let asked = || asked(&words).map(What::Asked);
        let told = || told(&words).or_else(|| about_container(&words)).map(What::Told);
        let what = asked().or_else(told).or_else(|| said(&words).map(What::Said));
        Claim { text: text.to_owned(), what: what.unwrap_or_else(|| panic!("{text:?} is not a claim")) }
    }
}

fn told(words: &[Word]) -> Option<Told> {
    let bare: Vec<Option<&str>> = words.iter().map(Word::bare).collect();
    match bare[..] {
        [Some("phase"), Some("always"), Some(phase)] => Some(Told::Phase(When::Always, phase.to_owned())),
        [Some("phase"), Some("never"), Some(phase)] => Some(Told::Phase(When::Never, phase.to_owned())),
        [Some("phase"), Some(phase)] => Some(Told::Phase(When::Now, phase.to_owned())),
        [Some("status"), Some("never"), Some("changes")] => Some(Told::Unchanged),
        [Some("phases"), ..] => Some(Told::Phases(
            words[1..].iter().filter_map(Word::bare).map(|phase| phase.trim_matches(',').to_owned()).collect(),
        )),
        [Some("restartCount"), Some("of"), Some(name), Some("is"), ref rest @ ..] => {
            let restarts = match rest {
                [Some(number)] => Restarts::Is(Count::Exactly(number.parse().ok()?)),
                [Some(number), Some("or"), Some("more")] => Restarts::Is(Count::AtLeast(number.parse().ok()?)),
                [Some("never"), Some("above"), Some(number)] => Restarts::NeverAbove(number.parse().ok()?),
                _ => return None,
            };
            Some(Told::RestartCount(name.to_owned(), restarts))
        }
        [Some("condition"), Some(kind), ..] => condition(kind, &words[2..]),
        [Some("field"), Some(path), Some("is"), Some("set")] => Some(Told::Set(path.to_owned())),
        [Some("field"), Some(path), Some("is"), ..] => {
            Some(Told::Field { path: path.to_owned(), value: json(&words[3..]) })
        }
        _ => None,
    }
}

fn asked(words: &[Word]) -> Option<Asked> {
    let bare: Vec<Option<&str>> = words.iter().map(Word::bare).collect();
    match bare[..] {
        [Some("event"), Some(reason), ..] => event(reason, &words[2..], Count::AtLeast(1)),
        [Some("no"), Some("event"), Some(reason), ..] => event(reason, &words[3..], Count::Exactly(0)),
        [Some("get"), None, Some(how @ ("has" | "lacks")), None] => {
            Some(Asked::Get { path: quoted(&words[1])?, text: quoted(&words[3])?, lacks: how == "lacks" })
        }
        [Some(kind), Some(name), Some("has"), Some(path), ..] if kind.starts_with(char::is_uppercase) => {
            let (kind, name, path) = (kind.to_owned(), name.to_owned(), path.to_owned());
            Some(Asked::Object { kind, name, path, value: json(&words[4..]) })
        }
        [Some(kind), Some(name), Some("is"), Some("gone")] if kind.starts_with(char::is_uppercase) => {
            Some(Asked::Object {
                kind: kind.to_owned(),
                name: name.to_owned(),
                path: String::new(),
                value: Value::Null,
            })
        }
        [Some("log"), Some("of"), Some(container), Some(how @ ("is" | "has")), None] => Some(Asked::Log {
            container: container.to_owned(),
            websocket: false,
            whole: how == "is",
            text: quoted(&words[4])?,
        }),
        [Some("log"), Some("of"), Some(container), Some("over"), Some("a"), Some("websocket"), Some("is"), None] => {
            Some(Asked::Log { container: container.to_owned(), websocket: true, whole: true, text: quoted(&words[7])? })
        }
        [Some("in"), Some(container), None, Some("prints"), None] => Some(Asked::Prints {
            container: container.to_owned(),
            command: quoted(&words[2])?,
            text: quoted(&words[4])?,
        }),
        _ => None,
    }
}

/// The words as JSON.
fn json(words: &[Word]) -> Value {
    let words = words.iter().map(|word| match word {
        Word::Bare(text) => text.clone(),
        Word::Quoted(text) => Value::String(text.clone()).to_string(),
    });
    let text = words.collect::<Vec<_>>().join(" ");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn quoted(word: &Word) -> Option<String> {
    match word {
        Word::Bare(_) => None,
        Word::Quoted(text) => Some(text.clone()),
    }
}

fn condition(kind: &str, words: &[Word]) -> Option<Told> {
    let (when, words) = match words.first()?.bare()? {
        "always" => (When::Always, &words[1..]),
        "never" => (When::Never, &words[1..]),
        _ => (When::Now, words),
    };
    let status = words.first()?.bare()?.to_owned();
    let (reason, message) = reason_and_message(&words[1..])?;
    Some(Told::Condition { when, kind: kind.to_owned(), status, reason, message })
}

fn event(reason: &str, words: &[Word], count: Count) -> Option<Asked> {
    let (words, count) = match words {
        [words @ .., Word::Bare(last)] if last == "once" => (words, Count::Exactly(1)),
        words => (words, count),
    };
    let (of, words) = match words {
        [Word::Bare(of), Word::Bare(name), rest @ ..] if of == "of" => (Some(name.clone()), rest),
        _ => (None, words),
    };
    let message = match words {
        [] => None,
        [word] => Some(quoted(word)?),
        _ => return None,
    };
    Some(Asked::Event { reason: reason.to_owned(), of, message, count })
}

/// What is left of a state: a bare word is the reason, a quoted one the message.
fn reason_and_message(words: &[Word]) -> Option<(Option<String>, Option<String>)> {
    match words {
        [] => Some((None, None)),
        [Word::Bare(reason)] => Some((Some(reason.clone()), None)),
        [Word::Quoted(message)] => Some((None, Some(message.clone()))),
        [Word::Bare(reason), Word::Quoted(message)] => Some((Some(reason.clone()), Some(message.clone()))),
        _ => None,
    }
}

fn about_container(words: &[Word]) -> Option<Told> {
    let (name, verb) = (words.first()?.bare()?.to_owned(), words.get(1)?.bare()?);
    match verb {
        "was" => Some(Told::Was { name, state: state(&words[2..])? }),
        "is" => {
            let (when, not, rest) = match words.get(2)?.bare()? {
                "always" => (When::Always, false, &words[3..]),
                "never" => (When::Never, false, &words[3..]),
                "not" => (When::Now, true, &words[3..]),
                _ => (When::Now, false, &words[2..]),
            };
            Some(Told::Container { name, when, not, state: state(rest)? })
        }
        _ => None,
    }
}

fn state(words: &[Word]) -> Option<State> {
    match words.first()?.bare()? {
        "running" if words.len() == 1 => Some(State::Running),
        "ready" if words.len() == 1 => Some(State::Ready),
        "started" if words.len() == 1 => Some(State::Started),
        "waiting" => {
            let (reason, message) = reason_and_message(&words[1..])?;
            Some(State::Waiting { reason, message })
        }
        "terminated" => {
            let code = words.get(1).and_then(Word::bare).and_then(|word| word.parse().ok());
            let (reason, message) = reason_and_message(&words[if code.is_some() { 2 } else { 1 }..])?;
            Some(State::Terminated { code, reason, message })
        }
        _ => None,
    }
}

fn said(words: &[Word]) -> Option<Said> {
    let bare: Vec<&str> = words.iter().map(|word| word.bare().unwrap_or("\"")).collect();
    if let [a, "runs", "while", "every", b, "runs"] = bare[..] {
        return Some(Said::EachTogether(a.to_owned(), b.to_owned()));
    }
    if let [a, "runs", "while", b, "runs"] = bare[..] {
        return Some(Said::Together(a.to_owned(), b.to_owned()));
    }
    if let Some(at) = bare.iter().position(|word| *word == "before") {
        return Some(Said::Before(moment(&bare[..at])?, moment(&bare[at + 1..])?));
    }
    if let Some(at) = bare.iter().position(|word| *word == "after") {
        let earlier = moment(&bare[at + 1..])?;
        return match &bare[..at] {
            [later @ .., "at", bound @ ("least" | "most"), time] => Some(Said::Apart {
                later: moment(later)?,
                earlier,
                bound: if *bound == "least" { Bound::AtLeast } else { Bound::AtMost },
                seconds: duration(time)?.as_secs_f64(),
            }),
            later => Some(Said::After(moment(later)?, earlier)),
        };
    }
    match &bare[..] {
        [who, "never", what @ ..] => Some(Said::Happens(moment(&[&[*who], what].concat())?, Count::Exactly(0))),
        [rest @ .., "once"] => Some(Said::Happens(moment(rest)?, Count::Exactly(1))),
        [rest @ .., "twice"] => Some(Said::Happens(moment(rest)?, Count::Exactly(2))),
        [rest @ .., number, "times"] => Some(Said::Happens(moment(rest)?, Count::Exactly(number.parse().ok()?))),
        [rest @ .., number, "times", "or", "more"] => {
            Some(Said::Happens(moment(rest)?, Count::AtLeast(number.parse().ok()?)))
        }
        rest => Some(Said::Happens(moment(rest)?, Count::AtLeast(1))),
    }
}

/// A container and what it says, two words at least; `again` is the second time, `a third time` the third.
fn moment(words: &[&str]) -> Option<Moment> {
    let (words, times_before) = match words {
        [words @ .., "again"] => (words, 1),
        [words @ .., "a", "third", "time"] => (words, 2),
        words => (words, 0),
    };
    let (who, what) = words.split_first()?;
    (!what.is_empty()).then(|| Moment { who: (*who).to_owned(), what: what.join(" "), times_before })
}
