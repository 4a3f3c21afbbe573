//! What of a status stays from one engine to the next, and from one phase to the next (section 2.20)?

use crate::pods;
use crate::stories::describe;
use crate::world::World;
use firstlight_pod::event::{Exit, Instance};
use firstlight_pod::spec::{Init, RestartPolicy, SourceRef};
use firstlight_pod::status::{ContainerStatus, Phase, State, Terminated};
use firstlight_pod::{Event, Millis, Now, Seen, Spec, Status, decide};
use std::collections::BTreeMap;

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
        Event::Created { instance: instance(), id: "m-1".to_owned(), image_id: String::new(), user: None, at: Now(2) },
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

/// A pod of two mains that runs, and whose next engine finds no record of the first one.
fn forgotten(restart: RestartPolicy) -> World {
    let mut world = World::new(pods::pod(restart, Vec::new(), vec![pods::container("m"), pods::container("n")]));
    world.begin();
    world.pass(Now(100));
    assert!(world.api.mains[0].ready);
    world.processes.remove("m");
    world.laws.never_started("m");
    let of_m = |event: &Event| match event {
        Event::Created { instance, .. } | Event::Starting { instance, .. } | Event::Started { instance, .. } => {
            instance.container == "m"
        }
        _ => false,
    };
    world.journal.retain(|event| !of_m(event));
    world
}

const LOST: &str = "The container could not be located when the pod was deleted.  The container used to be Running";

#[test]
fn t508_and_t522_and_sta_8_what_used_to_run_and_is_not_there_is_told_as_lost_and_counted() {
    let mut world = forgotten(RestartPolicy::Always);
    world.manners.delay = 50;
    world.begin_knowing_less();
    let ContainerStatus { state, last, ready, restart_count, .. } = &world.api.mains[0];
    let Some(last) = last else { panic!("{state:?}") };
    assert!(matches!(state, State::Waiting { reason, .. } if reason == "ContainerCreating"), "{state:?}");
    let told = (last.code, last.reason.as_str(), last.message.as_str());
    assert_eq!(told, (137, "ContainerStatusUnknown", LOST));
    assert_eq!((*ready, *restart_count), (false, 1));
    world.pass(Now(1000));
    assert!(matches!(world.api.mains[0].state, State::Running { .. }));
    assert_eq!(world.api.mains[0].restart_count, 1, "it was counted already");
}

#[test]
fn t507_and_t521_and_sta_8_of_a_pod_that_is_deleted_it_is_not_counted_and_told_as_ended_at_last() {
    let mut world = forgotten(RestartPolicy::Always);
    // Deleted while no engine is there.
    world.deletion = Some((world.now, Millis::secs(30)));
    world.laws.told(&Event::Deletion { at: world.now, grace: Millis::secs(30) });
    world.manners.stops.insert("n".to_owned(), Some((0, 1000)));
    world.begin_knowing_less();
    let ContainerStatus { state, last, ready, restart_count, .. } = &world.api.mains[0];
    assert!(matches!(state, State::Waiting { .. }), "{state:?}");
    assert_eq!(last.as_ref().map(|last| (last.code, last.message.as_str())), Some((137, LOST)));
    assert_eq!((*ready, *restart_count, world.api.phase), (false, 0, Phase::Running));
    world.pass(Now(20_000));
    let State::Terminated(ended) = &world.api.mains[0].state else { panic!("{:?}", world.api.mains[0]) };
    let words = "The container could not be located when the pod was terminated.  The container used to be Running";
    assert_eq!((ended.code, ended.message.as_str(), world.api.mains[0].restart_count), (137, words, 0));
    assert_eq!(world.api.phase, Phase::Failed);
}

#[test]
fn b4_a_container_that_runs_again_is_told_to_run_whatever_was_told_of_its_end() {
    let init = Init::Once(pods::container("a"));
    let mut world = World::new(pods::pod(RestartPolicy::OnFailure, vec![init], vec![pods::container("m")]));
    world.begin();
    world.pass(Now(100));
    world.exit("a", Exit::default());
    world.pass(Now(200));
    assert!(matches!(world.api.inits[0].state, State::Terminated(_)));
    world.sandbox_dies();
    world.pass(Now(300));
    assert!(matches!(world.api.inits[0].state, State::Running { .. }), "{:?}", world.api.inits[0]);
    world.exit("a", Exit { code: 1, ..Exit::default() });
    world.begin();
    world.pass(Now(60_000));
    assert!(matches!(world.api.inits[0].state, State::Running { .. }), "{:?}", world.api.inits[0]);
    assert_eq!(world.api.inits[0].restart_count, 2);
}

#[test]
fn con_1_a_pod_that_can_run_nowhere_says_why_and_one_that_can_is_scheduled() {
    let mut spec = pod();
    describe(&mut spec, &["volume", "v", "claim/c"]);
    let mut world = World::new(spec);
    let scheduled = |world: &World| {
        let all = &world.api.conditions;
        let found = all.iter().find(|condition| condition.kind == "PodScheduled").unwrap();
        (found.holds, found.reason.clone(), found.message.clone())
    };
    world.begin();
    world.pass(Now(100));
    let why = "0/1 nodes are available: persistentvolumeclaim \"c\" not found.";
    assert_eq!(scheduled(&world), (false, "Unschedulable".to_owned(), why.to_owned()));
    let directory = BTreeMap::from([(SourceRef::VOLUME.to_owned(), b"/claims/c".to_vec())]);
    world.source(SourceRef::Claim("c".to_owned()), Some(directory));
    world.pass(Now(200));
    assert_eq!(scheduled(&world), (true, String::new(), String::new()));
    assert_eq!(world.api.phase, Phase::Running);
}
