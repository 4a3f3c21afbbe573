//! `fl wait` against real sockets, files and servers.

use std::net::TcpListener;
use std::time::Duration;

use super::program::{Ended, fl, run, start, text, write};
use super::server::{Server, answer, closed, reset};

/// Waits for this target with a short deadline.
fn wait(target: &str) -> Ended {
    run(fl(["wait", target, "--timeout", "600ms"]))
}

#[test]
fn what_is_there_lets_through_at_once_code_0() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let dir = tempfile::tempdir().expect("a directory");
    let (file, socket) = (dir.path().join("f.json"), dir.path().join("s"));
    write(&file, "{\"id\":\"x\"}");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
    let server = Server::fixed(answer("204 No Content", "", b""));
    let all = [
        format!("tcp://127.0.0.1:{port}"),
        format!("tcp://localhost:{port}"),
        format!("unix:{}", text(&socket)),
        format!("file:{}", text(&file)),
        format!("file:{}?min-size=3", text(&file)),
        "dns:localhost".to_owned(),
        server.url("/"),
    ];
    for target in &all {
        wait(target).with(0);
    }
    let mut together = fl(["wait", "--timeout", "5s"]);
    together.args(&all);
    run(together).with(0);
}

#[test]
fn bad_usage_is_code_2_and_names_what_is_wrong() {
    let cases = [
        (vec!["wait"], "TARGET"),
        (vec!["wait", "db:5432"], "did you mean tcp://db:5432?"),
        (vec!["wait", "tcp://x:1", "--timeout", "30"], "no duration"),
        (vec!["wait", "tcp://x:1", "--expect-json", ".a=1"], ".a=1"),
        (vec!["wait", "tcp://x:1", "--expect-json", ".a==1"], "about HTTP"),
        (vec!["wait", "tcp://x:1", "--any", "k=2"], "there are 1"),
        (vec!["wait", "tcp://x:1", "--no-such-flag"], "--no-such-flag"),
        (vec!["wait", "http://2852039166/"], "neither a host name nor an address"),
        (vec!["wait", "https://x/", "--ca-file", "/no/such/file"], "--ca-file"),
    ];
    for (arguments, named) in cases {
        let ended = run(super::program::clean(super::FL, &arguments)).with(2);
        assert!(ended.said.contains(named), "{arguments:?}: {}", ended.said);
    }
}

#[test]
fn looked_at_once_and_not_there_is_code_3() {
    let ended = run(fl(["wait", "--once", &format!("tcp://{}", closed())])).with(3);
    assert_eq!(ended.reason(), "refused");
    assert!(ended.took < Duration::from_secs(2));
}

#[test]
fn what_no_try_can_cure_is_code_4() {
    assert_eq!(wait("http://169.254.169.254/latest").with(4).reason(), "forbidden");
    assert_eq!(wait("tcp://[fe80::1]:80").with(4).reason(), "forbidden");
    let allowed = run(fl(["wait", "--once", "--allow-link-local", "tcp://169.254.1.1:9"]));
    assert_ne!(allowed.code, 4);
}

#[test]
fn the_deadline_is_code_124_is_kept_and_names_target_tries_and_cause_f2_s10() {
    let target = format!("tcp://{}", closed());
    let ended = run(fl(["wait", &target, "--timeout", "1s"])).with(124);
    assert!(ended.took >= Duration::from_secs(1) && ended.took < Duration::from_millis(1500), "{:?}", ended.took);
    let last = ended.last();
    assert_eq!(last["target"], target);
    assert!(last["msg"].as_str().expect("text").contains("tries: connection refused"), "{last}");
}

#[test]
fn causes_read_differently_s10() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("http://{}/", silent.local_addr().expect("bound"));
    let broken = Server::new(|_, stream| reset(stream));
    let no_http = Server::fixed("220 smtp ready\r\n\r\n");
    let down = Server::fixed(answer("503 Service Unavailable", "", b"starting"));
    assert_eq!(wait(&format!("http://{}/", closed())).with(124).reason(), "refused");
    assert_eq!(wait(&silent).with(124).reason(), "timed-out");
    assert_eq!(wait(&broken.url("/")).with(124).reason(), "broken-off");
    assert_eq!(wait(&no_http.url("/")).with(124).reason(), "protocol");
    assert_eq!(wait(&down.url("/")).with(124).reason(), "status");
    assert_eq!(wait("file:/no/such/file").with(124).reason(), "absent");
    let unresolved = wait("tcp://no-such-name.invalid:1").with(124).reason();
    assert!(["no-name", "name-server", "timed-out"].contains(&unresolved.as_str()), "{unresolved}");
}

#[test]
fn the_gate_looks_at_the_content_s11() {
    let bodies: [&[u8]; 7] =
        [b"", b"{}", b"{\"node_id\":\"\"}", b"{\"node_id\":null}", b"{\"node_id\":\"e1", b"<html>", b"[]"];
    let server = Server::new(move |request, stream| {
        let body = bodies.get(request.number).copied().unwrap_or(b"{\"node_id\":\"e1c2\"}");
        super::server::send(stream, &answer("200 OK", "", body));
    });
    run(fl(["wait", &server.url("/node_id"), "--expect-json", ".node_id", "--timeout", "20s"])).with(0);
    assert_eq!(server.requests().len(), bodies.len() + 1);
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let server = Server::fixed(answer("302 Found", "Location: /loop\r\n", b""));
    run(fl(["wait", &server.url("/"), "--once"])).with(0);
    run(fl(["wait", &server.url("/"), "--once", "--expect-status", "200"])).with(3);
    assert!(server.requests().iter().all(|request| request.path() == "/"));
}

#[test]
fn a_server_that_says_slow_down_is_not_hammered() {
    let server = Server::fixed(answer("429 Too Many Requests", "Retry-After: 1\r\n", b""));
    run(fl(["wait", &server.url("/"), "--timeout", "2500ms"])).with(124);
    assert!(server.requests().len() <= 4, "{}", server.requests().len());
}

#[test]
fn several_targets_are_waited_for_side_by_side_and_any_k_of_n_are_enough() {
    let up = Server::fixed(answer("200 OK", "", b""));
    let down = format!("tcp://{}", closed());
    run(fl(["wait", &up.url("/"), &down, "--any", "k=1", "--timeout", "5s"])).with(0);
    let ended = run(fl(["wait", &up.url("/"), &down, "--timeout", "500ms"])).with(124);
    assert!(ended.last()["msg"].as_str().expect("text").contains("1 of 2 are there"));
}

#[test]
fn a_target_that_went_away_again_does_not_count() {
    // The first target answers well once only; the second comes up after that.
    let flaky = Server::new(|request, stream| {
        let status = if request.number == 0 { "200 OK" } else { "500 Gone" };
        super::server::send(stream, &answer(status, "", b""));
    });
    let late = Server::new(|request, stream| {
        let status = if request.number < 3 { "500 Not Yet" } else { "200 OK" };
        super::server::send(stream, &answer(status, "", b""));
    });
    let ended = run(fl(["wait", &flaky.url("/"), &late.url("/"), "--timeout", "2s"])).with(124);
    assert_eq!(ended.last()["target"], flaky.url("/"));
}

#[test]
fn a_port_that_opens_late_is_seen_soon() {
    let address = closed();
    let waiting = start(fl(["wait", &format!("tcp://{address}"), "--timeout", "20s"]));
    std::thread::sleep(Duration::from_millis(700));
    let listener = TcpListener::bind(address).expect("the port is free");
    let ended = waiting.end().with(0);
    drop(listener);
    // Half a second at most between tries; the rest is a busy machine.
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}

#[test]
fn the_wait_becomes_the_command_and_its_code() {
    let ended = run(fl(["wait", "dns:localhost", "--", "sh", "-c", "echo done; exit 7"])).with(7);
    assert_eq!(ended.printed, "done\n");
    run(fl(["wait", "dns:localhost", "--", "/no/such/command"])).with(127);
    run(fl(["wait", "dns:localhost", "--", "/etc/passwd"])).with(126);
}

#[test]
fn a_long_wait_is_few_lines_and_every_line_is_json() {
    let target = format!("tcp://{}", closed());
    let ended = run(fl(["wait", &target, "--timeout", "3s", "--log-format", "json"])).with(124);
    let lines: Vec<serde_json::Value> =
        ended.said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "{}", ended.said);
    assert!(lines.iter().all(|line| line["verb"] == "wait" && line["step"] == "wait" && line["ts"].is_string()));
    assert_eq!((ended.printed.as_str(), lines[0]["reason"].as_str()), ("", Some("refused")));
}
