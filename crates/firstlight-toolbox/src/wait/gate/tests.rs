//! When a gate opens, in imagined time.

use super::*;

/// A gate over some targets, and the hands to play with it.
struct Play {
    gate: Gate,
    start: Instant,
}

fn play(count: usize, wanted: usize, stable: u64, deadline: Option<u64>) -> Play {
    let start = Instant::now();
    let targets: Vec<Target> =
        (0..count).map(|n| Target::parse(&format!("tcp://db{n}:5432")).expect("a target")).collect();
    let deadline = deadline.map(|seconds| start + Duration::from_secs(seconds));
    let gate = Gate::new(&targets, wanted, Duration::from_secs(stable), start, deadline, false);
    let mut play = Play { gate, start };
    for index in 0..count {
        play.gate.begin(index, start);
    }
    play
}

impl Play {
    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn there(&mut self, index: usize, ms: u64) -> Turn {
        self.gate.fold(index, Ok(()), self.at(ms), 0.5)
    }

    fn missing(&mut self, index: usize, ms: u64) -> Turn {
        self.gate.fold(index, Err(Miss::retry(Kind::ConnectionRefused, "connection refused")), self.at(ms), 0.5)
    }
}

#[test]
fn one_target_opens_the_gate_when_it_is_there() {
    let mut play = play(1, 1, 0, Some(60));
    assert!(matches!(play.missing(0, 0), Turn::Again(Next::Try { .. })));
    assert!(!play.gate.open());
    assert_eq!(play.there(0, 100), Turn::Rest);
    assert!(play.gate.open());
}

#[test]
fn several_are_looked_at_once_more_and_one_that_has_gone_reenters_the_wait() {
    let mut play = play(2, 2, 0, Some(60));
    assert_eq!(play.there(0, 0), Turn::Rest);
    assert!(matches!(play.missing(1, 0), Turn::Again(_)));
    assert_eq!(play.there(1, 5000), Turn::AllOnceMore);
    assert_eq!(play.gate.once_more(play.at(5000)).len(), 2);
    // The first has gone in the meantime.
    assert!(matches!(play.missing(0, 5001), Turn::Again(_)));
    assert_eq!(play.there(1, 5001), Turn::Rest);
    assert!(!play.gate.open());
    assert_eq!(play.there(0, 6000), Turn::AllOnceMore);
    play.gate.once_more(play.at(6000));
    play.there(0, 6001);
    assert!(!play.gate.open(), "the second answer is still out");
    play.there(1, 6001);
    assert!(play.gate.open());
}

#[test]
fn k_of_n_needs_no_more_than_k() {
    let mut play = play(3, 2, 0, Some(60));
    play.missing(0, 0);
    assert_eq!(play.there(1, 0), Turn::Rest);
    assert_eq!(play.there(2, 10), Turn::AllOnceMore);
    assert_eq!(play.gate.once_more(play.at(10)).len(), 2);
    // An answer of the target that is not there is no answer to the last look.
    play.missing(0, 11);
    play.there(1, 12);
    assert!(!play.gate.open());
    play.there(2, 13);
    assert!(play.gate.open());
}

#[test]
fn stable_counts_from_the_last_miss() {
    let mut play = play(1, 1, 2, Some(60));
    assert!(matches!(play.there(0, 0), Turn::Again(Next::Try { .. })));
    play.there(0, 1500);
    play.missing(0, 1750);
    play.there(0, 1800);
    play.there(0, 3700);
    assert!(!play.gate.open(), "1.9 s since the miss");
    play.there(0, 3800);
    assert!(play.gate.open());
}

#[test]
fn there_but_not_for_long_enough_at_the_deadline_is_a_deadline() {
    let mut play = play(1, 1, 10, Some(3));
    play.there(0, 0);
    assert!(matches!(play.there(0, 3000), Turn::Again(Next::Try { .. })), "the last look");
    assert_eq!(play.there(0, 3100), Turn::Failed(Code::Deadline));
}

#[test]
fn a_hopeless_target_ends_the_wait_only_if_it_is_needed() {
    let fatal = || Err(Miss::fatal(Kind::Forbidden, "never contacted"));
    let mut one_of_two = play(2, 1, 0, Some(60));
    let now = one_of_two.start;
    assert_eq!(one_of_two.gate.fold(0, fatal(), now, 0.5), Turn::Rest);
    assert_eq!(one_of_two.there(1, 10), Turn::AllOnceMore);

    let mut both = play(2, 2, 0, Some(60));
    assert_eq!(both.gate.fold(0, fatal(), now, 0.5), Turn::Failed(Code::Refused));
    assert!(both.gate.failure(now, Code::Refused).to_string().contains("tcp://db0:5432: never contacted"));
}

#[test]
fn the_failure_names_the_target_that_blocks_its_reason_and_a_way_out() {
    let mut play = play(2, 2, 0, Some(3));
    play.there(0, 0);
    play.missing(1, 3000);
    assert_eq!(play.missing(1, 3001), Turn::Failed(Code::Deadline));
    let failure = play.gate.failure(play.at(3100), Code::Deadline);
    assert_eq!((failure.reason, failure.target.as_deref()), ("refused", Some("tcp://db1:5432")));
    assert!(failure.message.contains("after 3.1 s") && failure.message.contains("1 of 2 are there"), "{failure}");
    assert!(failure.hint.is_some());
}

#[test]
fn the_short_try_at_the_deadline_does_not_hide_the_cause() {
    let mut play = play(1, 1, 0, Some(3));
    play.missing(0, 2990);
    let late = Err(Miss::timed_out(Duration::from_millis(200)));
    assert_eq!(play.gate.fold(0, late, play.at(3200), 0.5), Turn::Failed(Code::Deadline));
    assert_eq!(play.gate.failure(play.at(3200), Code::Deadline).reason, "refused");
}
