//! What one decision does and says, and in which order (section 1.1).

use crate::pods;
use crate::world::{Turned, World};
use firstlight_pod::action::Do;
use firstlight_pod::event::Exit;
use firstlight_pod::spec::{Container, Ephemeral, Init, RestartPolicy, SourceRef, Spec, Volume, VolumeKind};
use firstlight_pod::status::State;
use firstlight_pod::{Millis, Now};
use std::collections::BTreeMap;

fn words(turned: &[Turned]) -> Vec<String> {
    turned.iter().flat_map(|turned| &turned.plan.actions).map(|action| action.what.to_string()).collect()
}

#[test]
fn syn_2_a_status_is_told_of_what_was_known_before_what_it_is_told_with_is_done() {
    let init = Init::Once(pods::container("a"));
    let mut world = World::new(pods::pod(RestartPolicy::Always, vec![init], vec![pods::container("m")]));
    let mut turned = world.begin();
    turned.extend(world.pass(Now(100)));
    turned.extend(world.exit("a", Exit::default()));
    turned.extend(world.pass(Now(200)));
    let mut starts = 0;
    for turn in &turned {
        for action in &turn.plan.actions {
            let Do::Start { instance } = &action.what else { continue };
            starts += 1;
            let mut told = turn.plan.status.inits.iter().chain(&turn.plan.status.mains);
            let told = told.find(|told| told.name == instance.container).unwrap();
            assert!(matches!(told.state, State::Waiting { .. }), "{} is told to run before it does", told.name);
        }
    }
    assert_eq!(starts, 2);
}

#[test]
fn syn_4_volumes_come_before_the_sandbox_and_that_before_any_image_with_its_secrets_read() {
    let mut spec = Spec {
        volumes: vec![Volume { name: "v".to_owned(), kind: VolumeKind::EmptyDir { memory: false, size_limit: None } }],
        pull_secrets: vec!["key".to_owned()],
        ..pods::pod(RestartPolicy::Always, Vec::new(), vec![pods::container("m")])
    };
    spec.generation = 1;
    let mut world = World::new(spec);
    world.manners.volumes = Some(("v".to_owned(), "no".to_owned()));
    let content = BTreeMap::from([(".dockerconfigjson".to_owned(), b"{}".to_vec())]);
    world.source(SourceRef::Secret("key".to_owned()), Some(content));
    let mut turned = world.begin();
    turned.extend(world.pass(Now(100)));
    assert_eq!(words(&turned), ["PrepareVolumes v"], "nothing else while a volume is missing");
    world.manners.volumes = None;
    world.manners.no_sandbox = Some("no".to_owned());
    let turned = world.pass(Now(1000));
    assert_eq!(words(&turned), ["PrepareVolumes v", "CreateSandbox 0"], "nothing else without a sandbox");
    world.manners.no_sandbox = None;
    let turned = world.pass(Now(5000));
    assert_eq!(words(&turned), ["CreateSandbox 1", "Pull m/0 m:1", "Create m/0 in sandbox 1", "Start m/0"]);
    let mut actions = turned.iter().flat_map(|turned| &turned.plan.actions);
    assert!(
        actions
            .any(|action| matches!(&action.what, Do::Pull { credentials, .. } if credentials[..] == [b"{}".to_vec()]))
    );
}

#[test]
fn syn_7_what_ends_comes_first_then_ephemeral_containers_then_inits_then_mains() {
    let stubborn = Container { startup: Some(pods::probe(Millis::secs(1), 1)), ..pods::container("m") };
    let inits = vec![Init::Sidecar(pods::container("s")), Init::Sidecar(pods::container("t"))];
    let mains = vec![pods::container("k"), stubborn, pods::container("n")];
    let mut world = World::new(pods::pod(RestartPolicy::Always, inits, mains));
    world.begin();
    world.pass(Now(100));
    // All in one moment: two mains get other images, a sidecar and a main end, and somebody looks into the pod.
    for index in [0, 1] {
        world.spec.mains[index].image = "other:1".to_owned();
    }
    world.spec.ephemerals.push(Ephemeral { container: pods::container("x"), target: None });
    let ended = ["t", "n"].map(|name| world.exited(name, Exit { code: 1, ..Exit::default() }).unwrap());
    let turned = world.happen(ended.to_vec());
    let first: Vec<String> = turned[0].plan.actions.iter().map(|action| action.what.to_string()).collect();
    assert_eq!(
        first,
        [
            "Retire k/0: its image changed",
            "Retire m/0: its image changed",
            "Pull x/0 x:1",
            "Pull t/1 t:1",
            "Pull n/1 n:1",
        ]
    );
}

#[test]
fn syn_11_the_next_step_begins_in_the_moment_in_which_the_one_before_ended() {
    let inits = vec![Init::Once(pods::container("a")), Init::Once(pods::container("b"))];
    let mut world = World::new(pods::pod(RestartPolicy::Always, inits, vec![pods::container("m")]));
    world.begin();
    world.pass(Now(12_345));
    let turned = world.exit("a", Exit::default());
    assert_eq!((turned[0].at, words(&turned)), (Now(12_345), vec!["Start b/0".to_owned()]));
    world.pass(Now(20_000));
    let turned = world.exit("b", Exit::default());
    assert_eq!((turned[0].at, words(&turned)), (Now(20_000), vec!["Start m/0".to_owned()]));
}

#[test]
fn an_ephemeral_container_is_made_to_share_the_processes_of_its_target() {
    let mut world = World::new(pods::pod(RestartPolicy::Always, Vec::new(), vec![pods::container("m")]));
    world.begin();
    world.pass(Now(100));
    for (name, target) in [("x", Some("m".to_owned())), ("y", None)] {
        world.spec.ephemerals.push(Ephemeral { container: pods::container(name), target: target.clone() });
        let mut turned = world.turns(Vec::new());
        let until = world.now.plus(Millis(100));
        turned.extend(world.pass(until));
        let made = turned.iter().flat_map(|turned| &turned.plan.actions).find_map(|action| match &action.what {
            Do::Create { launch, .. } => Some(launch.target.clone()),
            _ => None,
        });
        assert_eq!(made, Some(target), "{name}");
    }
}
