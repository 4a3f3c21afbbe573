//! Random lives: any pod, any disturbance, in a world that is fair. The laws hold all the way, and once deletion is asked
//! for the pod comes to its end.

use crate::pods;
use crate::world::World;
use firstlight_pod::event::{Exit, Hook, ImageFailure, ProbeKind, StartFailure};
use firstlight_pod::spec::{
    Container, EnvValue, EnvVar, Ephemeral, Handler, Init, Projection, RestartPolicy, RestartRule, RuleAction,
    SourceRef, Spec, Volume, VolumeKind,
};
use firstlight_pod::{Millis, Now};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Something that happens to a pod.
#[derive(Debug, Clone)]
enum Fate {
    Exits(usize, i32, bool),
    EngineRestarts,
    Reboots,
    SandboxDies,
    Probes(usize, ProbeKind, bool),
    HookFails(usize, Hook, bool),
    HookHangs(usize, Hook),
    ImageRefused(usize, bool),
    CreateRefused(usize, StartFailure),
    Stops(usize, Option<(i32, u64)>),
    Starts(usize, u64),
    SandboxRefused,
    DiskStops,
    DiskWrites,
    Mends,
    SourceSet(bool),
    ImageChanges(usize),
    Debugged(bool),
    Deleted(u64),
}

fn policies() -> impl Strategy<Value = RestartPolicy> {
    prop_oneof![Just(RestartPolicy::Always), Just(RestartPolicy::OnFailure), Just(RestartPolicy::Never)]
}

fn containers(name: &'static str) -> impl Strategy<Value = Container> {
    let rules = vec((vec(0_i32..3, 1..3), any::<bool>(), proptest::bool::weighted(0.3)), 0..2);
    (any::<[bool; 8]>(), proptest::option::weighted(0.4, policies()), rules).prop_map(
        move |([post, pre, startup, liveness, readiness, env, always, sub_path], restart, rules)| {
            let hook = |wanted: bool| wanted.then(|| Handler::Exec(vec!["hook".to_owned()]));
            let probe = |wanted: bool| wanted.then(|| pods::probe(Millis::secs(5), 2));
            let mut container = pods::container(name);
            container.post_start = hook(post && pre);
            container.pre_stop = hook(pre);
            container.startup = probe(startup && liveness);
            container.liveness = probe(liveness && readiness);
            container.readiness = probe(readiness);
            container.restart = restart;
            container.restart_rules = rules
                .into_iter()
                .map(|(codes, listed, all)| {
                    let action = if all { RuleAction::RestartAllContainers } else { RuleAction::Restart };
                    RestartRule { action, codes, listed }
                })
                .collect();
            if env && always {
                let value = EnvValue::Key {
                    source: SourceRef::ConfigMap("c".to_owned()),
                    key: "k".to_owned(),
                    optional: sub_path,
                };
                container.env.push(EnvVar { name: "K".to_owned(), value });
            }
            if always && sub_path {
                container.pull = firstlight_pod::spec::PullPolicy::Always;
            }
            container
        },
    )
}

fn inits() -> impl Strategy<Value = Vec<Init>> {
    let one = |name: &'static str| {
        (containers(name), any::<bool>()).prop_map(|(container, sidecar)| {
            if sidecar {
                return Init::Sidecar(Container { restart: Some(RestartPolicy::Always), ..container });
            }
            // A regular init has neither hooks nor probes (VAL-6), and its policy is not Always.
            Init::Once(Container {
                post_start: None,
                pre_stop: None,
                startup: None,
                liveness: None,
                readiness: None,
                restart: container.restart.filter(|policy| *policy != RestartPolicy::Always),
                ..container
            })
        })
    };
    (one("a"), one("b"), one("c"), 0_usize..=3).prop_map(|(a, b, c, count)| {
        let mut inits = vec![a, b, c];
        inits.truncate(count);
        inits
    })
}

fn specs() -> impl Strategy<Value = Spec> {
    let mains = (containers("m"), containers("n"), 1_usize..=2).prop_map(|(m, n, count)| {
        let mut mains = vec![m, n];
        mains.truncate(count);
        mains
    });
    (policies(), inits(), mains, 0_u64..40, any::<bool>(), proptest::option::weighted(0.2, 1_u64..100)).prop_map(
        |(restart, inits, mains, grace, volume, deadline)| {
            let mut spec = pods::pod(restart, inits, mains);
            spec.grace = Millis::secs(grace);
            spec.deadline = deadline.map(Millis::secs);
            if volume {
                let projection = Projection::Source {
                    source: SourceRef::ConfigMap("c".to_owned()),
                    items: Vec::new(),
                    optional: false,
                };
                spec.volumes.push(Volume {
                    name: "v".to_owned(),
                    kind: VolumeKind::Files { projections: vec![projection], default_mode: 0o644, memory: false },
                });
            }
            spec
        },
    )
}

fn fates() -> impl Strategy<Value = Fate> {
    let which = 0_usize..6;
    let kind = prop_oneof![Just(ProbeKind::Startup), Just(ProbeKind::Liveness), Just(ProbeKind::Readiness)];
    let hook = prop_oneof![Just(Hook::PostStart), Just(Hook::PreStop)];
    let step = prop_oneof![Just(StartFailure::Config), Just(StartFailure::Create), Just(StartFailure::Run)];
    // Not at all, well or badly, soon or late.
    let stops = prop_oneof![Just(None), (0_i32..2, prop_oneof![Just(10_u64), Just(5_000)]).prop_map(Some)];
    prop_oneof![
        12 => (which.clone(), 0_i32..3, proptest::bool::weighted(0.1)).prop_map(|(i, code, oom)| Fate::Exits(i, code, oom)),
        2 => Just(Fate::EngineRestarts),
        1 => Just(Fate::Reboots),
        1 => Just(Fate::SandboxDies),
        2 => (which.clone(), kind, any::<bool>()).prop_map(|(i, kind, fails)| Fate::Probes(i, kind, fails)),
        1 => (which.clone(), hook.clone(), any::<bool>()).prop_map(|(i, hook, fails)| Fate::HookFails(i, hook, fails)),
        1 => (which.clone(), hook).prop_map(|(i, hook)| Fate::HookHangs(i, hook)),
        1 => (which.clone(), any::<bool>()).prop_map(|(i, never)| Fate::ImageRefused(i, never)),
        1 => (which.clone(), step).prop_map(|(i, step)| Fate::CreateRefused(i, step)),
        1 => (which.clone(), stops).prop_map(|(i, end)| Fate::Stops(i, end)),
        2 => (which.clone(), 1_u64..200).prop_map(|(i, long)| Fate::Starts(i, long)),
        1 => Just(Fate::SandboxRefused),
        1 => Just(Fate::DiskStops),
        2 => Just(Fate::DiskWrites),
        3 => Just(Fate::Mends),
        3 => any::<bool>().prop_map(Fate::SourceSet),
        1 => which.prop_map(Fate::ImageChanges),
        1 => any::<bool>().prop_map(Fate::Debugged),
        1 => (0_u64..20).prop_map(Fate::Deleted),
    ]
}

/// Between two fates: as long as probes, back-offs and graces take, or as short as what the runtime does, so that one
/// fate falls into what another began.
fn pauses() -> impl Strategy<Value = u64> {
    prop_oneof![2 => 0_u64..20_000, 1 => 0_u64..100]
}

/// What delays a pod without making a container of it fail.
fn kind_fates() -> impl Strategy<Value = Fate> {
    let which = 0_usize..5;
    prop_oneof![
        Just(Fate::EngineRestarts),
        any::<bool>().prop_map(Fate::SourceSet),
        which.clone().prop_map(|i| Fate::CreateRefused(i, StartFailure::Create)),
        (which, any::<bool>()).prop_map(|(i, never)| Fate::ImageRefused(i, never)),
    ]
}

const NAMES: [&str; 6] = ["a", "b", "c", "m", "n", "e"];

fn befall(world: &mut World, fate: &Fate) {
    let name = |index: &usize| NAMES[*index].to_owned();
    let manners = &mut world.manners;
    match fate {
        Fate::Exits(index, code, oom) => {
            world.exit(NAMES[*index], Exit { code: *code, oom: *oom, ..Exit::default() });
        }
        Fate::EngineRestarts => drop(world.begin()),
        Fate::Reboots => drop(world.reboot()),
        Fate::SandboxDies => drop(world.sandbox_dies()),
        Fate::Probes(index, kind, true) => drop(manners.failing.insert((name(index), *kind))),
        Fate::Probes(index, kind, false) => drop(manners.failing.remove(&(name(index), *kind))),
        Fate::HookFails(index, hook, true) => drop(manners.hooks.insert((name(index), *hook), Some("no".to_owned()))),
        Fate::HookFails(index, hook, false) => drop(manners.hooks.remove(&(name(index), *hook))),
        Fate::HookHangs(index, hook) => drop(manners.hooks.insert((name(index), *hook), None)),
        Fate::ImageRefused(index, never) => {
            let failure = if *never { ImageFailure::NeverPull } else { ImageFailure::Pull };
            manners.images.insert(format!("{}:1", name(index)), (failure, "no".to_owned()));
        }
        Fate::CreateRefused(index, step) => drop(manners.refused.insert(name(index), (*step, "no".to_owned()))),
        Fate::Stops(index, end) => drop(manners.stops.insert(name(index), *end)),
        Fate::Starts(index, long) => drop(manners.starts.insert(name(index), *long)),
        Fate::DiskStops => world.manners.disk_stopped = true,
        Fate::DiskWrites => drop(world.disk_goes_on()),
        Fate::SandboxRefused => manners.no_sandbox = Some("no".to_owned()),
        Fate::Mends => {
            manners.images.clear();
            manners.refused.clear();
            manners.failing.clear();
            manners.hooks.clear();
            manners.no_sandbox = None;
        }
        Fate::SourceSet(there) => {
            let content = there.then(|| BTreeMap::from([("k".to_owned(), world.now.0.to_string().into_bytes())]));
            world.source(SourceRef::ConfigMap("c".to_owned()), content);
        }
        Fate::ImageChanges(index) => {
            let of_init = world.spec.inits.iter_mut().map(|init| match init {
                Init::Once(container) | Init::Sidecar(container) => container,
            });
            if let Some(container) = of_init.chain(&mut world.spec.mains).find(|c| c.name == NAMES[*index]) {
                container.image = format!("{}:2", container.name);
            }
            world.turns(Vec::new());
        }
        Fate::Debugged(targets) => {
            if world.spec.ephemerals.is_empty() {
                let target = targets.then(|| "m".to_owned());
                world.spec.ephemerals.push(Ephemeral { container: pods::container("e"), target });
                world.turns(Vec::new());
            }
        }
        Fate::Deleted(grace) => drop(world.delete(Millis::secs(*grace))),
    }
}

/// Lives a life to its end.
fn live(spec: Spec, delay: u64, life: &[(u64, Fate)]) -> World {
    let mut world = World::new(spec);
    world.manners.delay = delay;
    world.begin();
    for (pause, fate) in life {
        let until = world.now.plus(Millis(*pause));
        world.pass(until);
        if world.forgotten {
            return world;
        }
        befall(&mut world, fate);
    }
    world
}

/// `LIVES=50000` lives more of them.
fn config() -> ProptestConfig {
    let cases = std::env::var("LIVES").ok().and_then(|lives| lives.parse().ok()).unwrap_or(1500);
    ProptestConfig { cases, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_deleted_pod_comes_to_its_end(
        spec in specs(),
        delay in 1_u64..50,
        life in vec((pauses(), fates()), 0..25),
    ) {
        let mut world = live(spec, delay, &life);
        if !world.forgotten {
            world.disk_goes_on();
            world.delete(Millis::secs(10));
            // Grace, floors and one hook's time, and the answers to what is under way.
            let until = world.now.plus(Millis::secs(120));
            world.pass(until);
        }
        prop_assert!(world.forgotten, "{:?}", world.seen);
    }

    #[test]
    fn a_pod_whose_containers_end_well_succeeds(
        spec in specs(),
        delay in 1_u64..50,
        life in vec((pauses(), kind_fates()), 0..10),
    ) {
        let mains = spec.mains.into_iter().map(|main| Container { restart: None, ..main }).collect();
        let restart = match spec.restart {
            RestartPolicy::Always | RestartPolicy::OnFailure => RestartPolicy::OnFailure,
            RestartPolicy::Never => RestartPolicy::Never,
        };
        // A rule may have an init that ends well restart everything, for ever.
        let inits = spec.inits.into_iter().map(|init| match init {
            Init::Once(container) => Init::Once(Container { restart: None, ..container }),
            Init::Sidecar(container) => Init::Sidecar(container),
        });
        let spec = Spec { inits: inits.collect(), mains, restart, deadline: None, ..spec };
        let mut world = World::new(spec);
        world.manners.delay = delay;
        for init in world.spec.inits.clone() {
            if let Init::Once(container) = init {
                world.manners.runs.insert(container.name, (3000, 0));
            }
        }
        for main in world.spec.mains.clone() {
            world.manners.runs.insert(main.name, (60_000, 0));
        }
        world.begin();
        for (pause, fate) in &life {
            let until = world.now.plus(Millis(*pause));
            world.pass(until);
            befall(&mut world, fate);
        }
        befall(&mut world, &Fate::Mends);
        befall(&mut world, &Fate::SourceSet(true));
        let until = world.now.plus(Millis::secs(1000));
        world.pass(until);
        prop_assert_eq!(world.api.phase.as_str(), "Succeeded", "{:?}", world.api);
    }
}

#[test]
fn time_passes_in_a_world_where_nothing_happens() {
    let mut world = live(pods::pod(RestartPolicy::Always, Vec::new(), vec![pods::container("m")]), 1, &[]);
    world.pass(Now(1000));
    assert_eq!(world.api.phase.as_str(), "Running");
}
