//! What of a status stays from one engine to the next, and from one phase to the next (section 2.20)?

use crate::pods;
use crate::world::World;
use firstlight_pod::event::{Exit, Instance};
use firstlight_pod::spec::{Init, RestartPolicy};
use firstlight_pod::status::{ContainerStatus, Phase, State, Terminated};
use firstlight_pod::{Event, Millis, Now, Seen, Spec, Status, decide};

fn pod() -> Spec {
    pods::pod(RestartPolicy::Always, Vec::new(), vec![pods::container("m")])
}

#[test]
fn t509_the_count_of_what_waits_is_kept_without_any_record_of_it() {
    let mut world = World::new(pod());
    world.begin();
    for at in [100, 200] {
        world.pass(Now(at));
        world.exit("m", Exit { code: 1, ..Exit::default() });
    }
    world.pass(Now(300));
    assert_eq!(world.api.mains[0].restart_count, 1);
    assert!(matches!(&world.api.mains[0].state, State::Waiting { reason, .. } if reason == "CrashLoopBackOff"));
    world.journal.truncate(1);
    world.begin_knowing_less();
    assert_eq!(world.api.mains[0].restart_count, 1);
}

#[test]
fn t510_and_sta_10_a_record_that_says_less_lowers_no_count() {
    let told = ContainerStatus { name: "m".to_owned(), restart_count: 3, ..running(Now(5)) };
    let said = Status { phase: Phase::Running, mains: vec![told], ..Status::default() };
    let instance = || Instance { container: "m".to_owned(), attempt: 1 };
    let mut seen = Seen::default();
    for event in [
        Event::Said { status: Box::new(said), at: Now(10) },
        Event::SandboxReady { attempt: 0, pod_ip: String::new(), host_ip: String::new(), at: Now(1) },
        Event::Created { instance: instance(), id: "m-1".to_owned(), image_id: String::new(), at: Now(2) },
        Event::Started { instance: instance(), at: Now(3) },
    ] {
        seen.fold(&event);
    }
    assert_eq!(decide(&pod(), &seen, Now(11)).status.mains[0].restart_count, 3);
}

fn running(since: Now) -> ContainerStatus {
    ContainerStatus {
        state: State::Running { since },
        container_id: "firstlight://m-3".to_owned(),
        ..Default::default()
    }
}

#[test]
fn t527_and_pha_11_reason_and_message_stay_as_long_as_the_phase() {
    let mut world = World::new(Spec { deadline: Some(Millis::secs(5)), ..pod() });
    world.begin();
    world.pass(Now(20_000));
    let said = world.api.clone();
    assert_eq!((said.phase, said.reason.as_str()), (Phase::Failed, "DeadlineExceeded"));
    world.begin();
    world.pass(Now(30_000));
    assert_eq!(world.api, said);
}

#[test]
fn t528_and_pha_11_reason_and_message_go_with_the_phase() {
    let mut world = World::new(pod());
    world.api_holds(Status { reason: "Odd".to_owned(), message: "words".to_owned(), ..Status::default() });
    world.begin();
    world.pass(Now(100));
    let Status { phase, reason, message, .. } = &world.api;
    assert_eq!((*phase, reason.as_str(), message.as_str()), (Phase::Running, "", ""));
}

#[test]
fn syn_3_a_final_status_starts_nothing() {
    for phase in [Phase::Succeeded, Phase::Failed] {
        let mut world = World::new(pod());
        world.api_holds(Status { phase, ..Status::default() });
        let mut turned = world.begin();
        turned.extend(world.pass(Now(100_000)));
        assert!(turned.iter().all(|turned| turned.plan.actions.is_empty()), "{phase:?}");
    }
}

#[test]
fn sta_5_and_msg_4_an_end_is_told_whole_of_inits_too() {
    let init = Init::Once(pods::container("a"));
    let mut world = World::new(pods::pod(RestartPolicy::Never, vec![init], vec![pods::container("m")]));
    world.begin();
    world.pass(Now(100));
    let started_at = world.processes["a"].1;
    world.exit("a", Exit { code: 3, message: "no genesis".to_owned(), ..Exit::default() });
    let ended = Terminated {
        code: 3,
        reason: "Error".to_owned(),
        message: "no genesis".to_owned(),
        started_at,
        finished_at: Now(100),
        container_id: "firstlight://a-0".to_owned(),
    };
    assert_eq!(world.api.inits[0].state, State::Terminated(ended));
}
