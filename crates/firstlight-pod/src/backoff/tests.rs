use super::*;
use crate::seen::Crashes;
use crate::time::{Millis, Now};

const RULE: Backoff = Backoff { first: Millis::secs(10), longest: Millis::secs(300) };

/// When each restart of a container that ends at once is made, in seconds after its first end.
fn restarts(rule: Backoff, count: usize) -> Vec<u64> {
    let (mut crashes, mut finished): (Option<Crashes>, Now) = (None, Now(0));
    (0..count)
        .map(|_| {
            let delay = crashes.as_ref().map_or(Millis(0), |crashes| crashes.delay(finished, "i", rule));
            let at = finished.plus(delay);
            crashes = Some(Crashes::after(crashes.take(), finished, Some("i"), at));
            finished = at;
            at.0 / 1000
        })
        .collect()
}

#[test]
fn bkf_2_restarts_come_at_0_10_30_70_150_310_then_every_300_seconds() {
    assert_eq!(restarts(RULE, 8), [0, 10, 30, 70, 150, 310, 610, 910]);
}

#[test]
fn bkf_9_a_cap_below_ten_seconds_lowers_the_first_delay_too() {
    assert_eq!(restarts(RULE.at_most(Millis::secs(1)), 5), [0, 1, 2, 3, 4]);
    assert_eq!(restarts(RULE.at_most(Millis::secs(30)), 5), [0, 10, 30, 60, 90]);
}

#[test]
fn bkf_10_the_reduced_back_off_begins_at_one_second_and_ends_at_sixty_and_a_lower_limit_wins() {
    assert_eq!(restarts(Backoff::REDUCED, 10), [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    assert_eq!(restarts(Backoff::REDUCED.at_most(Millis::secs(8)), 7), [0, 1, 3, 7, 15, 23, 31]);
    assert_eq!(Backoff::REDUCED.at_most(Millis::secs(300)), Backoff::REDUCED);
    assert_eq!(RULE, Backoff::default());
}

#[test]
fn bkf_4_an_instance_that_ran_ten_minutes_is_forgiven_and_not_one_moment_less() {
    let crashes = Crashes { restarts: 4, at: Now(0), image: Some("i".to_owned()) };
    assert_eq!(crashes.delay(Now(600_000), "i", RULE), Millis::secs(80));
    assert_eq!(crashes.delay(Now(600_001), "i", RULE), Millis(0));
    assert_eq!(Crashes::after(Some(crashes), Now(600_001), Some("i"), Now(600_001)).restarts, 1);
}

#[test]
fn bkf_5_another_image_has_a_clean_slate() {
    let crashes = Crashes { restarts: 4, at: Now(0), image: Some("i:1".to_owned()) };
    assert_eq!(crashes.delay(Now(5), "i:2", RULE), Millis(0));
    assert_eq!(Crashes::after(Some(crashes), Now(5), Some("i:2"), Now(6)).restarts, 1);
}

#[test]
fn a_delay_never_overflows() {
    assert_eq!(doubled(Millis::secs(10), u32::MAX, IMAGE_CAP), IMAGE_CAP);
    assert_eq!(of_image(6), IMAGE_CAP);
    assert_eq!(of_image(5), Millis::secs(160));
}
