//! `fl fetch` against servers that do everything wrong that servers do.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use sha2::{Digest, Sha256};

use super::program::{Ended, fl, run, start, text, until, write};
use super::server::{Request, Server, answer, closed, reset, send};

const GENESIS: &[u8] = b"{\"chain_id\":\"c\",\"big\":9007199254740993,  \"odd\" : 1e21}\n";

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The header in which a server announces what its bytes are.
fn announced(bytes: &[u8]) -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes));
    format!("Repr-Digest: sha-256=:{digest}:\r\nETag: \"{}\"\r\n", hex(bytes))
}

/// A place to fetch to, and what lies there afterwards.
struct Place {
    _dir: tempfile::TempDir,
    to: PathBuf,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        let to = dir.path().join("config/genesis.json");
        Place { _dir: dir, to }
    }

    fn fetch(&self, source: &str, more: &[&str]) -> Ended {
        let mut command = fl(["fetch", source, "--to", text(&self.to)]);
        command.args(more);
        run(command)
    }

    fn content(&self) -> Option<Vec<u8>> {
        std::fs::read(&self.to).ok()
    }

    /// Every name in the directory.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.to.parent().expect("a parent"))
            .map(|entries| entries.flatten().map(|entry| entry.file_name().into_string().expect("text")).collect())
            .unwrap_or_default();
        names.sort();
        names
    }
}

#[test]
fn bytes_arrive_as_they_are_and_a_second_run_asks_nobody_s15() {
    let server = Server::fixed(answer("200 OK", &announced(GENESIS), GENESIS));
    let place = Place::new();
    let sha256 = format!("--sha256={}", hex(GENESIS));
    place.fetch(&server.url("/genesis"), &[&sha256]).with(0);
    assert_eq!(place.content().as_deref(), Some(GENESIS));
    let mode = std::fs::metadata(&place.to).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(place.names(), [".genesis.json.fl-fetched", "genesis.json"]);
    place.fetch(&server.url("/genesis"), &[&sha256]).with(0);
    place.fetch(&server.url("/genesis"), &["--verify=always"]).with(0);
    assert_eq!(server.connections(), 1);
    // What was changed here is fetched again.
    write(&place.to, "other");
    place.fetch(&server.url("/genesis"), &[]).with(0);
    assert_eq!((server.connections(), place.content().as_deref()), (2, Some(GENESIS)));
}

/// An answer by one of the ways in which an exposer, a proxy or a network goes wrong.
fn bad(behaviour: &str, stream: &mut std::net::TcpStream) {
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    let half = &GENESIS[..GENESIS.len() / 2];
    let mut flipped = GENESIS.to_vec();
    flipped[20] ^= 1;
    let other = GENESIS.iter().map(|byte| if *byte == b'c' { b'd' } else { *byte }).collect::<Vec<u8>>();
    match behaviour {
        "500 with a JSON body" => send(stream, &answer("500 Oops", "", b"{\"code\":2}")),
        "502 of a proxy" => send(stream, &answer("502 Bad Gateway", "", b"<html>bad gateway</html>")),
        "503 for ever" => send(stream, &answer("503 Service Unavailable", "", b"")),
        "404" => send(stream, &answer("404 Not Found", "", b"{}")),
        "403" => send(stream, &answer("403 Forbidden", "", b"")),
        "cut short against its length" => send(stream, &[head(GENESIS.len()), half.to_vec()].concat()),
        "cut short within a chunk" => {
            let start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n";
            send(stream, &[&start[..], half].concat());
        }
        "cut short without a length" => send(stream, &[&b"HTTP/1.0 200 OK\r\n\r\n"[..], half].concat()),
        "empty" => send(stream, &answer("200 OK", "", b"")),
        "another chain's file" => send(stream, &answer("200 OK", "", &other)),
        "one bit flipped" => send(stream, &answer("200 OK", "", &flipped)),
        "announces another digest" => send(stream, &answer("200 OK", &announced(b"x"), GENESIS)),
        "announces right, sends other" => send(stream, &answer("200 OK", &announced(GENESIS), &other)),
        "reset at once" => reset(stream),
        "reset in the body" => {
            send(stream, &[head(GENESIS.len()), half.to_vec()].concat());
            reset(stream);
        }
        "accepts and says nothing" => std::thread::sleep(Duration::from_secs(20)),
        "stalls in the body" => {
            send(stream, &[head(GENESIS.len()), half.to_vec()].concat());
            std::thread::sleep(Duration::from_secs(20));
        }
        "drips" => {
            send(stream, &head(GENESIS.len()));
            for byte in GENESIS {
                send(stream, &[*byte]);
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        "HTML with 200" => {
            send(stream, &answer("200 OK", "Content-Type: text/html\r\n", b"<html>Please log in</html>"))
        }
        "no HTTP" => send(stream, b"SSH-2.0-OpenSSH_9.2\r\n"),
        "length too large" => send(stream, &[head(GENESIS.len() + 7), GENESIS.to_vec()].concat()),
        "length too small" => send(stream, &[head(GENESIS.len() - 7), GENESIS.to_vec()].concat()),
        "two files in one" => send(stream, &answer("200 OK", "", &[GENESIS, GENESIS].concat())),
        "200 with an error text" => send(stream, &answer("200 OK", "", b"error: genesis not found")),
        "206 nobody asked for" => {
            send(stream, &answer("206 Partial Content", "Content-Range: bytes 5-9/10\r\n", &GENESIS[5..10]));
        }
        "304 nobody asked for" => send(stream, b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        "redirect loop" => send(stream, &answer("302 Found", "Location: /genesis\r\n", b"")),
        "redirect to another host" => {
            send(stream, &answer("302 Found", "Location: http://other.example/genesis\r\n", b""));
        }
        "redirect to the cloud's metadata" => {
            send(stream, &answer("302 Found", "Location: http://169.254.169.254/latest\r\n", b""));
        }
        other => panic!("no behaviour {other}"),
    }
}

/// Every behaviour, and the codes it may end with: refused for good, or the deadline.
const BAD: [(&str, &[i32]); 29] = [
    ("500 with a JSON body", &[124]),
    ("502 of a proxy", &[124]),
    ("503 for ever", &[124]),
    ("404", &[4]),
    ("403", &[4]),
    ("cut short against its length", &[124]),
    ("cut short within a chunk", &[124]),
    ("cut short without a length", &[4, 124]),
    ("empty", &[4, 124]),
    ("another chain's file", &[4, 124]),
    ("one bit flipped", &[4, 124]),
    ("announces another digest", &[4]),
    ("announces right, sends other", &[4, 124]),
    ("reset at once", &[124]),
    ("reset in the body", &[124]),
    ("accepts and says nothing", &[124]),
    ("stalls in the body", &[124]),
    ("drips", &[124]),
    ("HTML with 200", &[4, 124]),
    ("no HTTP", &[124]),
    ("length too large", &[124]),
    ("length too small", &[4, 124]),
    ("two files in one", &[4, 124]),
    ("200 with an error text", &[4, 124]),
    ("206 nobody asked for", &[124]),
    ("304 nobody asked for", &[4]),
    ("redirect loop", &[4]),
    ("redirect to another host", &[4]),
    ("redirect to the cloud's metadata", &[4]),
];

#[test]
fn nothing_bad_is_ever_kept_and_a_healed_server_is_enough_s16_f60() {
    std::thread::scope(|scope| {
        for (behaviour, codes) in BAD {
            scope.spawn(move || {
                let place = Place::new();
                let server = Server::new(move |_, stream| bad(behaviour, stream));
                let sha256 = format!("--sha256={}", hex(GENESIS));
                let ended = place.fetch(&server.url("/genesis"), &[&sha256, "--timeout=1500ms"]);
                assert!(codes.contains(&ended.code), "{behaviour}: {} {}", ended.code, ended.said);
                assert_eq!(place.content(), None, "{behaviour} was kept");
                // Afterwards, by way of whatever the bad try left behind.
                let healed = Server::fixed(answer("200 OK", &announced(GENESIS), GENESIS));
                place.fetch(&healed.url("/genesis"), &[&sha256, "--timeout=20s"]).with(0);
                assert_eq!(place.content().as_deref(), Some(GENESIS), "{behaviour}");
                assert_eq!(place.names(), [".genesis.json.fl-fetched", "genesis.json"], "{behaviour}");
            });
        }
    });
}

#[test]
fn without_a_pinned_digest_what_the_server_announces_or_the_content_decides() {
    for behaviour in ["announces right, sends other", "announces another digest"] {
        let place = Place::new();
        let server = Server::new(move |_, stream| bad(behaviour, stream));
        place.fetch(&server.url("/g"), &["--timeout=20s"]).with(4);
        assert_eq!(place.content(), None);
    }
    for behaviour in ["HTML with 200", "empty", "200 with an error text", "cut short without a length"] {
        let place = Place::new();
        let server = Server::new(move |_, stream| bad(behaviour, stream));
        place.fetch(&server.url("/g"), &["--expect-json=.chain_id", "--timeout=20s"]).with(4);
        assert_eq!((place.content(), server.connections()), (None, 3), "{behaviour}");
    }
    let place = Place::new();
    let silent_about_it = Server::fixed(answer("200 OK", "", GENESIS));
    let ended = place.fetch(&silent_about_it.url("/g"), &["--sha256=auto"]).with(4);
    assert!(ended.said.contains("announces no digest"));
}

#[test]
fn the_expected_and_the_actual_digest_are_named_s16() {
    let place = Place::new();
    let server = Server::fixed(answer("200 OK", "", b"other"));
    let sha256 = format!("--sha256={}", hex(GENESIS));
    let ended = place.fetch(&server.url("/g"), &[&sha256, "--timeout=20s"]).with(4);
    assert!(ended.said.contains(&hex(GENESIS)) && ended.said.contains(&hex(b"other")), "{}", ended.said);
}

#[test]
fn usage_once_lock_and_deadline_have_their_codes() {
    let place = Place::new();
    place.fetch("ftp://x/y", &[]).with(2);
    place.fetch("file:relative", &[]).with(2);
    place.fetch("http://x/", &["--sha256=abc"]).with(2);
    place.fetch("http://x/", &["--method=POST"]).with(2);
    place.fetch("http://x/", &["--data=x"]).with(2);
    run(fl(["fetch", "http://x/"])).with(2);
    let nobody = format!("http://{}/", closed());
    assert_eq!(place.fetch(&nobody, &["--once"]).with(3).reason(), "refused");
    assert_eq!(place.fetch(&nobody, &["--timeout=300ms"]).with(124).reason(), "refused");
    place.fetch("http://169.254.169.254/", &[]).with(4);

    // Another process is at the same file.
    let slow = Server::new(|_, stream| bad("accepts and says nothing", stream));
    let first = start(fl(["fetch", &slow.url("/"), "--to", text(&place.to), "--timeout", "30s"]));
    until("the first has its lock", || slow.connections() > 0);
    assert_eq!(place.fetch(&nobody, &["--timeout=300ms"]).with(5).reason(), "lock");
    drop(first);
}

/// Answers ranges as a good server does; breaks off after `limit` bytes of each answer.
fn ranged(content: Vec<u8>, etag: &'static str, limit: usize) -> Server {
    Server::new(move |request: &Request, stream| {
        let from: usize = match (request.header("range"), request.header("if-range")) {
            (Some(range), Some(tag)) if tag == etag => {
                range.trim_start_matches("bytes=").trim_end_matches('-').parse().expect("a number")
            }
            _ => 0,
        };
        let rest = &content[from..];
        let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
        let range = format!("Content-Range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len());
        let head = format!("HTTP/1.1 {status}\r\nETag: {etag}\r\nContent-Length: {}\r\n{range}\r\n", rest.len());
        send(stream, head.as_bytes());
        send(stream, &rest[..rest.len().min(limit)]);
    })
}

#[test]
fn a_broken_transfer_goes_on_where_it_stopped_d1() {
    let content: Vec<u8> = (0..1_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let server = ranged(content.clone(), "\"v1\"", 300_000);
    let place = Place::new();
    place.fetch(&server.url("/big"), &["--timeout=60s"]).with(0);
    assert_eq!(place.content(), Some(content));
    let from: Vec<_> =
        server.requests().iter().map(|request| request.header("range").unwrap_or("-").to_owned()).collect();
    assert_eq!(from.len(), 4, "{from:?}");
    assert!(from[1].starts_with("bytes=") && from[3] > from[2]);
}

#[test]
fn a_killed_transfer_goes_on_in_the_next_run_if_a_digest_will_judge_it_d1() {
    let content: Vec<u8> = (0..1_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let sha256 = format!("--sha256={}", hex(&content));
    let place = Place::new();
    let part = place.to.with_file_name(".genesis.json.fl-part");
    let half = content.clone();
    let stalling = Server::new(move |_, stream| {
        let head = format!("HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: {}\r\n\r\n", half.len());
        send(stream, head.as_bytes());
        send(stream, &half[..600_000]);
        std::thread::sleep(Duration::from_secs(20));
    });
    let running = start(fl(["fetch", &stalling.url("/big"), "--to", text(&place.to), &sha256]));
    until("600000 bytes came", || std::fs::metadata(&part).is_ok_and(|part| part.len() == 600_000));
    drop(running);
    assert_eq!(place.content(), None);

    let server = ranged(content.clone(), "\"v1\"", usize::MAX);
    place.fetch(&server.url("/big"), &[&sha256]).with(0);
    assert_eq!(place.content(), Some(content));
    assert_eq!(server.requests()[0].header("range"), Some("bytes=600000-"));
}

#[test]
fn an_object_replaced_in_the_meantime_is_never_mixed_d2() {
    let (old, new) = (vec![b'o'; 500_000], vec![b'n'; 500_000]);
    let content = new.clone();
    let server = Server::new(move |request, stream| {
        let head = |etag: &str| format!("HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: 500000\r\n\r\n");
        if request.number == 0 {
            send(stream, &[head("\"old\"").as_bytes(), &old[..200_000]].concat());
        } else {
            // The tag of the part is not this one's: the whole, as If-Range asks.
            assert_eq!(request.header("if-range"), Some("\"old\""));
            send(stream, &[head("\"new\"").as_bytes(), &content].concat());
        }
    });
    let place = Place::new();
    place.fetch(&server.url("/big"), &["--timeout=30s"]).with(0);
    assert_eq!(place.content(), Some(new));
}

#[test]
fn a_stalled_transfer_is_broken_off_and_tried_again_d3() {
    let server = Server::new(|request, stream| match request.number {
        0 => bad("stalls in the body", stream),
        _ => send(stream, &answer("200 OK", "", GENESIS)),
    });
    let place = Place::new();
    let ended = place.fetch(&server.url("/g"), &["--stall=300ms", "--timeout=20s"]).with(0);
    assert!(ended.said.contains("no byte for 0.3 s"), "{}", ended.said);
    assert_eq!(place.content().as_deref(), Some(GENESIS));
}

#[test]
fn redirects_stay_on_the_site_and_credentials_stay_on_the_origin() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let other = Server::fixed(answer("200 OK", "", GENESIS));
    let to = format!("Location: {}\r\n", other.url("/elsewhere"));
    let first = Server::on(listener, move |request, stream| match request.path() {
        "/a" => send(stream, &answer("307 Temporary Redirect", "Location: b\r\n", b"")),
        "/b" => send(stream, &answer("200 OK", "", GENESIS)),
        _ => send(stream, &answer("302 Found", &to, b"")),
    });
    let place = Place::new();
    place.fetch(&format!("http://u:p@{}/a", first.address), &[]).with(0);
    assert!(first.requests().iter().all(|request| request.header("authorization").is_some()));
    // Another port of the same host is the same site, but not the same origin.
    let place = Place::new();
    place.fetch(&format!("http://u:p@{}/c", first.address), &[]).with(0);
    assert_eq!(other.requests()[0].header("authorization"), None);
}

#[test]
fn too_large_is_refused_before_it_fills_the_disk() {
    let server = Server::fixed(answer("200 OK", "", &vec![0; 100_000]));
    let endless = Server::new(|_, stream| {
        send(stream, b"HTTP/1.1 200 OK\r\n\r\n");
        for _ in 0..10_000 {
            send(stream, &[0; 1000]);
        }
    });
    for server in [server, endless] {
        let place = Place::new();
        let ended = place.fetch(&server.url("/"), &["--max-size=64KiB"]).with(4);
        assert!(ended.said.contains("--max-size"), "{}", ended.said);
        assert_eq!(place.names(), [""; 0]);
    }
}

#[test]
fn a_file_of_this_container_is_copied_whole() {
    let place = Place::new();
    let from = place._dir.path().join("binary");
    write(&from, "#!/bin/sh\n");
    place.fetch(&format!("file:{}", text(&from)), &["--mode=0755"]).with(0);
    assert_eq!(std::fs::metadata(&place.to).expect("there").permissions().mode() & 0o7777, 0o755);
    assert_eq!(place.content().as_deref(), Some(&b"#!/bin/sh\n"[..]));
}

#[test]
fn a_post_is_sent_once_and_its_answer_kept() {
    let server = Server::new(|request, stream| {
        assert_eq!((request.line.as_str(), request.body.as_str()), ("POST /rpc HTTP/1.1", "{\"tx\":1}"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        send(stream, &answer("200 OK", "", b"{\"result\":{\"code\":0}}"));
    });
    let place = Place::new();
    let post = ["--method=POST", "--data={\"tx\":1}", "--timeout=20s", "--expect-json"];
    place.fetch(&server.url("/rpc"), &[&post[..], &[".result.code==0"]].concat()).with(0);
    assert_eq!(place.content().as_deref(), Some(&b"{\"result\":{\"code\":0}}"[..]));
    assert_eq!(server.connections(), 1);
    let place = Place::new();
    place.fetch(&server.url("/rpc"), &[&post[..], &[".result.code==1"]].concat()).with(4);
    assert_eq!((place.content(), server.connections()), (None, 2));
}

#[test]
fn a_post_is_repeated_only_if_it_had_no_effect_or_may_be() {
    let place = Place::new();
    let post = ["--method=POST", "--data=x", "--timeout=10s"];
    // Not even connected; then told to slow down; then taken.
    let address = closed();
    let running = start({
        let mut command = fl(["fetch", &format!("http://{address}/"), "--to", text(&place.to)]);
        command.args(post);
        command
    });
    std::thread::sleep(Duration::from_millis(300));
    let listener = TcpListener::bind(address).expect("the port is free");
    let server = Server::on(listener, |request, stream| match request.number {
        0 => send(stream, &answer("503 Service Unavailable", "Retry-After: 0\r\n", b"")),
        _ => send(stream, &answer("200 OK", "", b"taken")),
    });
    running.end().with(0);
    assert_eq!((server.requests().len(), place.content().as_deref()), (2, Some(&b"taken"[..])));
    // The answer was lost: it may have had its effect.
    let lost = Server::new(|_, stream| reset(stream));
    let ended = Place::new().fetch(&lost.url("/"), &post).with(6);
    assert!(ended.said.contains("the answer was lost") && lost.requests().len() == 1, "{}", ended.said);
    let ended = Place::new().fetch(&lost.url("/"), &["--method=POST", "--data=x", "--timeout=2s", "--idempotent"]);
    ended.with(124);
    assert!(lost.requests().len() > 2);
    // The server says no.
    let refusing = Server::fixed(answer("500 Oops", "", b"{\"error\":\"tx already exists in cache\"}"));
    let ended = Place::new().fetch(&refusing.url("/"), &post).with(4);
    assert!(ended.said.contains("tx already exists") && refusing.connections() == 1);
}

#[test]
fn a_name_that_is_a_link_is_replaced_and_not_written_through() {
    let place = Place::new();
    let canary = place._dir.path().join("canary");
    write(&canary, "untouched");
    std::fs::create_dir_all(place.to.parent().expect("a parent")).expect("made");
    std::os::unix::fs::symlink(&canary, &place.to).expect("linked");
    let server = Server::fixed(answer("200 OK", "", GENESIS));
    place.fetch(&server.url("/"), &[]).with(0);
    assert_eq!(std::fs::read(&canary).expect("there"), b"untouched");
    assert!(!Path::new(&place.to).is_symlink());
}
