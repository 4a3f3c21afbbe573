//! Pods whose containers share their processes (SEC-8).

use super::world::{World, instance, read};
use super::{script, with_world};
use firstlight_pod::action::Signal;
use firstlight_pod::spec::{Identity, Security};
use firstlight_pod::{Do, Event, Launch};
use firstlight_runtime::session::ExecOptions;
use rustix::process::{Pid, Signal as KernelSignal};
use std::time::{Duration, Instant};

async fn shared_sandbox(world: &mut World) {
    let identity = Identity { hostname: "pod".to_owned(), ..Identity::default() };
    let sysctls = Default::default();
    world.ask(Do::CreateSandbox { attempt: 0, identity, sysctls, share_processes: true }).await;
    let ready = world.event().await;
    assert!(matches!(ready, Event::SandboxReady { .. }), "{ready:?}");
}

/// What a command run in a container prints.
async fn inside(world: &World, container: &str, command: &str) -> String {
    let command = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    let options = ExecOptions { command, stdout: true, ..ExecOptions::default() };
    let session = world.runtime().exec(&world.pod, container, options).await.unwrap();
    let printed = read(session.stdout.unwrap()).await;
    session.exit.await.unwrap();
    printed
}

/// The processes of the pod, as the kernel groups them.
fn of_pod(world: &World) -> Vec<i32> {
    let dirs = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = dirs.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let group = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    pids.filter(|pid| group(pid).contains(&format!("/{}/", world.pod.uid))).collect()
}

#[test]
fn sec_8_containers_see_and_signal_each_other_and_an_init_is_no_exception() {
    with_world(async |world| {
        shared_sandbox(world).await;
        let (_, log) =
            world.run("init", script("[ $$ -gt 1 ] && echo not the first; cat /proc/1/status | head -n 1")).await;
        assert_eq!(log.lines().next(), Some("not the first"));
        world.start("web", script("trap 'echo hangs up' HUP; echo $$; while :; do sleep 0.1; done")).await;
        while world.log("web").await.is_empty() {
            tokio::task::yield_now().await;
        }
        let pid = world.log("web").await.trim().to_owned();
        assert_eq!(world.run("side", script(&format!("kill -HUP {pid} && echo sent"))).await.1, "sent\n");
        while world.log("web").await.lines().count() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.log("web").await, format!("{pid}\nhangs up\n"));
        assert_ne!(inside(world, "web", "busybox ps | grep -c 'sleep'").await, "0\n", "exec sees them too");
    });
}

#[test]
fn sec_8_what_a_container_leaves_running_ends_with_it_and_the_others_go_on() {
    with_world(async |world| {
        shared_sandbox(world).await;
        world.start("stays", script("sleep 1000.5 & wait")).await;
        world.start("leaves", script("sleep 1000.75 & sleep 1000.75 & echo up; exec sleep 0.3")).await;
        assert_eq!(world.exit("leaves").await.code, 0);
        assert_eq!(world.pids("1000.75"), [] as [i32; 0], "no orphan is left");
        while world.pids("1000.5").len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.run("next", script("echo made after it")).await.1, "made after it\n");
        world.ask(Do::Signal { instance: instance("stays"), signal: Signal::Kill }).await;
        assert_eq!(world.exit("stays").await.code, 137);
        assert_eq!(world.pids("1000.5"), [] as [i32; 0], "killed whole");
    });
}

#[test]
fn sec_8_and_s16_who_may_trace_finds_nothing_behind_the_first_process() {
    with_world(async |world| {
        shared_sandbox(world).await;
        let security = Security { add_capabilities: vec!["SYS_PTRACE".to_owned()], ..Security::default() };
        let text = "ls -a /proc/1/root/ /proc/1/root/.. | grep -v '^/proc\\|^\\.*$'; ls /proc/1/fd | busybox tr '\\n' ' '; echo; \
                    grep -E '^(Uid|Gid|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/1/status";
        let (_, log) = world.run("tracer", Launch { security, ..script(text) }).await;
        let words = log.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = "0 1 2 Uid: 65535 65535 65535 65535 Gid: 65535 65535 65535 65535 CapPrm: 0000000000000000 \
                        CapEff: 0000000000000000 CapBnd: 0000000000000000 CapAmb: 0000000000000000 NoNewPrivs: 1 Seccomp: 2";
        assert_eq!(words, expected);
    });
}

#[test]
fn e4_with_its_shim_the_process_that_held_all_together_ends() {
    with_world(async |world| {
        shared_sandbox(world).await;
        world.start("c", script("sleep 1000.25")).await;
        // Its shim, the process that holds, and what the container runs.
        assert_eq!(of_pod(world).len(), 3);
        world.ask(Do::RemoveSandbox { attempt: 0 }).await;
        world.until(|event| matches!(event, Event::SandboxGone { .. }).then_some(())).await;
        while !of_pod(world).is_empty() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn e4_also_when_its_shim_is_killed_and_no_engine_is_there() {
    with_world(async |world| {
        shared_sandbox(world).await;
        world.start("c", script("sleep 1000.125 & wait")).await;
        world
            .restart_engine(|world| {
                let all = of_pod(world);
                let shim = all.iter().copied().find(|pid| !all.contains(&parent(*pid))).unwrap();
                rustix::process::kill_process(Pid::from_raw(shim).unwrap(), KernelSignal::KILL).unwrap();
                let until = Instant::now() + Duration::from_secs(20);
                while !of_pod(world).is_empty() {
                    assert!(Instant::now() < until, "{:?} live on", of_pod(world));
                    std::thread::yield_now();
                }
            })
            .await;
    });
}

fn parent(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    after_name.split(' ').nth(1).and_then(|ppid| ppid.parse().ok()).unwrap_or(0)
}
