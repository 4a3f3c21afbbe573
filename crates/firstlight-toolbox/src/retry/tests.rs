//! The engine's promises, in imagined time.

use super::*;

/// Runs a schedule against a target that always misses in no time; the instants of its tries, from its start.
fn tries(pace: Pace, deadline: Option<Duration>, until: Duration, class: Class, luck: f64) -> Vec<Duration> {
    let start = Instant::now();
    let mut schedule = Schedule::new(pace, start, deadline.map(|deadline| start + deadline));
    let mut next = schedule.begin(start);
    let mut tries = Vec::new();
    while let Next::Try { at, limit: _ } = next {
        if at - start > until {
            break;
        }
        tries.push(at - start);
        next = schedule.after(at, class, luck);
    }
    tries
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn the_first_try_is_at_once_and_delays_grow_to_half_a_second() {
    let tries = tries(Pace::CHEAP, None, Duration::from_secs(50), Class::Retry, 0.5);
    assert_eq!(tries[0], Duration::ZERO);
    assert_eq!(tries[1], Duration::from_millis(50));
    let gaps: Vec<Duration> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap <= Duration::from_millis(501)), "{gaps:?}");
    assert_eq!(gaps.last().map(Duration::as_millis), Some(500));
}

#[test]
fn after_the_first_minute_a_probe_comes_once_a_second() {
    let tries = tries(Pace::CHEAP, None, Duration::from_secs(100), Class::Retry, 0.5);
    let late: Vec<_> = tries.iter().filter(|at| **at > Duration::from_secs(80)).collect();
    assert!((18..=21).contains(&late.len()), "{}", late.len());
}

#[test]
fn no_second_sees_more_than_five_tries_once_the_burst_is_spent() {
    for luck in [0.0, 0.5, 1.0] {
        let tries = tries(Pace::CHEAP, None, Duration::from_secs(30), Class::Retry, luck);
        for start in tries.iter().filter(|at| **at > Duration::from_secs(1)) {
            let within = tries.iter().filter(|at| **at >= *start && **at < *start + Duration::from_secs(1)).count();
            assert!(within <= 5, "{within} tries in the second after {start:?}");
        }
    }
}

#[test]
fn the_last_try_is_at_the_deadline_itself_and_then_it_is_over() {
    for luck in [0.0, 0.3, 1.0] {
        let tries = tries(Pace::CHEAP, Some(Duration::from_secs(3)), HOUR, Class::Retry, luck);
        assert_eq!(tries.last(), Some(&Duration::from_secs(3)), "{tries:?}");
    }
}

#[test]
fn a_try_never_outlives_the_deadline_by_more_than_the_last_chance() {
    let start = Instant::now();
    let mut schedule = Schedule::new(Pace::CHEAP, start, Some(start + Duration::from_millis(700)));
    let Next::Try { at, limit } = schedule.begin(start) else { panic!("a first try") };
    assert_eq!((at, limit), (start, Duration::from_millis(700)));
    // The first try hung until its limit: one more, short, at the deadline.
    let next = schedule.after(start + limit, Class::Retry, 0.5);
    assert_eq!(next, Next::Try { at: start + limit, limit: LAST_CHANCE });
    assert_eq!(
        schedule.after(start + limit + LAST_CHANCE, Class::Retry, 0.5),
        Next::Over { at: start + limit + LAST_CHANCE }
    );
}

#[test]
fn retry_after_is_obeyed_even_if_it_means_no_further_try() {
    let tries_at = tries(Pace::CHEAP, None, Duration::from_secs(9), Class::SlowDown(Some(Duration::from_secs(4))), 0.5);
    assert_eq!(tries_at, [0, 4, 8].map(Duration::from_secs));
    let once =
        tries(Pace::CHEAP, Some(Duration::from_secs(3)), HOUR, Class::SlowDown(Some(Duration::from_secs(4))), 0.5);
    assert_eq!(once, [Duration::ZERO]);
}

#[test]
fn a_fatal_miss_ends_it() {
    assert_eq!(tries(Pace::COSTLY, None, HOUR, Class::Fatal, 0.5).len(), 1);
}

#[test]
fn luck_spreads_the_tries_of_many() {
    let numbers: std::collections::BTreeSet<u64> = (0..100).map(|_| luck().to_bits()).collect();
    assert!(numbers.len() > 90 && numbers.iter().all(|bits| (0.0..1.0).contains(&f64::from_bits(*bits))));
}
