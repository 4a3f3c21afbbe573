//! What outlives what: the engine is killed, shims are killed, both are.

use super::world::{World, instance};
use super::{script, with_world};
use firstlight_pod::action::Signal;
use firstlight_pod::event::StopReason;
use firstlight_pod::{Do, Event};
use rustix::process::{Pid, Signal as Kernel, kill_process};

fn kill(pids: &[i32]) {
    for pid in pids {
        // One that is gone meanwhile is as good as killed.
        let _ = kill_process(Pid::from_raw(*pid).unwrap(), Kernel::KILL);
    }
}

/// The shims of this world's pod.
pub(super) fn shims(world: &World) -> Vec<i32> {
    let dir = world.config.run.display().to_string();
    let writes = |pid: &i32| {
        std::fs::read_link(format!("/proc/{pid}/fd/2")).is_ok_and(|words| words.display().to_string().starts_with(&dir))
    };
    world.pids("__pod").into_iter().filter(writes).collect()
}

fn words(events: &[Event]) -> Vec<String> {
    let of = |name: &str, instance: &firstlight_pod::event::Instance| format!("{name} {}", instance.container);
    events
        .iter()
        .map(|event| match event {
            Event::SandboxReady { .. } => "ready".to_owned(),
            Event::Created { instance, .. } => of("created", instance),
            Event::Starting { instance, .. } => of("starting", instance),
            Event::Started { instance, .. } => of("started", instance),
            Event::Exited { instance, exit } => format!("{} {}", of("exited", instance), exit.code),
            Event::Retired { instance, reason, .. } => format!("{}: {reason}", of("retired", instance)),
            Event::RestartAll { walk, because, .. } => of(&format!("walk {walk} because of"), because),
            Event::SandboxGone { .. } => "gone".to_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn kre_1_containers_go_on_without_an_engine_and_the_next_one_learns_everything() {
    with_world(async |world| {
        let address = world.sandbox().await;
        world.run("init", script("exit 0")).await;
        world.start("main", script("while [ ! -e /go ]; do sleep 0.01; done; exit 42")).await;
        world.create(&instance("waiting"), script("exit 7")).await;
        let recovered = world.restart_engine(|_| ()).await;
        assert_eq!(recovered.len(), 1);
        assert_eq!(recovered[0].pod, world.pod);
        let expected = [
            "ready",
            "created init",
            "starting init",
            "started init",
            "exited init 0",
            "created main",
            "starting main",
            "started main",
            "created waiting",
        ];
        assert_eq!(words(&recovered[0].events), expected);
        assert!(matches!(&recovered[0].events[0], Event::SandboxReady { pod_ip, .. } if *pod_ip == address));
        // Saying it again to the same shim changes nothing: E3, E5.
        world.ask(Do::Start { instance: instance("init") }).await;
        world.ask(Do::Start { instance: instance("waiting") }).await;
        assert_eq!(world.exit("waiting").await.code, 7);
        let options = firstlight_runtime::session::ExecOptions {
            command: ["touch", "/go"].map(str::to_owned).to_vec(),
            ..Default::default()
        };
        let go = world.runtime().exec(&world.pod, "main", options).await.unwrap();
        assert_eq!(go.exit.await, Ok(0));
        assert_eq!(world.exit("main").await.code, 42);
    });
}

#[test]
fn what_became_of_a_sandbox_is_told_to_every_engine_until_a_newer_one_is_made() {
    with_world(async |world| {
        world.sandbox().await;
        world.run("main", script("exit 42")).await;
        world.ask(Do::RemoveSandbox { attempt: 0 }).await;
        world.until(|event| matches!(event, Event::SandboxGone { .. }).then_some(())).await;
        for _ in 0..2 {
            let recovered = world.restart_engine(|_| ()).await;
            let told = ["ready", "created main", "starting main", "started main", "exited main 42", "gone"];
            assert_eq!(words(&recovered[0].events), told);
        }
        world.sandbox_of(1).await;
        let older = world.config.data.join("pods").join(&world.pod.uid).join("sandbox-0");
        while older.exists() {
            tokio::task::yield_now().await;
        }
        let recovered = world.restart_engine(|_| ()).await;
        assert_eq!(words(&recovered[0].events), ["ready"]);
    });
}

#[test]
fn the_ends_nobody_saw_are_the_same_for_every_engine() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("main", script("sleep 1000")).await;
        let first = world.restart_engine(|world| kill(&shims(world))).await;
        let second = world.restart_engine(|_| ()).await;
        assert_eq!(words(&first[0].events).last().unwrap(), "gone");
        assert_eq!(first[0].events, second[0].events);
    });
}

#[test]
fn an_exit_while_no_engine_is_there_keeps_its_true_code() {
    with_world(async |world| {
        world.sandbox().await;
        let mark = format!("65432{}", std::process::id());
        world.start("c", script(&format!("sleep {mark}; echo after; exit 42"))).await;
        let recovered = world
            .restart_engine(|world| {
                // The shell names the mark too, and ends by itself once its sleep is killed.
                while !world.pids(&mark).is_empty() {
                    let sleep: Vec<i32> = world.pids(&mark).into_iter().filter(|pid| is_sleep(*pid)).collect();
                    kill(&sleep);
                }
            })
            .await;
        // The shim may still be writing it down when the new engine reads its journal.
        if !words(&recovered[0].events).contains(&"exited c 42".to_owned()) {
            assert_eq!(world.exit("c").await.code, 42);
        }
        assert!(world.log("c").await.lines().any(|line| line == "after"));
    });
}

fn is_sleep(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().starts_with(b"sleep")
}

#[test]
fn row_5_a_killed_shim_is_reported_and_nothing_of_its_sandbox_runs_on() {
    with_world(async |world| {
        world.sandbox().await;
        let mark = format!("54321{}", std::process::id());
        world.run("init", script("exit 0")).await;
        world.start("c", script(&format!("sleep {mark}"))).await;
        world.create(&instance("created"), script("exit 0")).await;
        kill(&shims(world));
        match world.event().await {
            Event::Exited { instance: of, exit } => {
                assert_eq!(of, instance("c"));
                assert_eq!((exit.code, exit.unknown), (255, true));
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(world.event().await, Event::SandboxGone { attempt: 0, .. }));
        assert!(world.pids(&mark).is_empty());
        // A new generation can be made at once.
        let identity = Default::default();
        world
            .ask(Do::CreateSandbox { attempt: 1, identity, sysctls: Default::default(), share_processes: false })
            .await;
        assert!(matches!(world.event().await, Event::SandboxReady { attempt: 1, .. }));
    });
}

#[test]
fn why_a_container_is_stopped_outlives_the_engine_that_stops_it() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        world.ask(Do::Retire { instance: instance("c"), reason: StopReason::Liveness }).await;
        assert!(matches!(world.event().await, Event::Retired { reason: StopReason::Liveness, .. }));
        world.ask(Do::Signal { instance: instance("c"), signal: Signal::Kill }).await;
        assert_eq!(world.exit("c").await.code, 137);
        // What has ended cannot be stopped any more: that end was its own.
        world.start("d", script("exit 3")).await;
        assert_eq!(world.exit("d").await.code, 3);
        world.ask(Do::Retire { instance: instance("d"), reason: StopReason::Changed }).await;
        let recovered = world.restart_engine(|_| ()).await;
        let expected = [
            "ready",
            "created c",
            "starting c",
            "started c",
            "retired c: its liveness probe failed",
            "exited c 137",
            "created d",
            "starting d",
            "started d",
            "exited d 3",
        ];
        assert_eq!(words(&recovered[0].events), expected);
    });
}

#[test]
fn that_all_containers_are_restarted_is_written_down_once_and_outlives_the_engine() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        for walk in [1, 1, 2, 1] {
            world.ask(Do::RestartAll { walk, because: instance("d") }).await;
        }
        for walk in [1, 2] {
            assert!(matches!(world.event().await, Event::RestartAll { walk: told, .. } if told == walk));
        }
        world.start("e", script("sleep 1000")).await;
        let recovered = world.restart_engine(|_| ()).await;
        let expected = [
            "ready",
            "created c",
            "starting c",
            "started c",
            "walk 1 because of d",
            "walk 2 because of d",
            "created e",
            "starting e",
            "started e",
        ];
        assert_eq!(words(&recovered[0].events)[..expected.len()], expected);
    });
}

#[test]
fn row_6_engine_and_shim_killed_together() {
    with_world(async |world| {
        world.sandbox().await;
        let mark = format!("43210{}", std::process::id());
        world.start("c", script(&format!("sleep {mark}"))).await;
        let recovered = world.restart_engine(|world| kill(&shims(world))).await;
        let expected = ["ready", "created c", "starting c", "started c", "exited c 255", "gone"];
        assert_eq!(words(&recovered[0].events), expected);
        assert!(world.pids(&mark).is_empty());
    });
}

#[test]
fn row_2_an_engine_killed_again_and_again_changes_nothing() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        let first = world.restart_engine(|_| ()).await;
        for _ in 0..5 {
            assert_eq!(world.restart_engine(|_| ()).await, first);
        }
        world.ask(Do::Signal { instance: instance("c"), signal: Signal::Kill }).await;
        assert_eq!(world.exit("c").await.code, 137);
    });
}

#[test]
fn row_9_two_engines_never_share_a_data_directory() {
    with_world(async |world| {
        let error = firstlight_runtime::Runtime::start(world.config.clone()).await.map(drop).unwrap_err();
        assert!(error.to_string().starts_with("another engine uses"), "{error}");
        let error = firstlight_runtime::dismantle(world.config.clone()).unwrap_err();
        assert!(error.to_string().starts_with("another engine uses"), "{error}");
    });
}

#[test]
fn a_pod_with_a_directory_and_nothing_else_is_found_too() {
    with_world(async |world| {
        world.volumes(&["v"]).await;
        let recovered = world.restart_engine(|_| ()).await;
        assert_eq!(recovered.len(), 1);
        assert_eq!((&recovered[0].pod, recovered[0].events.len()), (&world.pod, 0));
    });
}
