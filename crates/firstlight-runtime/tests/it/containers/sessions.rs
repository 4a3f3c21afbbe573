//! Exec, attach, port-forward, probes and hooks.

use super::world::{instance, read, soon};
use super::{script, with_world};
use firstlight_pod::event::{Hook, ProbeKind};
use firstlight_pod::spec::Handler;
use firstlight_pod::{Do, Event, Launch, Millis};
use firstlight_runtime::session::{ExecOptions, SessionError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn command(text: &str) -> ExecOptions {
    let command = ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
    ExecOptions { command, stdin: true, stdout: true, stderr: true, tty: false }
}

#[test]
fn exec_connects_all_three_streams_and_tells_the_code() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        let exec = world.runtime().exec(&world.pod, "c", command("cat; echo err >&2; busybox pwd; exit 5"));
        let mut session = exec.await.unwrap();
        let mut stdin = session.stdin.take().unwrap();
        stdin.write_all(b"hello\n").await.unwrap();
        drop(stdin);
        assert_eq!(read(session.stdout.unwrap()).await, "hello\n/work\n");
        assert_eq!(read(session.stderr.unwrap()).await, "err\n");
        assert_eq!(session.exit.await, Ok(5));
    });
}

#[test]
fn exec_on_a_terminal() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        let options =
            ExecOptions { tty: true, ..command("echo ready; read line; echo got $line; [ -t 0 ] && stty size") };
        let mut session = world.runtime().exec(&world.pod, "c", options).await.unwrap();
        assert!(session.stderr.is_none());
        let mut stdout = session.stdout.take().unwrap();
        let mut seen = String::new();
        while !seen.contains("ready") {
            let mut chunk = [0; 256];
            let n = soon(stdout.read(&mut chunk)).await.unwrap();
            seen.push_str(&String::from_utf8_lossy(&chunk[..n]));
        }
        session.resize.as_ref().unwrap().send((101, 43)).await.unwrap();
        // Applied in order with what is typed only if it is applied first: the size is asked for after the line.
        soon(async {
            while size(&world.pids("echo ready; read")) != Some((43, 101)) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        session.stdin.as_mut().unwrap().write_all(b"typed\n").await.unwrap();
        let rest = soon(read(stdout)).await;
        assert!(rest.contains("got typed\r\n43 101\r\n"), "{rest:?}");
        assert_eq!(session.exit.await, Ok(0));
    });
}

/// The size of the terminal that a process has as its stdin.
fn size(pids: &[i32]) -> Option<(u16, u16)> {
    let terminal = std::fs::File::open(format!("/proc/{}/fd/0", pids.first()?)).ok()?;
    let size = rustix::termios::tcgetwinsize(&terminal).ok()?;
    Some((size.ws_row, size.ws_col))
}

#[test]
fn exec_says_why_not() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        world.create(&instance("created"), script("")).await;
        let exec = async |container: &str, options| {
            world.runtime().exec(&world.pod, container, options).await.map(drop).unwrap_err()
        };
        let missing = ExecOptions { command: vec!["nothing".to_owned()], ..ExecOptions::default() };
        let words = "exec: \"nothing\": executable file not found in $PATH";
        assert_eq!(exec("c", missing).await, SessionError::Failed(words.to_owned()));
        assert!(matches!(exec("created", command("")).await, SessionError::BadState(_)));
        assert!(matches!(exec("other", command("")).await, SessionError::NotFound(_)));
    });
}

#[test]
fn row_74_a_session_that_is_dropped_leaves_no_process() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        for tty in [false, true] {
            let mark = format!("76543{}", std::process::id());
            let options = ExecOptions { tty, ..command(&format!("sleep {mark} & sleep {mark}; true")) };
            let session = world.runtime().exec(&world.pod, "c", options).await.unwrap();
            soon(async {
                while world.pids(&mark).len() < 3 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            drop(session);
            soon(async {
                while !world.pids(&mark).is_empty() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
    });
}

#[test]
fn attach_reads_and_writes_the_main_process() {
    with_world(async |world| {
        world.sandbox().await;
        let launch =
            Launch { stdin: true, stdin_once: true, ..script("while read line; do echo got $line; done; exit 4") };
        world.start("c", launch).await;
        let options = ExecOptions { stdin: true, stdout: true, ..ExecOptions::default() };
        let mut session = world.runtime().attach(&world.pod, "c", options).await.unwrap();
        session.stdin.as_mut().unwrap().write_all(b"one\ntwo\n").await.unwrap();
        drop(session.stdin.take());
        assert_eq!(soon(read(session.stdout.unwrap())).await, "got one\ngot two\n");
        assert_eq!(session.exit.await, Ok(4));
        assert_eq!(world.exit("c").await.code, 4);
        assert_eq!(world.log("c").await, "got one\ngot two\n");
    });
}

#[test]
fn a_container_on_a_terminal_can_be_attached_to() {
    with_world(async |world| {
        world.sandbox().await;
        let launch =
            Launch { stdin: true, tty: true, ..script("[ -t 1 ] && echo $TERM; read line; echo got $line; exit 0") };
        world.start("c", launch).await;
        let options = ExecOptions { stdin: true, stdout: true, tty: true, ..ExecOptions::default() };
        let mut session = world.runtime().attach(&world.pod, "c", options).await.unwrap();
        assert!(session.resize.is_some());
        session.stdin.as_mut().unwrap().write_all(b"typed\n").await.unwrap();
        let seen = soon(read(session.stdout.unwrap())).await;
        assert!(seen.contains("got typed"), "{seen:?}");
        assert_eq!(world.exit("c").await.code, 0);
        assert!(world.log("c").await.contains("xterm"));
    });
}

#[test]
fn a_command_that_is_over_at_once_has_run_however_busy_the_machine_is() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        for _ in 0..5 {
            let execs = (0..40).map(|_| world.runtime().exec(&world.pod, "c", command("true")));
            for session in futures::future::join_all(execs).await {
                assert_eq!(session.unwrap().exit.await, Ok(0));
            }
        }
    });
}

#[test]
fn a_container_whose_attached_reader_does_not_read_goes_on() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("while [ ! -e /go ]; do sleep 0.01; done; yes | head -c 5000000")).await;
        let options = ExecOptions { stdout: true, ..ExecOptions::default() };
        let _session = world.runtime().attach(&world.pod, "c", options).await.unwrap();
        let go = world.runtime().exec(&world.pod, "c", command("touch /go")).await.unwrap();
        assert_eq!(go.exit.await, Ok(0));
        assert_eq!(world.exit("c").await.code, 0);
    });
}

#[test]
fn dial_reaches_a_port_inside_the_pod_only() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("nc -l -p 8080 -e cat")).await;
        let mut connection = soon(async {
            loop {
                match world.runtime().dial(&world.pod, 8080).await {
                    Ok(connection) => break connection,
                    Err(SessionError::Failed(_)) => tokio::task::yield_now().await,
                    Err(other) => panic!("{other}"),
                }
            }
        })
        .await;
        connection.write_all(b"ping").await.unwrap();
        let mut answer = [0; 4];
        soon(connection.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"ping");
        let refused = world.runtime().dial(&world.pod, 9).await.unwrap_err();
        assert!(refused.to_string().to_lowercase().contains("refused"), "{refused}");
    });
}

#[test]
fn probes_and_hooks_run_in_the_container_and_tell_their_output() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("sleep 1000")).await;
        let exec = |text: &str| Handler::Exec(["/bin/sh", "-c", text].map(str::to_owned).to_vec());
        let probe = |text: &str, timeout| Do::Probe {
            instance: instance("c"),
            probe: ProbeKind::Readiness,
            handler: exec(text),
            timeout: Millis(timeout),
        };
        let hook = |text: &str| Do::Hook {
            instance: instance("c"),
            hook: Hook::PostStart,
            handler: exec(text),
            timeout: None,
        };
        for (ask, expected) in [
            (probe("echo fine", 60_000), Ok(())),
            (probe("echo why; exit 1", 60_000), Err("why\n".to_owned())),
            (probe("exit 3", 60_000), Err("command exited with 3".to_owned())),
            (probe("sleep 1000", 100), Err("command timed out".to_owned())),
            (hook("touch /hooked"), Ok(())),
            (hook("ls /hooked; exit 2"), Err("/hooked\n".to_owned())),
        ] {
            world.ask(ask).await;
            match world.event().await {
                Event::Probed { probe: ProbeKind::Readiness, outcome, .. } => assert_eq!(outcome, expected),
                Event::HookDone { hook: Hook::PostStart, outcome, .. } => assert_eq!(outcome, expected),
                other => panic!("{other:?}"),
            }
        }
        world
            .ask(Do::Probe {
                instance: instance("gone"),
                probe: ProbeKind::Liveness,
                handler: exec("true"),
                timeout: Millis(1000),
            })
            .await;
        assert!(matches!(world.event().await, Event::Probed { outcome: Err(_), .. }));
    });
}

#[test]
fn a_followed_log_ends_with_its_container() {
    with_world(async |world| {
        world.sandbox().await;
        world.start("c", script("while [ ! -e /go ]; do sleep 0.01; done; echo last")).await;
        let follow = firstlight_runtime::logs::LogOptions { follow: true, ..Default::default() };
        let log = world.runtime().logs(&world.pod, "c", follow).await.unwrap();
        let go = world.runtime().exec(&world.pod, "c", command("touch /go")).await.unwrap();
        assert_eq!(go.exit.await, Ok(0));
        assert_eq!(soon(read(log)).await, "last\n");
        let previous = firstlight_runtime::logs::LogOptions { previous: true, ..Default::default() };
        let error = world.runtime().logs(&world.pod, "c", previous).await.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "previous terminated container \"c\" in pod \"pod\" not found");
    });
}
