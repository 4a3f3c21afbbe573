//! What every verb owes its user, whatever it does.

use std::os::unix::fs::symlink;
use std::time::Duration;

use serde_json::Value;

use super::FL;
use super::program::{clean, fl, run, start, text, write};
use super::server::{Server, answer, closed};

const VERBS: [&str; 5] = ["wait", "fetch", "expose", "run-once", "render"];

#[test]
fn every_help_page_ends_with_the_exit_codes() {
    for arguments in VERBS.map(|verb| vec![verb, "--help"]).into_iter().chain([vec!["--help"]]) {
        let ended = run(clean(FL, &arguments)).with(0);
        for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "124 ", "126 ", "127 ", "128+n "] {
            assert!(ended.printed.lines().any(|line| line.starts_with(&format!("  {code}"))), "{arguments:?}: {code}");
        }
    }
}

#[test]
fn a_link_named_after_a_verb_acts_as_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let link = dir.path().join("wait");
    symlink(FL, &link).expect("linked");
    run(clean(text(&link), &["dns:localhost"])).with(0);
}

#[test]
fn a_flag_comes_from_the_command_line_or_from_its_variable() {
    let target = format!("tcp://{}", closed());
    let mut command = fl(["wait", &target]);
    command.env("FIRSTLIGHT_WAIT_TIMEOUT", "300ms");
    assert!(run(command).with(124).took < Duration::from_secs(3));
    let mut command = fl(["wait", &target, "--timeout", "300ms"]);
    command.env("FIRSTLIGHT_WAIT_TIMEOUT", "1h");
    run(command).with(124);
    let mut command = fl(["wait", &target]);
    command.env("FIRSTLIGHT_WAIT_ONCE", "true");
    run(command).with(3);
}

#[test]
fn a_variable_that_no_flag_owns_is_refused_on_every_verb() {
    let arguments = [
        vec!["wait", "dns:localhost"],
        vec!["fetch", "file:/etc/hostname", "--to", "/tmp/fl-never-written"],
        vec!["expose", "--item", "a=/b", "--ready-when", "exists"],
        vec!["run-once", "a", "--dir", "/tmp/fl-never-made", "--", "true"],
        vec!["render", "/a:/b"],
    ];
    for arguments in arguments {
        let mut command = clean(FL, &arguments);
        command.env("FIRSTLIGHT_WAIT_TIMOUT", "1s");
        let ended = run(command).with(2);
        assert!(ended.said.contains("did you mean FIRSTLIGHT_WAIT_TIMEOUT"), "{}", ended.said);
    }
}

#[test]
fn a_value_can_be_in_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let rule = dir.path().join("rule");
    write(&rule, ".id==\"x y\"\n");
    let server = Server::fixed(answer("200 OK", "", b"{\"id\":\"x y\"}"));
    run(fl(["wait", "--once", &server.url("/"), "--expect-json", &format!("@{}", text(&rule))])).with(0);
    run(fl(["wait", "--once", "@/no/such/file"])).with(2);
}

/// The termination message a run leaves.
fn message(arguments: &[&str]) -> (i32, Value) {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("termination-log");
    let mut command = clean(FL, &arguments[..1]);
    command.arg("--termination-log").arg(&log).args(&arguments[1..]);
    let ended = run(command);
    let text = std::fs::read_to_string(&log).expect("written");
    assert!(text.len() <= 4096);
    (ended.code, serde_json::from_str(&text).expect("JSON"))
}

#[test]
fn the_termination_message_says_how_it_ended_good_or_bad() {
    let target = format!("tcp://{}", closed());
    let (code, bad) = message(&["wait", &target, "--timeout", "300ms", "--step", "gate"]);
    assert_eq!((code, &bad["code"], &bad["verb"], &bad["step"]), (124, &124.into(), &"wait".into(), &"gate".into()));
    assert_eq!((&bad["reason"], &bad["target"]), (&"refused".into(), &Value::from(target)));
    assert!(bad["attempts"].as_u64().expect("a number") >= 2 && bad["hint"].is_string() && bad["seconds"].is_number());
    let (code, good) = message(&["wait", "dns:localhost"]);
    assert_eq!((code, &good["code"], &good["reason"]), (0, &0.into(), &"done".into()));
    let (code, signal) = message(&["wait", "dns:localhost", "--", "/no/such/command"]);
    assert_eq!((code, &signal["code"], &signal["reason"]), (127, &127.into(), &"not-found".into()));
}

#[test]
fn asked_to_stop_it_ends_within_a_second_with_143() {
    let dir = tempfile::tempdir().expect("a directory");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("http://{}/", silent.local_addr().expect("bound"));
    let (to, log) = (dir.path().join("to"), dir.path().join("log"));
    let runs = [
        (fl(["wait", &format!("tcp://{}", closed()), "--termination-log", text(&log)]), "waiting for"),
        (fl(["fetch", &silent, "--to", text(&to), "--termination-log", text(&log)]), ""),
        (fl(["run-once", "x", "--dir", text(dir.path()), "--termination-log", text(&log), "--", "sleep", "60"]), ""),
    ];
    for (command, said) in runs {
        let mut running = start(command);
        if said.is_empty() {
            // It says nothing before it waits; its handlers are up long before this.
            std::thread::sleep(Duration::from_millis(300));
        } else {
            running.until(said);
        }
        running.signal(15);
        let ended = running.end().with(143);
        assert!(ended.took < Duration::from_secs(1), "{:?}", ended.took);
        let message: Value = serde_json::from_slice(&std::fs::read(&log).expect("written")).expect("JSON");
        assert_eq!(message["code"], 143);
    }
}

#[test]
fn explain_and_dry_run_change_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (to, template) = (dir.path().join("to"), dir.path().join("t"));
    write(&template, "{{ a }}");
    let server = Server::fixed(answer("200 OK", "", b"x"));
    let pair = format!("{}:{}", text(&template), text(&to));
    let item = format!("a={}", text(&template));
    let runs = [
        vec!["wait".to_owned(), server.url("/")],
        vec!["fetch".into(), server.url("/"), "--to".into(), text(&to).into()],
        vec!["expose".into(), "--item".into(), item, "--ready-when".into(), "exists".into()],
        vec!["run-once".into(), "x".into(), "--dir".into(), text(dir.path()).into()],
        vec!["render".into(), pair, "--set".into(), "a=1".into()],
    ];
    for arguments in runs {
        for flag in ["--explain", "--dry-run"] {
            let mut command = fl([]);
            command.args(&arguments).arg(flag);
            if arguments[0] == "run-once" {
                command.args(["--", "touch", text(&to)]);
            }
            let ended = run(command).with(0);
            assert!(ended.said.contains("would") || arguments[0] != "render", "{}", ended.said);
            let left: Vec<_> =
                std::fs::read_dir(dir.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
            assert_eq!(left, ["t"], "{arguments:?} {flag}");
        }
    }
}

#[test]
fn secrets_come_out_nowhere_s25_e7() {
    let canary = "hunter2-canary-4711";
    let dir = tempfile::tempdir().expect("a directory");
    let (to, log, header) = (dir.path().join("to"), dir.path().join("log"), dir.path().join("header"));
    write(&header, canary);
    // A server that echoes what it was sent, in its error and in a header.
    let server = Server::new(move |request, stream| {
        let seen = format!("{} {}", request.header("authorization").unwrap_or("-"), request.path());
        super::server::send(stream, &answer("403 Forbidden", &format!("X-Echo: {seen}\r\n"), seen.as_bytes()));
    });
    let at = |user: &str, query: &str| format!("http://{user}{}/x{query}", server.address);
    let with_header = format!("Authorization: Bearer {canary}");
    let in_file = format!("X-Token: @{}", text(&header));
    let runs = [
        vec!["wait", "--once", &at(&format!("app:{canary}@"), "")].into_iter().map(str::to_owned).collect::<Vec<_>>(),
        vec![
            "wait".into(),
            "--once".into(),
            at("", &format!("?token={canary}")),
            "--expect-header".into(),
            "X-Echo: y".into(),
        ],
        vec!["fetch".into(), "--to".into(), text(&to).into(), at(&format!("app:{canary}@"), "")],
        vec!["fetch".into(), "--to".into(), text(&to).into(), at("", ""), "--header".into(), with_header.clone()],
        vec!["fetch".into(), "--to".into(), text(&to).into(), at("", ""), "--header".into(), in_file],
        vec![
            "fetch".into(),
            "--to".into(),
            text(&to).into(),
            at("", ""),
            "--header".into(),
            with_header,
            "--explain".into(),
        ],
    ];
    for arguments in runs {
        for format in ["text", "json"] {
            let mut command = fl([]);
            command.args(&arguments).args(["--log-format", format, "--termination-log", text(&log)]);
            let ended = run(command);
            let message = std::fs::read_to_string(&log).expect("written");
            let everything = format!("{}{}{message}", ended.said, ended.printed);
            assert!(!everything.contains(canary), "{arguments:?}: {everything}");
            let encoded = "YXBwOmh1bnRlcjItY2FuYXJ5LTQ3MTE=";
            assert!(!everything.contains(encoded), "{arguments:?}: {everything}");
        }
    }
}

#[test]
fn the_figures_of_a_step_are_left_in_a_file_that_the_exposer_passes_on_o1() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("metrics")).expect("made");
    let mut command = fl(["wait", "dns:localhost", "--step", "gate"]);
    command.env("FIRSTLIGHT_DIR", dir.path());
    run(command).with(0);
    let left = std::fs::read_to_string(dir.path().join("metrics/gate.prom")).expect("left");
    assert!(left.contains("firstlight_step_result_total{verb=\"wait\",step=\"gate\",code=\"0\"} 1"), "{left}");

    let item = format!("--item=a={}", text(&dir.path().join("a")));
    let address = closed().to_string();
    let mut command = fl(["expose", &item, "--listen", &address, "--dir"]);
    command.arg(dir.path());
    let mut exposer = start(command);
    exposer.until("serving");
    let to = dir.path().join("scraped");
    run(fl(["fetch", &format!("http://{address}/metrics"), "--to", text(&to)])).with(0);
    let scraped = std::fs::read_to_string(to).expect("scraped");
    assert!(left.lines().all(|line| scraped.lines().any(|found| found == line)), "{scraped}");
}
