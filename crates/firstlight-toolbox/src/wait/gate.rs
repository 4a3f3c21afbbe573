//! Whether the gate may open, decided from what the tries found. No I/O but the lines it says.

use std::time::{Duration, Instant};

use super::target::Target;
use crate::exit::Code;
use crate::failure::Failure;
use crate::log::Log;
use crate::miss::{Class, Kind, Miss};
use crate::retry::{Next, Schedule};

/// A wait says something about each target this often (so a wait of five minutes is about thirty lines).
const SAY_EVERY: Duration = Duration::from_secs(10);

/// A new reason is said at once, but reasons that take turns do not fill the log.
const SAY_CHANGE: Duration = Duration::from_secs(1);

/// When one kind of miss has lasted this long, what usually lies behind it is worth a line.
const HINT_AFTER: Duration = Duration::from_secs(30);

/// How often a target that is there is looked at while it must stay so.
const STABLE_EVERY: Duration = Duration::from_millis(250);

/// All targets, and how many of them must be there.
#[derive(Debug)]
pub struct Gate {
    targets: Vec<Watched>,
    wanted: usize,
    stable: Duration,
    once: bool,
    passed: bool,
}

#[derive(Debug)]
struct Watched {
    shown: String,
    since: Instant,
    schedule: Schedule,
    /// Tries that have ended.
    tries: u32,
    state: State,
    /// Whether the answer to the last look at everything is still out.
    rechecked: bool,
    said: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Not looked at yet.
    Unknown,
    /// There since this instant without a miss; `settled` when that is long enough, `over` if no time is left for it.
    There { since: Instant, settled: bool, over: bool },
    /// Not there; the kind of miss is the same since this instant.
    Missing { miss: Miss, since: Instant, changed: bool, hinted: bool, over: bool },
}

/// What to do after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Try this target again.
    Again(Next),
    /// Nothing more to do for it now.
    Rest,
    /// Enough are there: look at all of them once more, together.
    AllOnceMore,
    /// It cannot open any more.
    Failed(Code),
}

impl Gate {
    /// A closed gate.
    pub fn new(
        targets: &[Target],
        wanted: usize,
        stable: Duration,
        now: Instant,
        deadline: Option<Instant>,
        once: bool,
    ) -> Gate {
        let watch = |target: &Target| Watched {
            shown: target.to_string(),
            since: now,
            schedule: Schedule::new(target.pace(), now, deadline),
            tries: 0,
            state: State::Unknown,
            rechecked: false,
            said: None,
        };
        let targets = targets.iter().map(watch).collect();
        Gate { targets, wanted, stable, once, passed: false }
    }

    /// The first try at a target.
    pub fn begin(&mut self, index: usize, now: Instant) -> Next {
        self.targets[index].schedule.begin(now)
    }

    /// Whether it is open.
    pub fn open(&self) -> bool {
        self.passed
    }

    /// All tries so far.
    pub fn attempts(&self) -> u32 {
        self.targets.iter().map(|watched| watched.tries).sum()
    }

    /// Takes in what a try found.
    pub fn fold(&mut self, index: usize, result: Result<(), Miss>, now: Instant, luck: f64) -> Turn {
        let stable = if self.once { Duration::ZERO } else { self.stable };
        let next = self.targets[index].fold(result, now, luck, stable, self.once);
        let last_look = std::mem::take(&mut self.targets[index].rechecked);
        let answers_out = self.targets.iter().any(|watched| watched.rechecked);
        if self.settled() < self.wanted || answers_out {
            return self.next_turn(next);
        }
        // A single target was looked at just now; several were seen at different times.
        if last_look || self.targets.len() == 1 || self.once {
            self.passed = true;
            return Turn::Rest;
        }
        Turn::AllOnceMore
    }

    fn next_turn(&self, next: Option<Next>) -> Turn {
        let possible = self.targets.iter().filter(|watched| !watched.over()).count();
        match next {
            Some(next) => Turn::Again(next),
            None if possible < self.wanted => Turn::Failed(self.code()),
            None => Turn::Rest,
        }
    }

    fn code(&self) -> Code {
        let fatal = self
            .targets
            .iter()
            .any(|watched| matches!(&watched.state, State::Missing { miss, .. } if miss.class == Class::Fatal));
        match (fatal, self.once) {
            (true, _) => Code::Refused,
            (false, true) => Code::NotYet,
            (false, false) => Code::Deadline,
        }
    }

    fn settled(&self) -> usize {
        self.targets.iter().filter(|watched| matches!(watched.state, State::There { settled: true, .. })).count()
    }

    /// The tries of a last look at everything that is there.
    pub fn once_more(&mut self, now: Instant) -> Vec<(usize, Next)> {
        let mut tries = Vec::new();
        for (index, watched) in self.targets.iter_mut().enumerate() {
            if matches!(watched.state, State::There { .. }) {
                watched.rechecked = true;
                tries.push((index, watched.schedule.last_look(now)));
            }
        }
        tries
    }

    /// Says what is due.
    pub fn lines(&mut self, now: Instant, log: &Log) {
        for watched in &mut self.targets {
            watched.line(now, log);
        }
    }

    /// What the failed wait is about: the first target that is not there.
    pub fn failure(&self, now: Instant, code: Code) -> Failure {
        let missing = |watched: &&Watched| matches!(watched.state, State::Missing { .. });
        let fatal =
            |watched: &&Watched| matches!(&watched.state, State::Missing { miss, .. } if miss.class == Class::Fatal);
        let blocking = self.targets.iter().find(fatal).or_else(|| self.targets.iter().find(missing));
        let there = self.settled();
        let Some(Watched { shown, since, tries, state: State::Missing { miss, .. }, .. }) = blocking else {
            return Failure::new(code, "deadline", "not there for long enough");
        };
        let waited = now.duration_since(*since).as_secs_f64();
        let others = if self.targets.len() > 1 {
            format!("; {there} of {} are there", self.targets.len())
        } else {
            String::new()
        };
        let message = match code {
            Code::Deadline => format!("not there after {waited:.1} s and {tries} tries: {miss}{others}"),
            _ => format!("{miss}{others}"),
        };
        let failure = Failure::new(code, miss.kind.word(), message).target(shown).attempts(self.attempts());
        match miss.kind.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl Watched {
    /// The next try, or `None` if there is none to make for now.
    fn fold(
        &mut self,
        result: Result<(), Miss>,
        now: Instant,
        luck: f64,
        stable: Duration,
        once: bool,
    ) -> Option<Next> {
        self.tries = self.tries.saturating_add(1);
        match result {
            Ok(()) => {
                let since = match self.state {
                    State::There { since, .. } => since,
                    State::Unknown | State::Missing { .. } => now,
                };
                let left = stable.saturating_sub(now.duration_since(since));
                let next = (!left.is_zero()).then(|| self.schedule.again(now, STABLE_EVERY.min(left)));
                let over = matches!(next, Some(Next::Over { .. }));
                self.state = State::There { since, settled: left.is_zero(), over };
                next.filter(|_| !over)
            }
            Err(miss) => {
                let miss = self.better_known(miss);
                let fatal = miss.class == Class::Fatal;
                let next = if once { Next::Over { at: now } } else { self.schedule.after(now, miss.class, luck) };
                let over = fatal || matches!(next, Next::Over { .. });
                self.state = self.missing(miss, now, over);
                match next {
                    Next::Try { .. } => Some(next),
                    Next::Over { .. } => None,
                }
            }
        }
    }

    /// That nothing came in a try that the deadline cut short says less than what was known before.
    fn better_known(&self, miss: Miss) -> Miss {
        match &self.state {
            State::Missing { miss: before, .. } if miss.kind == Kind::TimedOut && self.schedule.cut_short() => {
                before.clone()
            }
            State::Missing { .. } | State::Unknown | State::There { .. } => miss,
        }
    }

    fn missing(&mut self, miss: Miss, now: Instant, over: bool) -> State {
        let same: Option<(Instant, bool, bool)> = match &self.state {
            State::Missing { miss: before, since, changed, hinted, .. } if before.kind == miss.kind => {
                Some((*since, *changed, *hinted))
            }
            State::Missing { .. } | State::Unknown | State::There { .. } => None,
        };
        if same.is_none() && self.said.is_some_and(|said| now.duration_since(said) >= SAY_CHANGE) {
            self.said = None;
        }
        let (since, changed, hinted) = same.unwrap_or((now, true, false));
        State::Missing { miss, since, changed, hinted, over }
    }

    fn over(&self) -> bool {
        matches!(self.state, State::Missing { over: true, .. } | State::There { over: true, .. })
    }

    fn line(&mut self, now: Instant, log: &Log) {
        let State::Missing { miss, since, changed, hinted, over: _ } = &mut self.state else {
            if let (State::There { .. }, Some(_)) = (&self.state, self.said) {
                log.info().target(&self.shown).attempt(self.tries).elapsed(now - self.since).say("is there");
                self.said = None;
            }
            return;
        };
        if self.said.is_some_and(|said| now.duration_since(said) < SAY_EVERY) {
            return;
        }
        self.said = Some(now);
        let again = if std::mem::take(changed) { "" } else { " (unchanged)" };
        let line = log.info().target(&self.shown).attempt(self.tries).elapsed(now - self.since);
        line.reason(miss.kind.word()).say(format!("waiting for {}: {miss}{again}", self.shown));
        if let (Some(hint), false, true) = (miss.kind.hint(), *hinted, now.duration_since(*since) >= HINT_AFTER) {
            *hinted = true;
            log.warn().target(&self.shown).reason(miss.kind.word()).say(hint);
        }
    }
}

#[cfg(test)]
mod tests;
