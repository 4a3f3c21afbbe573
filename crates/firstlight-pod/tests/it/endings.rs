//! How long may a container take to end, and in which order do containers end (section 2.23, upstream's
//! kuberuntime_container_test.go and kuberuntime_termination_order_test.go)?

use crate::pods;
use crate::world::{Turned, World};
use firstlight_pod::action::{Do, Signal};
use firstlight_pod::event::ProbeKind;
use firstlight_pod::spec::{Container, Init, Probe, RestartPolicy};
use firstlight_pod::status::Phase;
use firstlight_pod::{Millis, Now, Spec};

/// When each container was first sent this signal, in milliseconds after `since`.
fn signalled(turned: &[Turned], wanted: &Signal, since: Now) -> Vec<(String, u64)> {
    let mut times: Vec<(String, u64)> = Vec::new();
    for turn in turned {
        for action in &turn.plan.actions {
            if let Do::Signal { instance, signal } = &action.what
                && signal == wanted
                && !times.iter().any(|(name, _)| *name == instance.container)
            {
                times.push((instance.container.clone(), turn.at.since(since).0));
            }
        }
    }
    times
}

/// Why a container is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Deleted,
    Changed,
    Startup,
    Liveness,
}

/// After how many seconds a container that ignores its stop signal is killed; graces in seconds.
fn killed_after(pod: u64, startup: Option<u64>, liveness: Option<u64>, cause: Cause) -> u64 {
    let probe = |grace: Option<u64>| Some(Probe { grace: grace.map(Millis::secs), ..pods::probe(Millis::secs(1), 1) });
    let main = Container { startup: probe(startup), liveness: probe(liveness), ..pods::container("m") };
    let mut world =
        World::new(Spec { grace: Millis::secs(pod), ..pods::pod(RestartPolicy::Always, Vec::new(), vec![main]) });
    world.manners.stops.insert("m".to_owned(), None);
    if cause == Cause::Startup {
        world.manners.failing.insert(("m".to_owned(), ProbeKind::Startup));
    }
    let mut turned = world.begin();
    turned.extend(world.pass(Now(100)));
    match cause {
        Cause::Deleted => turned.extend(world.delete(Millis::secs(pod))),
        Cause::Changed => {
            world.spec.mains[0].image = "m:2".to_owned();
            turned.extend(world.turns(Vec::new()));
        }
        Cause::Liveness => drop(world.manners.failing.insert(("m".to_owned(), ProbeKind::Liveness))),
        Cause::Startup => {}
    }
    turned.extend(world.pass(Now(100_000)));
    let of = |signal| signalled(&turned, &signal, Now(0))[0].1;
    let lasted = of(Signal::Kill) - of(Signal::Stop);
    assert_eq!(lasted % 1000, 0, "the kill comes exactly when the grace is over");
    lasted / 1000
}

#[test]
fn t588_and_trm_3_a_probes_own_grace_counts_only_if_that_probe_is_the_reason() {
    for (pod, startup, liveness, cause, seconds) in [
        (0, None, None, Cause::Deleted, 2),
        (5, None, None, Cause::Deleted, 5),
        (5, Some(10), Some(20), Cause::Deleted, 5),
        (5, Some(10), Some(20), Cause::Changed, 5),
        (30, None, None, Cause::Liveness, 30),
        (30, None, Some(3), Cause::Liveness, 3),
        (30, None, Some(40), Cause::Liveness, 40),
        (30, Some(3), None, Cause::Liveness, 30),
        (30, None, None, Cause::Startup, 30),
        (30, Some(3), None, Cause::Startup, 3),
        (30, Some(40), None, Cause::Startup, 40),
        (30, None, Some(3), Cause::Startup, 30),
        (30, None, Some(1), Cause::Liveness, 2),
    ] {
        let came = killed_after(pod, startup, liveness, cause);
        assert_eq!(came, seconds, "pod {pod}, startup {startup:?}, liveness {liveness:?}, {cause:?}");
    }
}

/// A pod of sidecars a, b, c and a main m is deleted at 1 s; containers take this long to end.
fn deleted(grace: Millis, length: Option<u64>) -> Vec<Turned> {
    let sidecars = ["a", "b", "c"].map(|name| Init::Sidecar(pods::container(name)));
    let mut world = World::new(pods::pod(RestartPolicy::Always, sidecars.into(), vec![pods::container("m")]));
    for name in ["a", "b", "c", "m"] {
        world.manners.stops.insert(name.to_owned(), length.map(|length| (0, length)));
    }
    world.begin();
    world.pass(Now(1000));
    let mut turned = world.delete(grace);
    turned.extend(world.pass(Now(100_000)));
    assert!(world.forgotten);
    turned
}

fn named(times: &[(&str, u64)]) -> Vec<(String, u64)> {
    times.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect()
}

#[test]
fn t589_and_t590_mains_stop_at_once_and_sidecars_after_them_from_the_last_to_the_first() {
    let stops = signalled(&deleted(Millis::secs(30), Some(1000)), &Signal::Stop, Now(1000));
    assert_eq!(stops, named(&[("m", 0), ("c", 1000), ("b", 2000), ("a", 3000)]));
}

#[test]
fn t591_and_trm_10_nobody_waits_longer_than_the_grace() {
    let turned = deleted(Millis::secs(2), None);
    let stops = signalled(&turned, &Signal::Stop, Now(1000));
    assert_eq!(stops, named(&[("m", 0), ("a", 2000), ("b", 2000), ("c", 2000)]));
    let kills = signalled(&turned, &Signal::Kill, Now(1000));
    assert_eq!(kills, named(&[("m", 2000), ("a", 4000), ("b", 4000), ("c", 4000)]));
}

#[test]
fn reg_5_under_never_the_code_of_what_a_probe_ended_is_judged_as_any_other() {
    for (code, phase) in [(0, Phase::Succeeded), (143, Phase::Failed)] {
        let main = Container { liveness: Some(pods::probe(Millis::secs(1), 1)), ..pods::container("m") };
        let mut world = World::new(pods::pod(RestartPolicy::Never, Vec::new(), vec![main]));
        world.manners.stops.insert("m".to_owned(), Some((code, 10)));
        world.begin();
        world.pass(Now(100));
        world.manners.failing.insert(("m".to_owned(), ProbeKind::Liveness));
        world.pass(Now(10_000));
        assert_eq!((world.api.phase, world.api.mains[0].restart_count), (phase, 0));
    }
}

#[test]
fn ini_15_an_init_may_take_as_long_as_it_likes() {
    let spec = pods::pod(RestartPolicy::Never, vec![Init::Once(pods::container("a"))], vec![pods::container("m")]);
    let mut world = World::new(spec);
    world.begin();
    world.pass(Now(1000));
    let turned = world.pass(Now(366 * 24 * 3600 * 1000));
    assert!(turned.iter().all(|turned| turned.plan.actions.is_empty()));
    assert!(world.processes.contains_key("a"));
    assert_eq!(world.api.phase, Phase::Pending);
}
