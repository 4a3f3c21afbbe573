//! What exactly is asked of a container by its probes and hooks, of which containers, and whose result is it?

use crate::pods;
use crate::world::{Turned, World};
use firstlight_pod::action::Do;
use firstlight_pod::event::{Exit, Hook, Instance, ProbeKind};
use firstlight_pod::spec::{Container, EnvValue, EnvVar, FieldRef, Handler, Init, Probe, RestartPolicy};
use firstlight_pod::status::{Phase, State};
use firstlight_pod::{Event, Millis, Now, Seen, Spec, decide};

fn var(name: &str, value: EnvValue) -> EnvVar {
    EnvVar { name: name.to_owned(), value }
}

fn command() -> Handler {
    Handler::Exec(["echo", "$(TEXT) $(FIELD) $(NONE) $$(TEXT)"].map(str::to_owned).to_vec())
}

/// What a pod asks of the handlers of its one main.
fn asked(main: Container) -> Vec<Do> {
    let env = vec![
        var("TEXT", EnvValue::Text("old".to_owned())),
        var("TEXT", EnvValue::Text("$(NONE) as written".to_owned())),
        var("FIELD", EnvValue::Field(FieldRef::Name)),
    ];
    let mut world = World::new(pods::pod(RestartPolicy::Always, Vec::new(), vec![Container { env, ..main }]));
    let mut turned = world.begin();
    turned.extend(world.pass(Now(100)));
    let actions = turned.into_iter().flat_map(|turned| turned.plan.actions).map(|action| action.what);
    actions.filter(|what| matches!(what, Do::Hook { .. } | Do::Probe { .. })).collect()
}

#[test]
fn hok_5_a_hooks_command_is_taken_literally() {
    let main = Container { post_start: Some(command()), ..pods::container("m") };
    assert!(matches!(&asked(main)[..], [Do::Hook { handler, .. }] if *handler == command()));
}

#[test]
fn prb_7_a_probes_command_knows_the_texts_of_env_and_nothing_from_elsewhere() {
    let probe = Probe { handler: command(), timeout: Millis(700), ..pods::probe(Millis::secs(10), 1) };
    let main = Container { liveness: Some(probe), ..pods::container("m") };
    let [Do::Probe { handler: Handler::Exec(words), timeout, .. }] = &asked(main)[..] else { panic!("one probe") };
    assert_eq!(words[..], ["echo", "$(NONE) as written  $(NONE) $(TEXT)"]);
    assert_eq!(*timeout, Millis(700));
}

#[test]
fn prb_6_a_regular_init_is_not_probed() {
    let probe = || Some(pods::probe(Millis::secs(1), 1));
    let init = Container { startup: probe(), liveness: probe(), readiness: probe(), ..pods::container("a") };
    let spec = pods::pod(RestartPolicy::Always, vec![Init::Once(init)], vec![pods::container("m")]);
    let mut world = World::new(spec);
    let mut turned = world.begin();
    turned.extend(world.pass(Now(10_000)));
    assert!(world.processes.contains_key("a"));
    let mut actions = turned.iter().flat_map(|turned| &turned.plan.actions);
    assert!(!actions.any(|action| matches!(action.what, Do::Probe { .. })));
}

#[test]
fn b7_a_result_that_comes_late_is_not_the_next_instances() {
    let main = Container { startup: Some(pods::probe(Millis::secs(1), 1)), ..pods::container("m") };
    let spec: Spec = pods::pod(RestartPolicy::Always, Vec::new(), vec![main]);
    let of = |attempt| Instance { container: "m".to_owned(), attempt };
    let mut seen = Seen::default();
    let exit = firstlight_pod::event::Exit { code: 1, finished_at: Now(4), ..Default::default() };
    for event in [
        Event::SandboxReady { attempt: 0, pod_ip: String::new(), host_ip: String::new(), at: Now(1) },
        Event::Created { instance: of(0), id: "0".to_owned(), image_id: String::new(), user: None, at: Now(2) },
        Event::Started { instance: of(0), at: Now(3) },
        Event::Exited { instance: of(0), exit },
        Event::Created { instance: of(1), id: "1".to_owned(), image_id: String::new(), user: None, at: Now(5) },
        Event::Started { instance: of(1), at: Now(6) },
        Event::Probed { instance: of(0), probe: ProbeKind::Startup, outcome: Ok(()), at: Now(7) },
    ] {
        seen.fold(&event);
    }
    assert_eq!(decide(&spec, &seen, Now(8)).status.mains[0].started, Some(false));
    seen.fold(&Event::Probed { instance: of(0), probe: ProbeKind::Startup, outcome: Err(String::new()), at: Now(9) });
    let plan = decide(&spec, &seen, Now(10));
    assert!(!plan.actions.iter().any(|action| matches!(action.what, Do::Signal { .. })));
    seen.fold(&Event::Probed { instance: of(1), probe: ProbeKind::Startup, outcome: Ok(()), at: Now(11) });
    let status = decide(&spec, &seen, Now(12)).status;
    assert_eq!((status.phase, status.mains[0].started), (Phase::Running, Some(true)));
}

/// A main whose post-start hook never ends.
fn with_a_hanging_hook() -> World {
    let main = Container { post_start: Some(command()), ..pods::container("m") };
    let mut world = World::new(pods::pod(RestartPolicy::Always, Vec::new(), vec![main]));
    world.manners.hooks.insert(("m".to_owned(), Hook::PostStart), None);
    world.begin();
    world.pass(Now(100));
    world
}

#[test]
fn hok_3_a_process_runs_before_and_while_its_hook_does_and_may_end_before_it() {
    let mut world = with_a_hanging_hook();
    assert!(world.processes.contains_key("m"), "the hook waits for nothing but the start");
    world.exit("m", Exit { code: 7, ..Exit::default() });
    world.pass(Now(200));
    assert_eq!(world.processes.get("m").map(|(attempt, _)| *attempt), Some(1), "its end counts although the hook runs");
    // The first instance's hook ends at last: that is not the second's.
    let of = Instance { container: "m".to_owned(), attempt: 0 };
    world.happen(vec![Event::HookDone { instance: of, hook: Hook::PostStart, outcome: Ok(()), at: Now(300) }]);
    assert!(matches!(world.api.mains[0].state, State::Waiting { .. }));
}

/// When a main whose pre-stop hook sleeps longer than it may is sent its stop signal, in milliseconds after the deletion.
fn stopped_after(happens: impl Fn(&mut World) -> Vec<Turned>) -> Option<u64> {
    let main = Container { pre_stop: Some(Handler::Sleep(Millis::secs(20))), ..pods::container("m") };
    let mut world = World::new(pods::pod(RestartPolicy::Always, Vec::new(), vec![main]));
    world.manners.hooks.insert(("m".to_owned(), Hook::PreStop), None);
    world.begin();
    world.pass(Now(100));
    let mut turned = world.delete(Millis::secs(30));
    turned.extend(world.pass(Now(5_100)));
    turned.extend(happens(&mut world));
    turned.extend(world.pass(Now(100_000)));
    assert!(world.forgotten);
    let stops = |turn: &&Turned| turn.plan.actions.iter().any(|action| matches!(action.what, Do::Signal { .. }));
    turned.iter().find(stops).map(|turn| turn.at.since(Now(100)).0)
}

#[test]
fn hok_6_a_sleep_ends_with_its_container_and_with_the_grace() {
    assert_eq!(stopped_after(|_| Vec::new()), Some(30_000), "it may take all of the grace, and no more");
    assert_eq!(stopped_after(|world| world.delete(Millis::secs(4))), Some(9_000), "the grace was made shorter");
    assert_eq!(stopped_after(|world| world.exit("m", Exit::default())), None, "there is nothing left to stop");
}

#[test]
fn prb_8_an_engine_that_takes_over_does_not_try_every_probe_at_once() {
    let probed = |name: &str| Container { readiness: Some(pods::probe(Millis::secs(10), 1)), ..pods::container(name) };
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut world = World::new(pods::pod(RestartPolicy::Always, Vec::new(), names.map(probed).to_vec()));
    let first_tries = |turned: Vec<Turned>| {
        let mut tries = std::collections::BTreeMap::new();
        for turn in turned {
            for action in turn.plan.actions {
                if let Do::Probe { instance, .. } = action.what {
                    tries.entry(instance.container).or_insert(turn.at.0);
                }
            }
        }
        tries
    };
    let mut turned = world.begin();
    turned.extend(world.pass(Now(100)));
    assert!(first_tries(turned).values().all(|at| *at < 100), "what starts is tried at once");
    world.pass(Now(60_000));
    let mut turned = world.begin();
    turned.extend(world.pass(Now(75_000)));
    let tries = first_tries(turned);
    let moments: std::collections::BTreeSet<u64> = tries.values().copied().collect();
    assert_eq!((tries.len(), moments.len()), (6, 6), "each in a moment of its own: {tries:?}");
    assert!(moments.iter().all(|at| (60_000..70_000).contains(at)), "within one period: {tries:?}");
}
