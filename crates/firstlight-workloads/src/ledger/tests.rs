use super::Ledger;
use crate::desk::{Desk, Question};
use firstlight_api::object::{Key, resources};

fn question(name: &str) -> Question {
    (Desk::StatefulSets, Key::new(resources::STATEFULSETS, "a", name))
}

#[test]
fn a_question_is_worked_on_once_at_a_time_and_asked_again_if_asked_meanwhile() {
    let mut ledger = Ledger::default();
    ledger.ask(question("x"), 5);
    assert_eq!(ledger.take(4), None);
    assert_eq!(ledger.next_due(), Some(5));
    assert_eq!(ledger.take(5), Some(question("x")));
    ledger.ask(question("x"), 6);
    assert_eq!(ledger.take(10), None, "somebody works on it");
    assert_eq!(ledger.next_due(), None);
    ledger.finished(&question("x"), true, 10);
    assert_eq!(ledger.take(10), Some(question("x")));
    ledger.finished(&question("x"), true, 11);
    assert_eq!((ledger.take(100), ledger.next_due()), (None, None));
}

#[test]
fn the_earlier_of_two_times_counts() {
    let mut ledger = Ledger::default();
    ledger.ask(question("x"), 50);
    ledger.ask(question("x"), 20);
    ledger.ask(question("x"), 80);
    assert_eq!(ledger.next_due(), Some(20));
}

#[test]
fn failures_wait_ever_longer_until_one_goes_well() {
    let mut ledger = Ledger::default();
    let mut waits = Vec::new();
    for _ in 0..12 {
        ledger.ask(question("x"), 0);
        let taken = ledger.take(1_000_000).unwrap();
        ledger.finished(&taken, false, 0);
        waits.push(ledger.next_due().unwrap());
    }
    assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    let taken = ledger.take(1_000_000).unwrap();
    ledger.finished(&taken, true, 0);
    ledger.ask(question("x"), 0);
    let taken = ledger.take(0).unwrap();
    ledger.finished(&taken, false, 0);
    assert_eq!(ledger.next_due(), Some(50));
}
