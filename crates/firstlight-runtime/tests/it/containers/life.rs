//! From create to exit.

use super::world::{instance, mount, read, soon};
use super::{script, with_world};
use firstlight_pod::action::Signal;
use firstlight_pod::event::StartFailure;
use firstlight_pod::spec::{Mount, Resources, Security};
use firstlight_pod::{Do, Event, Launch};
use firstlight_runtime::logs::LogOptions;

#[test]
fn a_container_runs_to_its_end_and_its_log_is_complete_by_then() {
    with_world(async |world| {
        world.sandbox().await;
        let (exit, log) = world.run("c", script("echo out; echo err >&2; exit 3")).await;
        assert_eq!((exit.code, exit.oom, exit.unknown), (3, false, false));
        assert_eq!(exit.id.len(), 64);
        assert!(exit.started_at <= exit.finished_at);
        let mut lines: Vec<&str> = log.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["err", "out"]);
    });
}

#[test]
fn sta_7_death_by_signal_is_128_and_its_number() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        world.ask(Do::Signal { instance: instance("c"), signal: Signal::Kill }).await;
        assert_eq!(world.exit("c").await.code, 137);
    });
}

#[test]
fn a_created_container_does_nothing_until_it_is_started() {
    with_world(async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        let launch = |text: &str| firstlight_pod::Launch { mounts: vec![mount("v", "/v")], ..script(text) };
        let first = world.create(&instance("main"), launch("touch /v/ran")).await;
        assert!(matches!(first, Event::Created { .. }));
        // Another container runs from beginning to end meanwhile, and sees that it has not.
        assert_eq!(world.run("init", launch("ls /v")).await.1, "");
        world.ask(Do::Start { instance: instance("main") }).await;
        assert_eq!(world.exit("main").await.code, 0);
        assert_eq!(world.run("after", launch("ls /v")).await.1, "ran\n");
    });
}

#[test]
fn a_program_an_init_puts_into_a_volume_can_be_what_runs_next() {
    with_world(async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        let mounts = vec![mount("v", "/v")];
        let main = firstlight_pod::Launch {
            command: vec!["/v/sh".to_owned(), "-c".to_owned(), "echo $0 runs".to_owned()],
            mounts: mounts.clone(),
            ..script("")
        };
        assert!(matches!(world.create(&instance("main"), main).await, Event::Created { .. }));
        let init = firstlight_pod::Launch { mounts, ..script("cat /bin/busybox > /v/sh; busybox chmod 755 /v/sh") };
        assert_eq!(world.run("init", init).await.0.code, 0);
        world.ask(Do::Start { instance: instance("main") }).await;
        assert_eq!(world.exit("main").await.code, 0);
        assert_eq!(world.log("main").await, "/v/sh runs\n");
    });
}

#[test]
fn a_program_that_is_not_there_fails_the_start_in_the_runtimes_words() {
    with_world(async |world| {
        world.sandbox().await;
        for (container, command, words) in [
            ("a", "nothing", "exec: \"nothing\": executable file not found in $PATH"),
            ("b", "/no/such", "exec: \"/no/such\": no such file or directory"),
            ("c", "/etc/passwd", "exec: \"/etc/passwd\": permission denied"),
        ] {
            let launch = firstlight_pod::Launch { command: vec![command.to_owned()], ..script("") };
            assert!(matches!(world.create(&instance(container), launch).await, Event::Created { .. }));
            world.ask(Do::Start { instance: instance(container) }).await;
            match world.event().await {
                Event::StartFailed { failure: StartFailure::Run, message, .. } => {
                    assert_eq!(message, format!("unable to start container process: {words}"));
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn what_cannot_be_created_says_why() {
    with_world(async |world| {
        world.sandbox().await;
        let unknown = firstlight_pod::Launch { mounts: vec![mount("nothing", "/v")], ..script("") };
        match world.create(&instance("a"), unknown).await {
            Event::StartFailed { failure: StartFailure::Create, message, .. } => {
                assert!(message.starts_with("mounting /v"), "{message}");
            }
            other => panic!("{other:?}"),
        }
        let root = Security { non_root: true, ..Security::default() };
        match world.create(&instance("b"), firstlight_pod::Launch { security: root, ..script("") }).await {
            Event::StartFailed { failure: StartFailure::Config, message, .. } => {
                assert!(message.starts_with("container has runAsNonRoot and image will run as root"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn what_could_not_be_created_can_be_under_the_same_number_once_its_cause_is_gone() {
    with_world(async |world| {
        world.sandbox().await;
        let late = || firstlight_pod::Launch { mounts: vec![mount("late", "/v")], ..script("echo made") };
        let first = world.create(&instance("a"), late()).await;
        assert!(matches!(first, Event::StartFailed { failure: StartFailure::Create, .. }), "{first:?}");
        world.volumes(&["late"]).await;
        assert_eq!(world.run("a", late()).await.1, "made\n");
    });
}

#[test]
fn msg_1_the_last_word_is_told_and_bounded() {
    with_world(async |world| {
        world.sandbox().await;
        let text = "yes word | head -c 5000 > /dev/termination-log";
        let (exit, _) = world.run("c", script(text)).await;
        assert_eq!(exit.message.len(), 4096);
        assert!(exit.message.starts_with("word\n"));
    });
}

#[test]
fn msg_3_a_failure_without_a_last_word_may_take_it_from_the_log() {
    with_world(async |world| {
        world.sandbox().await;
        let fallback = |text| firstlight_pod::Launch { termination_message_from_log: true, ..script(text) };
        assert_eq!(world.run("a", fallback("echo why; exit 1")).await.0.message, "why\n");
        assert_eq!(world.run("b", fallback("echo fine")).await.0.message, "");
        assert_eq!(world.run("c", script("echo why; exit 1")).await.0.message, "");
    });
}

#[test]
fn env_14_the_environment_is_the_images_the_containers_and_the_pods() {
    with_world(async |world| {
        let launch = firstlight_pod::Launch {
            env: vec![("OWN".to_owned(), "a b\nc".to_owned())],
            ..script("echo \"$FROM|$OWN|$HOSTNAME|$HOME|$(busybox pwd)|$(busybox hostname)\"")
        };
        assert_eq!(world.prints(launch).await, "image|a b\nc|pod|/root|/work|pod\n");
    });
}

#[test]
fn sbx_10_containers_of_a_pod_share_volumes_names_and_addresses() {
    with_world(async |world| {
        let address = world.sandbox().await;
        world.volumes(&["v"]).await;
        let with = |text: &str| firstlight_pod::Launch { mounts: vec![mount("v", "/deep/er/v")], ..script(text) };
        assert_eq!(world.run("a", with("echo hello > /deep/er/v/file")).await.0.code, 0);
        let text =
            "cat /deep/er/v/file; grep -c $HOSTNAME /etc/hosts; busybox ip -4 addr show eth0 | grep -o 'inet [0-9.]*'";
        assert_eq!(world.run("b", with(text)).await.1, format!("hello\n1\ninet {address}\n"));
    });
}

#[test]
fn vol_9_a_part_of_a_volume_is_mounted_late() {
    with_world(async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        let part = Mount { sub_path: "some/part".to_owned(), ..mount("v", "/part") };
        let launch = firstlight_pod::Launch { mounts: vec![part], ..script("echo x > /part/file") };
        let ask = Do::Create { instance: instance("c"), sandbox: 0, launch: Box::new(launch.clone()), ahead: true };
        world.ask(ask).await;
        assert!(matches!(world.event().await, Event::NotAhead { .. }));
        assert_eq!(world.run("c", launch).await.0.code, 0);
        let whole = firstlight_pod::Launch { mounts: vec![mount("v", "/v")], ..script("cat /v/some/part/file") };
        assert_eq!(world.run("d", whole).await.1, "x\n");
    });
}

#[test]
fn an_image_that_is_not_here_is_not_created_ahead() {
    with_world(async |world| {
        world.sandbox().await;
        let launch = Box::new(firstlight_pod::Launch { image: "localhost/other".to_owned(), ..script("") });
        world.ask(Do::Create { instance: instance("c"), sandbox: 0, launch, ahead: true }).await;
        assert_eq!(world.event().await, Event::NotAhead { instance: instance("c") });
    });
}

#[test]
fn a_discarded_container_never_ran_and_can_be_made_anew() {
    with_world(async |world| {
        world.sandbox().await;
        world.create(&instance("c"), script("echo the discarded one ran")).await;
        world.ask(Do::Discard { instance: instance("c") }).await;
        assert_eq!(world.event().await, Event::Discarded { instance: instance("c") });
        // A start that was on its way when it was discarded starts nothing.
        world.ask(Do::Start { instance: instance("c") }).await;
        assert_eq!(world.run("c", script("echo made anew")).await.1, "made anew\n");
    });
}

#[test]
fn e5_saying_it_twice_changes_nothing() {
    with_world(async |world| {
        world.sandbox().await;
        let identity = Default::default();
        world
            .ask(Do::CreateSandbox { attempt: 0, identity, sysctls: Default::default(), share_processes: false })
            .await;
        let create = || Do::Create {
            instance: instance("c"),
            sandbox: 0,
            launch: Box::new(script("echo once; sleep 1000")),
            ahead: false,
        };
        world.ask(create()).await;
        world.ask(create()).await;
        assert!(matches!(world.event().await, Event::Created { .. }));
        world.ask(Do::Start { instance: instance("c") }).await;
        world.ask(Do::Start { instance: instance("c") }).await;
        world.ask(create()).await;
        assert!(matches!(world.event().await, Event::Started { .. }));
        world.ask(Do::Signal { instance: instance("c"), signal: Signal::Kill }).await;
        world.ask(Do::Signal { instance: instance("c"), signal: Signal::Kill }).await;
        assert!(matches!(world.event().await, Event::Exited { .. }));
        world.ask(Do::RemoveSandbox { attempt: 0 }).await;
        world.ask(Do::RemoveSandbox { attempt: 0 }).await;
        assert!(matches!(world.event().await, Event::SandboxGone { attempt: 0, .. }));
    });
}

#[test]
fn trm_5_a_stop_is_a_request_that_the_program_may_answer() {
    for (own, name) in [(None, "TERM"), (Some("SIGUSR1".to_owned()), "USR1")] {
        with_world(async |world| {
            world.sandbox().await;
            let text = format!("trap 'echo bye; exit 7' {name}; echo ready; while :; do sleep 0.01; done");
            world.start("c", Launch { stop_signal: own, ..script(&text) }).await;
            // The trap is set before this is printed.
            let follow = LogOptions { follow: true, limit: Some(6), ..LogOptions::default() };
            let log = world.runtime().logs(&world.pod, "c", follow).await.unwrap();
            assert_eq!(soon(read(log)).await, "ready\n");
            world.ask(Do::Signal { instance: instance("c"), signal: Signal::Stop }).await;
            assert_eq!(world.exit("c").await.code, 7);
            assert_eq!(world.log("c").await, "ready\nbye\n");
        });
    }
}

#[test]
fn row_43_what_a_container_leaves_running_ends_with_it() {
    with_world(async |world| {
        world.sandbox().await;
        let mark = format!("98765{}", std::process::id());
        let text = format!("for i in 1 2 3 4 5; do (busybox setsid sleep {mark} &) ; done");
        world.run("c", script(&text)).await;
        assert!(world.pids(&mark).is_empty());
    });
}

#[test]
fn row_22_a_main_process_killed_for_memory_says_so() {
    with_world(async |world| {
        world.sandbox().await;
        let resources = Resources { memory_limit: Some(16 << 20), ..Resources::default() };
        let launch = firstlight_pod::Launch { resources, ..script("exec tail /dev/zero") };
        let (exit, _) = world.run("c", launch).await;
        assert_eq!((exit.code, exit.oom), (137, true));
        let child = firstlight_pod::Launch { resources, ..script("tail /dev/zero; exit 0") };
        let (exit, _) = world.run("child", child).await;
        assert_eq!((exit.code, exit.oom), (0, false));
    });
}

#[test]
fn a_root_that_may_only_be_read_still_has_its_volumes() {
    with_world(async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        let security = Security { read_only_root: true, ..Security::default() };
        let launch = firstlight_pod::Launch {
            security,
            mounts: vec![mount("v", "/new/place")],
            ..script("touch /new/place/x && ! touch /y && ! touch /etc/hosts && echo ok")
        };
        let (_, log) = world.run("c", launch).await;
        assert!(log.lines().any(|line| line == "ok"), "{log}");
    });
}

#[test]
fn what_one_container_writes_to_its_root_no_other_sees() {
    with_world(async |world| {
        world.sandbox().await;
        world.run("a", script("echo x > /bin/new")).await;
        let (exit, log) = world.run("b", script("ls /bin/new")).await;
        assert_eq!(exit.code, 1, "{log}");
    });
}

#[test]
fn a_sandbox_that_is_removed_takes_everything_with_it() {
    with_world(async |world| {
        world.sandbox().await;
        let mark = format!("87654{}", std::process::id());
        world.start("c", script(&format!("trap '' TERM; sleep {mark}"))).await;
        world.create(&instance("created"), script("")).await;
        world.ask(Do::RemoveSandbox { attempt: 0 }).await;
        let gone = world
            .until(|event| match event {
                Event::SandboxGone { attempt, .. } => Some(attempt),
                _ => None,
            })
            .await;
        assert_eq!(gone, 0);
        assert!(world.pids(&mark).is_empty());
        world.ask(Do::Forget).await;
        let dir = world.config.data.join("pods").join(&world.pod.uid);
        soon(async {
            while dir.exists() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    });
}

#[test]
fn a_container_sees_the_processes_of_its_target_which_must_run() {
    with_world(async |world| {
        world.sandbox().await;
        let look = || Launch { target: Some("main".to_owned()), ..script("ps") };
        let refused = world.create(&instance("early"), look()).await;
        let Event::StartFailed { failure: StartFailure::Create, message, .. } = refused else { panic!("{refused:?}") };
        assert!(message.contains("\"main\" does not run"), "{message}");
        world.start("main", script("sleep 4712")).await;
        let (exit, log) = world.run("look", look()).await;
        assert!(exit.code == 0 && log.contains("sleep 4712"), "{log}");
        let (exit, log) = world.run("other", script("ps")).await;
        assert!(exit.code == 0 && !log.contains("sleep 4712"), "{log}");
    });
}

#[test]
fn sbx_8_what_is_in_a_volume_on_disk_outlives_its_sandbox() {
    with_world(async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        let launch = |text: &str| Launch { mounts: vec![mount("v", "/v")], ..script(text) };
        assert_eq!(world.run("first", launch("echo kept > /v/file")).await.0.code, 0);
        world.ask(Do::RemoveSandbox { attempt: 0 }).await;
        world.until(|event| matches!(event, Event::SandboxGone { attempt: 0, .. }).then_some(())).await;
        world.sandbox_of(1).await;
        // Volumes are asked for again, as a new engine would.
        world.volumes(&["v"]).await;
        let second = instance("second");
        let (instance, launch) = (second.clone(), Box::new(launch("cat /v/file")));
        world.ask(Do::Create { instance, sandbox: 1, launch, ahead: false }).await;
        assert!(matches!(world.event().await, Event::Created { .. }));
        world.ask(Do::Start { instance: second }).await;
        assert_eq!(world.exit("second").await.code, 0);
        assert_eq!(world.log("second").await, "kept\n");
    });
}

#[test]
fn kre_8_and_9_logs_of_one_instance_before_stay_and_older_ones_go() {
    with_world(async |world| {
        world.sandbox().await;
        let logs = world.config.data.join("logs");
        for attempt in 0..4 {
            let again = firstlight_pod::event::Instance { container: "c".to_owned(), attempt };
            let launch = Box::new(script(&format!("echo {attempt}")));
            world.ask(Do::Create { instance: again.clone(), sandbox: 0, launch, ahead: false }).await;
            assert!(matches!(world.event().await, Event::Created { .. }));
            world.ask(Do::Start { instance: again }).await;
            assert_eq!(world.exit("c").await.code, 0);
        }
        let pod = std::fs::read_dir(&logs).unwrap().next().unwrap().unwrap().path();
        let names = || {
            let entries = std::fs::read_dir(pod.join("c")).unwrap();
            let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        soon(async {
            while names() != ["2.log", "3.log"] {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(world.log("c").await, "3\n");
        let previous = LogOptions { previous: true, ..LogOptions::default() };
        let log = world.runtime().logs(&world.pod, "c", previous).await.unwrap();
        assert_eq!(read(log).await, "2\n");
    });
}

#[test]
fn t595_and_kre_8_what_nobody_watches_over_is_ended_and_only_then_removed() {
    with_world(async |world| {
        world.sandbox().await;
        let mark = format!("54321{}", std::process::id());
        world.start("c", script(&format!("sleep {mark}"))).await;
        let pod = world.pod.uid.clone();
        let layer = world.config.data.join(format!("pods/{pod}/sandbox-0/containers/c-0"));
        let stray = world.config.data.join("logs/default_gone_1234");
        std::fs::create_dir_all(&stray).unwrap();
        assert!(layer.exists());
        let recovered = world
            .restart_engine(|world| {
                for pid in super::survival::shims(world) {
                    let _ = rustix::process::kill_process(
                        rustix::process::Pid::from_raw(pid).unwrap(),
                        rustix::process::Signal::KILL,
                    );
                }
            })
            .await;
        let ended = |event: &Event| matches!(event, Event::Exited { exit, .. } if exit.unknown);
        assert!(recovered[0].events.iter().any(ended), "{:?}", recovered[0].events);
        assert!(world.pids(&mark).is_empty(), "what is removed does not run");
        soon(async {
            while layer.exists() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(!stray.exists(), "logs of a pod that is gone go (T594)");
        let own = world.config.data.join(format!("logs/{}_{}_{pod}", world.pod.namespace, world.pod.name));
        assert!(own.exists(), "and no others");
    });
}

#[test]
fn who_a_container_runs_as_is_told_as_its_image_and_its_pod_have_it() {
    with_world(async |world| {
        world.sandbox().await;
        let security = Security { user: Some(1000), group: Some(2000), groups: vec![3000], ..Security::default() };
        let created = world.create(&instance("c"), Launch { security, ..script("id") }).await;
        let Event::Created { user: Some(user), .. } = created else { panic!("{created:?}") };
        assert_eq!((user.uid, user.gid, user.groups), (1000, 2000, vec![3000]));
    });
}
