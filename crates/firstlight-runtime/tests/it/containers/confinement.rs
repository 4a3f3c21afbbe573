//! What a container's processes may do, seen from inside.

use super::world::read;
use super::{script, with_world};
use firstlight_pod::Launch;
use firstlight_pod::spec::Security;
use firstlight_runtime::session::ExecOptions;
use rustix::thread::CapabilitySet;

/// What the kernel says about a process's powers.
const POWERS: &str = "grep -E '^(Uid|Gid|Groups|Cap[A-Z][a-z]+|NoNewPrivs|Seccomp):' /proc/self/status";

fn with(security: Security, text: &str) -> Launch {
    Launch { security, ..script(text) }
}

fn powers(of: &str, field: &str) -> String {
    let line = of.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':')).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn decision_5a_a_process_run_by_exec_has_exactly_the_containers_powers() {
    with_world(async |world| {
        world.sandbox().await;
        let variants = [
            ("plain", Security::default()),
            ("user", Security { user: Some(1000), group: Some(50), groups: vec![7, 8], ..Security::default() }),
            ("locked", Security { no_new_privs: true, user: Some(1000), ..Security::default() }),
            ("few", Security { drop_capabilities: vec!["ALL".to_owned()], ..Security::default() }),
            ("more", Security { add_capabilities: vec!["NET_ADMIN".to_owned()], ..Security::default() }),
        ];
        for (name, security) in variants {
            world.start(name, with(security, &format!("exec 2>&1; {POWERS}; sleep 1000"))).await;
            let options = ExecOptions {
                command: ["/bin/sh", "-c", POWERS].map(str::to_owned).to_vec(),
                stdout: true,
                ..ExecOptions::default()
            };
            let session = world.runtime().exec(&world.pod, name, options).await.unwrap();
            let inside = read(session.stdout.unwrap()).await;
            assert_eq!(session.exit.await.unwrap(), 0);
            let mut log = world.log(name).await;
            while log.lines().count() < inside.lines().count() {
                tokio::task::yield_now().await;
                log = world.log(name).await;
            }
            assert_eq!(inside, log, "{name}");
            assert_eq!(powers(&inside, "Seccomp"), "2", "{name}");
            assert_eq!(powers(&inside, "CapInh"), "0000000000000000", "{name}");
            assert_eq!(powers(&inside, "CapAmb"), "0000000000000000", "{name}");
            assert_eq!(powers(&inside, "NoNewPrivs"), if name == "locked" { "1" } else { "0" });
        }
        let user = world.log("user").await;
        assert_eq!(powers(&user, "Uid"), "1000 1000 1000 1000");
        assert_eq!(powers(&user, "Gid"), "50 50 50 50");
        assert_eq!(powers(&user, "Groups"), "7 8");
        assert_eq!(powers(&user, "CapEff"), "0000000000000000");
        assert_eq!(powers(&world.log("few").await, "CapBnd"), "0000000000000000");
        assert_eq!(powers(&world.log("more").await, "CapEff").len(), 16);
    });
}

#[test]
fn sec_3_no_program_gains_privileges_where_escalation_is_not_allowed() {
    with_world(async |world| {
        world.sandbox().await;
        for (name, no_new_privs, expected) in [("free", false, "0"), ("locked", true, "1")] {
            let security = Security { no_new_privs, user: Some(1000), ..Security::default() };
            let (_, log) = world.run(name, with(security, POWERS)).await;
            assert_eq!(powers(&log, "NoNewPrivs"), expected, "{name}");
        }
    });
}

#[test]
fn res_7_the_kernel_knows_how_willing_it_may_be() {
    with_world(async |world| {
        world.sandbox().await;
        // Going below one's own takes a power of the engine's that not every machine gives its root.
        let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
        let may = rustix::thread::capabilities(None).unwrap().effective.contains(CapabilitySet::SYS_RESOURCE);
        let guaranteed = if may { -997 } else { own };
        for (name, asked, oom_score) in
            [("guaranteed", -997, guaranteed), ("burstable", 500, 500), ("best-effort", 1000, 1000)]
        {
            let text = "cat /proc/self/oom_score_adj; sleep 1000";
            world.start(name, Launch { oom_score: asked, ..script(text) }).await;
            let options = ExecOptions {
                command: ["cat", "/proc/self/oom_score_adj"].map(str::to_owned).to_vec(),
                stdout: true,
                ..ExecOptions::default()
            };
            let session = world.runtime().exec(&world.pod, name, options).await.unwrap();
            assert_eq!(read(session.stdout.unwrap()).await, format!("{oom_score}\n"), "run by exec");
            while world.log(name).await.is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(world.log(name).await, format!("{oom_score}\n"));
        }
    });
}

#[test]
fn signals_are_neither_ignored_nor_blocked_in_a_new_program() {
    with_world(async |world| {
        world.sandbox().await;
        assert_eq!(world.run("pipe", script("yes | head -n 1")).await.1, "y\n");
        let command = ["grep", "^Sig", "/proc/self/status"].map(str::to_owned).to_vec();
        let (_, log) = world.run("c", Launch { command, ..script("") }).await;
        assert_eq!(powers(&log, "SigIgn"), "0000000000000000");
        assert_eq!(powers(&log, "SigBlk"), "0000000000000000");
    });
}

#[test]
fn s1_no_descriptor_of_the_host_reaches_a_container() {
    with_world(async |world| {
        let log = world.prints(script("ls -l /proc/self/fd | grep -o '[0-9]* -> .*'")).await;
        let open: Vec<&str> = log.lines().filter(|l| !l.contains("/proc/")).collect();
        assert_eq!(open.len(), 3, "{log}");
        assert_eq!(open[0], "0 -> /dev/null");
        assert!(open[1..].iter().all(|l| l.contains("pipe:")), "{log}");
    });
}

#[test]
fn s2_the_program_a_shim_runs_from_cannot_be_written_to() {
    with_world(async |world| {
        world.sandbox().await;
        // Those of other tests may be gone by the time they are looked at; ours is not.
        let open = |pid: i32| std::fs::File::open(format!("/proc/{pid}/exe")).ok();
        let programs: Vec<_> = world.pids("__pod").into_iter().filter_map(open).collect();
        assert!(!programs.is_empty());
        for exe in programs {
            let seals = rustix::fs::fcntl_get_seals(&exe).unwrap();
            assert!(seals.contains(rustix::fs::SealFlags::WRITE | rustix::fs::SealFlags::SEAL), "{seals:?}");
        }
    });
}

#[test]
fn s16_the_kernels_depths_are_closed() {
    with_world(async |world| {
        world.sandbox().await;
        for (name, text) in [
            ("mount", "mount -t tmpfs x /mnt"),
            ("namespace", "unshare -m true"),
            ("sysctl", "echo 1 > /proc/sys/kernel/sysrq"),
            ("sysfs", "echo 1 > /sys/kernel/profiling"),
            ("kcore", "head -c 1 /proc/kcore | grep ."),
            ("disk", "mknod /disk b $(cat /sys/class/block/*/dev | head -n 1 | busybox tr : ' ') && head -c 1 /disk"),
            ("hostname", "busybox hostname other"),
        ] {
            let (exit, log) = world.run(name, script(&format!("busybox mkdir -p /mnt; {text}"))).await;
            assert_ne!(exit.code, 0, "{name}: {log}");
        }
    });
}

#[test]
fn devices_that_every_container_has() {
    with_world(async |world| {
        let text =
            "exec 2>&1; head -c 1 /dev/urandom > /dev/null; echo x > /dev/full; ls -d /dev/fd/0 /dev/pts/ptmx /dev/shm";
        let log = world.prints(script(text)).await;
        assert_eq!(log, "sh: write error: No space left on device\n/dev/fd/0\n/dev/pts/ptmx\n/dev/shm\n");
    });
}

#[test]
fn s30_a_container_cannot_have_endless_processes() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        let name = format!("{}/c-0/pids.max", world.pod.uid);
        let limit = std::fs::read_dir("/sys/fs/cgroup/pids/firstlight")
            .or_else(|_| std::fs::read_dir("/sys/fs/cgroup/firstlight"))
            .unwrap()
            .flatten()
            .find_map(|engine| std::fs::read_to_string(engine.path().join(&name)).ok());
        assert_eq!(limit.as_deref(), Some("4096\n"));
    });
}

#[test]
fn a_user_other_than_root_may_open_its_own_output_by_name() {
    with_world(async |world| {
        let security = Security { user: Some(1000), ..Security::default() };
        assert_eq!(
            world.prints(with(security, "echo by name > /dev/stdout; id -u; echo $HOME")).await,
            "by name\n1000\n/home/web\n"
        );
    });
}
