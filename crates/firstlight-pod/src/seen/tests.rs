use super::streaks::Streaks;
use super::*;
use crate::event::{Exit, Instance, StopReason};
use crate::status::{ContainerStatus, State};

fn walk(sandbox: u32) -> Option<Walk> {
    Some(Walk { sandbox, number: 0 })
}

/// What a probe's result is by the book: a counter that the thresholds are held against at every try.
fn by_the_book(outcomes: &[bool], successes: u32, failures: u32) -> Option<bool> {
    let (mut result, mut run, mut last) = (None, 0, None);
    for outcome in outcomes {
        run = if last == Some(*outcome) { run + 1 } else { 1 };
        last = Some(*outcome);
        if run >= if *outcome { successes } else { failures } {
            result = Some(*outcome);
        }
    }
    result
}

#[test]
fn streaks_answer_as_the_book_for_every_history_and_threshold() {
    for length in 0..=12_u32 {
        for bits in 0..1_u32 << length {
            let outcomes: Vec<bool> = (0..length).map(|bit| bits >> bit & 1 == 1).collect();
            let mut streaks = Streaks::default();
            outcomes.iter().for_each(|outcome| streaks.push(*outcome));
            for (successes, failures) in [(1, 1), (1, 3), (2, 2), (3, 1), (3, 4)] {
                let (told, book) = (streaks.result(successes, failures), by_the_book(&outcomes, successes, failures));
                assert_eq!(told, book, "{outcomes:?} {successes} {failures}");
            }
        }
    }
}

fn instance(attempt: u32) -> Instance {
    Instance { container: "m".to_owned(), attempt }
}

fn said(state: State, restart_count: u32) -> Event {
    let told = ContainerStatus {
        name: "m".to_owned(),
        image: "m:1".to_owned(),
        container_id: "firstlight://abc".to_owned(),
        state,
        restart_count,
        ready: true,
        started: Some(true),
        ..ContainerStatus::default()
    };
    Event::Said { status: Box::new(Status { mains: vec![told], ..Status::default() }), at: Now(1000) }
}

fn sandbox(attempt: u32) -> Event {
    Event::SandboxReady { attempt, pod_ip: "10.0.0.2".to_owned(), host_ip: "10.0.0.1".to_owned(), at: Now(1) }
}

fn created(attempt: u32) -> Event {
    Event::Created {
        instance: instance(attempt),
        id: "abc".to_owned(),
        image_id: "sha256:1".to_owned(),
        user: None,
        at: Now(2),
    }
}

fn started(attempt: u32) -> Event {
    Event::Started { instance: instance(attempt), at: Now(3) }
}

fn exited(attempt: u32, code: i32) -> Event {
    Event::Exited { instance: instance(attempt), exit: Exit { code, finished_at: Now(4), ..Exit::default() } }
}

fn folded(events: &[Event]) -> Seen {
    let mut seen = Seen::default();
    events.iter().for_each(|event| seen.fold(event));
    seen
}

#[test]
fn a_container_said_to_run_is_lost_unless_the_journal_proves_it() {
    let running = said(State::Running { since: Now(3) }, 2);
    let lost = folded(std::slice::from_ref(&running));
    let past = lost.history("m").past().expect("lost");
    assert_eq!((past.lost, past.attempt, past.terminated.reason.as_str()), (true, 2, "ContainerStatusUnknown"));

    let proven = folded(&[running, sandbox(0), created(2), started(2)]);
    let live = proven.history("m").live().expect("it lives");
    assert_eq!((live.attempt, live.id.as_str(), live.kept_ready, live.kept_started), (2, "abc", true, true));
    assert_eq!(live.image.as_deref(), Some("m:1"));
    assert!(proven.history("m").past().is_none());
}

#[test]
fn the_true_end_replaces_the_lost_one() {
    let seen = folded(&[said(State::Running { since: Now(3) }, 2), sandbox(0), created(2), started(2), exited(2, 7)]);
    let past = seen.history("m").past().expect("ended");
    assert_eq!((past.lost, past.attempt, past.terminated.code, past.walk), (false, 2, 7, walk(0)));
    assert_eq!(seen.history("m").next_attempt(), 3);
}

#[test]
fn sbx_7_numbers_go_on_after_the_last_that_was_said() {
    let ended = State::Terminated(crate::status::Terminated { code: 1, ..Default::default() });
    let seen = folded(&[said(ended, 4), sandbox(1)]);
    assert_eq!(seen.history("m").next_attempt(), 5);
    assert!(!seen.history("m").had_turn_in(walk(1)), "it ended in an older sandbox");
}

#[test]
fn a_journal_of_many_instances_counts_its_restarts() {
    let seen = folded(&[
        sandbox(0),
        created(0),
        started(0),
        exited(0, 1),
        created(1),
        started(1),
        exited(1, 1),
        created(2),
        started(2),
    ]);
    assert_eq!(seen.history("m").crashes.as_ref().map(|crashes| crashes.restarts), Some(2));
    assert_eq!(seen.history("m").live().map(|live| live.attempt), Some(2));
}

#[test]
fn b1_what_was_only_created_is_no_evidence_that_its_turn_came() {
    let seen = folded(&[sandbox(0), created(0)]);
    assert!(!seen.history("m").had_turn_in(walk(0)));
}

#[test]
fn a_number_under_which_nothing_ran_is_used_again_in_the_next_sandbox() {
    let seen = folded(&[sandbox(0), created(0), Event::SandboxGone { attempt: 0, at: Now(9) }]);
    assert_eq!(seen.history("m").next_attempt(), 0);
}

#[test]
fn news_of_an_older_sandbox_changes_nothing() {
    let mut seen = folded(&[sandbox(3), created(0), started(0)]);
    let before = seen.clone();
    seen.fold(&Event::SandboxGone { attempt: 2, at: Now(9) });
    assert_eq!(seen, before);
}

#[test]
fn trm_2_the_end_of_the_grace_only_comes_nearer() {
    let delete = |at, grace| Event::Deletion { at: Now(at), grace: Millis(grace) };
    let seen = folded(&[delete(1000, 30_000), delete(2000, 3000), delete(3000, 60_000)]);
    let Deletion { at, grace } = seen.deletion.expect("deleted");
    assert_eq!(at.plus(grace), Now(5000));
}

#[test]
fn pha_8_a_final_phase_stays() {
    let phase = |phase| Event::Said { status: Box::new(Status { phase, ..Status::default() }), at: Now(1) };
    assert_eq!(folded(&[phase(Phase::Failed), phase(Phase::Running)]).phase_said(), Phase::Failed);
}

#[test]
fn a_clock_that_was_set_back_does_not_make_a_crash_long_past() {
    let asked = |what| Event::Asked { what, at: Now(90_000) };
    let seen = folded(&[
        sandbox(0),
        created(0),
        asked(Do::Start { instance: instance(0) }),
        started(0), // says 3 ms, though it was asked for at 90 s
        exited(0, 1),
    ]);
    assert_eq!(seen.history("m").past().map(|past| past.terminated.finished_at), Some(Now(90_000)));
}

#[test]
fn an_instant_still_to_come_is_taken_for_now() {
    let mut exit = exited(0, 1);
    exit.not_after(Now(2));
    let seen = folded(&[sandbox(0), created(0), started(0), exit]);
    assert_eq!(seen.history("m").past().map(|past| past.terminated.finished_at), Some(Now(3)));
}

#[test]
fn what_the_api_told_of_an_end_gives_way_to_the_journal() {
    // Said to wait after its first end, with the second instance's post-start hook under way and no id told.
    let first_end = crate::status::Terminated { code: 1, finished_at: Now(4), ..Default::default() };
    let waiting = State::Waiting { reason: "PodInitializing".to_owned(), message: String::new() };
    let Event::Said { mut status, at } = said(waiting, 1) else { unreachable!() };
    status.mains[0].last = Some(first_end);
    status.mains[0].container_id = String::new();
    let seen =
        folded(&[Event::Said { status, at }, sandbox(0), created(0), started(0), exited(0, 1), created(1), started(1)]);
    assert_eq!(seen.history("m").live().map(|live| live.attempt), Some(1), "it lives: no other may start beside it");
}

#[test]
fn bkf_8_the_count_of_crashes_survives_whatever_the_api_told() {
    let ended = State::Terminated(crate::status::Terminated { code: 1, finished_at: Now(4), ..Default::default() });
    let journal = [created(0), started(0), exited(0, 1), created(1), started(1), exited(1, 1), created(2), started(2)];
    let events: Vec<Event> = [said(ended, 2), sandbox(0)].into_iter().chain(journal).chain([exited(2, 1)]).collect();
    let seen = folded(&events);
    assert_eq!(seen.history("m").crashes.as_ref().map(|crashes| crashes.restarts), Some(2));
    assert_eq!(seen.history("m").next_attempt(), 3);
}

#[test]
fn sbx_7_a_journal_cut_short_by_a_power_failure_makes_no_number_used_again() {
    let events =
        [said(State::Running { since: Now(3) }, 2), sandbox(0), created(0), started(0), exited(0, 1), created(1)];
    let seen = folded(&events);
    assert_eq!((seen.history("m").next(), seen.history("m").next_attempt()), (None, 3));
    let past = seen.history("m").past().expect("lost");
    assert_eq!((past.lost, past.attempt), (true, 2));
}

#[test]
fn what_ended_in_an_older_sandbox_is_known_from_the_api_alone() {
    let end = |code| crate::status::Terminated { code, ..Default::default() };
    let running = said(State::Running { since: Now(3) }, 1);
    let Event::Said { mut status, at } = running else { unreachable!() };
    status.mains[0].last = Some(end(7));
    let shown = folded(&[Event::Said { status, at }, sandbox(1), created(1), started(1)]);
    let ended = folded(&[said(State::Terminated(end(7)), 0), sandbox(1), created(1), started(1)]);
    for seen in [shown, ended] {
        let past = seen.history("m").past().expect("the instance before the one that lives");
        assert_eq!((past.attempt, past.terminated.code, past.walk), (0, 7, None));
        assert_eq!(seen.history("m").live().map(|live| live.attempt), Some(1));
    }
}

#[test]
fn a_start_that_overtakes_a_discard_is_of_the_container_that_was_created() {
    let discard = Event::Asked { what: Do::Discard { instance: instance(0) }, at: Now(3) };
    let seen = folded(&[sandbox(0), created(0), discard, started(0)]);
    assert_eq!(seen.history("m").live().map(|live| live.id.as_str()), Some("abc"));
}

#[test]
fn what_was_created_ahead_and_died_waiting_is_not_made_ahead_again() {
    let message = "it died before it was started, with exit code 137".to_owned();
    let died =
        Event::StartFailed { instance: instance(0), failure: crate::event::StartFailure::Create, message, at: Now(3) };
    let seen = folded(&[sandbox(0), created(0), died]);
    let coming = seen.history("m").coming().expect("its turn is still to come");
    assert_eq!((coming.not_ahead, &coming.tried, &coming.stage), (true, &None, &Stage::Idle));
}

#[test]
fn why_a_container_is_stopped_stands_once_it_is_written_down() {
    let retired = |reason| Event::Retired { instance: instance(0), reason, at: Now(6) };
    let reasons = [StopReason::Changed, StopReason::Liveness].map(retired);
    let [first, second] = reasons;
    let seen = folded(&[sandbox(0), created(0), started(0), first, second, exited(0, 0)]);
    assert_eq!(seen.history("m").past().and_then(|past| past.retired), Some(StopReason::Changed));
    let seen = folded(&[sandbox(0), created(0), started(0), exited(0, 0), retired(StopReason::Changed)]);
    assert_eq!(seen.history("m").past().and_then(|past| past.retired), None, "that end was its own");
}
