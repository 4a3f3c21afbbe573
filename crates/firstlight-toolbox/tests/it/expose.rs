//! `fl expose` on a real volume, asked by real clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::program::{Running, clean, fl, run, start, text, until, write};
use super::server::closed;

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A volume with an exposer over it.
struct Exposer {
    dir: tempfile::TempDir,
    address: String,
    process: Option<Running>,
}

/// An answer, taken apart.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

fn ask(address: &str, request: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut all = Vec::new();
    let _cut_short = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(all[..end].to_vec()).expect("text");
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: all[end + 4..].to_vec() })
}

impl Exposer {
    /// Over `genesis` and `node_id`, which do not exist yet.
    fn new(more: &[&str]) -> Exposer {
        let dir = tempfile::tempdir().expect("a directory");
        let mut exposer = Exposer { address: closed().to_string(), dir, process: None };
        let items =
            [format!("genesis={}", exposer.text("genesis.json")), format!("node_id={}", exposer.text("node_id"))];
        let listen = format!("--listen={}", exposer.address);
        let mut command = clean(super::FL, &["expose", &listen, "--item", &items[0], "--item", &items[1], "--dir"]);
        command.arg(exposer.dir.path()).args(more);
        let mut process = start(command);
        process.until("serving");
        exposer.process = Some(process);
        exposer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        text(&self.path(name)).to_owned()
    }

    /// Makes and commits an item as an init container does.
    fn commit(&self, step: &str, name: &str, content: &str) {
        let source = self.path("source");
        write(&source, content);
        let mut command = fl(["run-once", step, "--dir", text(self.dir.path()), "--changed-outputs=remake"]);
        command.args([&format!("--stdout-to={}", self.text(name)), "--", "cat", text(&source)]);
        run(command).with(0);
    }

    fn get(&self, path: &str, headers: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        ask(&self.address, &request).expect("an answer")
    }

    fn status(&self, path: &str) -> u16 {
        self.get(path, "").status
    }
}

#[test]
fn an_item_is_answered_for_only_when_it_is_committed_s17_b5() {
    let exposer = Exposer::new(&[]);
    let missing = exposer.get("/v1/items/genesis", "");
    assert_eq!((missing.status, missing.header("retry-after")), (503, Some("1")));
    // There, whole even, but nobody committed it.
    write(&exposer.path("genesis.json"), "{\"half\":");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(exposer.status("/v1/items/genesis"), 503);
    let why = exposer.get("/v1/items/genesis", "").json()["why"].clone();
    assert!(why.as_str().expect("text").contains("no step that is done has committed"), "{why}");
    std::fs::remove_file(exposer.path("genesis.json")).expect("removed");

    exposer.commit("genesis", "genesis.json", "{\"chain_id\":\"c\"}");
    until("it is published", || exposer.status("/v1/items/genesis") == 200);
    let answer = exposer.get("/v1/items/genesis", "");
    assert_eq!(answer.body, b"{\"chain_id\":\"c\"}");
    assert_eq!(answer.header("etag"), Some(format!("\"{}\"", hex(&answer.body)).as_str()));
    assert!(answer.header("repr-digest").expect("there").starts_with("sha-256=:"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let ready = exposer.get("/v1/ready", "");
    assert_eq!((ready.status, &ready.json()["missing"][0]["item"]), (503, &"node_id".into()));
    exposer.commit("node-id", "node_id", "e1c2\n");
    until("everything is published", || exposer.status("/v1/ready") == 200);
    let items = exposer.get("/v1/items", "").json();
    assert_eq!(
        (&items["items"][0]["sha256"], &items["items"][1]["published"]),
        (&hex(b"{\"chain_id\":\"c\"}").into(), &true.into())
    );
    assert_eq!((exposer.status("/healthz"), exposer.status("/metrics")), (200, 200));
    let metrics = String::from_utf8(exposer.get("/metrics", "").body).expect("text");
    assert!(metrics.contains("firstlight_expose_item_published{item=\"genesis\"} 1"), "{metrics}");
}

#[test]
fn during_a_slow_write_only_503_and_then_the_whole_s17() {
    let exposer = Exposer::new(&[]);
    let script = "for i in 1 2 3 4 5 6 7 8; do printf '{\"part\":%s}\\n' $i; sleep 0.05; done";
    let mut command = fl(["run-once", "genesis", "--dir", text(exposer.dir.path()), "--outputs"]);
    let path = exposer.text("genesis.json");
    command.args([&path, "--", "sh", "-c", &format!("( {script} ) > {path}")]);
    let making = start(command);
    let mut seen = Vec::new();
    until("it is published", || {
        let answer = exposer.get("/v1/items/genesis", "");
        seen.push(answer.status);
        if answer.status == 200 {
            assert_eq!(answer.body.iter().filter(|byte| **byte == b'\n').count(), 8);
        }
        answer.status == 200
    });
    making.end().with(0);
    assert!(seen.len() > 10 && seen[..seen.len() - 1].iter().all(|status| *status == 503), "{seen:?}");
}

#[test]
fn a_parked_question_is_answered_when_the_item_appears() {
    let exposer = Exposer::new(&[]);
    let began = std::time::Instant::now();
    let parked = exposer.get("/v1/items/genesis?wait=300ms", "");
    assert_eq!((parked.status, parked.header("retry-after")), (503, Some("0")));
    assert!(began.elapsed() >= Duration::from_millis(300));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| exposer.get("/v1/items/genesis?wait=30s", ""));
        let waiting = start(fl(["wait", &format!("fl://{}/genesis", exposer.address), "--timeout", "20s"]));
        let to = exposer.path("fetched");
        let fetching = start(fl(["fetch", &format!("fl://{}/genesis", exposer.address), "--to", text(&to)]));
        until("all three are parked", || {
            let metrics = String::from_utf8(exposer.get("/metrics", "").body).expect("text");
            metrics.contains("firstlight_expose_parked 3\n")
        });
        exposer.commit("genesis", "genesis.json", "{}");
        assert_eq!(asked.join().expect("no panic").status, 200);
        waiting.end().with(0);
        fetching.end().with(0);
        assert_eq!(std::fs::read(&to).expect("there"), b"{}");
    });
    // Nothing is newer than generation 1.
    assert_eq!(exposer.status("/v1/items/genesis?after-generation=0"), 200);
    assert_eq!(exposer.status("/v1/items/genesis?after-generation=1"), 503);
}

#[test]
fn conditions_and_ranges_s15() {
    let exposer = Exposer::new(&[]);
    exposer.commit("genesis", "genesis.json", "0123456789");
    until("it is published", || exposer.status("/v1/items/genesis") == 200);
    let item = |headers: &str| exposer.get("/v1/items/genesis", headers);
    let etag = format!("\"{}\"", hex(b"0123456789"));
    let part = item("Range: bytes=3-6\r\n");
    assert_eq!(
        (part.status, part.body.as_slice(), part.header("content-range")),
        (206, &b"3456"[..], Some("bytes 3-6/10"))
    );
    assert_eq!(item(&format!("Range: bytes=8-\r\nIf-Range: {etag}\r\n")).body, b"89");
    assert_eq!(item("Range: bytes=8-\r\nIf-Range: \"other\"\r\n").status, 200);
    let outside = item("Range: bytes=10-\r\n");
    assert_eq!((outside.status, outside.header("content-range")), (416, Some("bytes */10")));
    assert_eq!(item(&format!("If-None-Match: {etag}\r\n")).status, 304);
    let other = item("If-Match: \"other\"\r\n");
    assert_eq!((other.status, other.header("etag")), (412, Some(etag.as_str())));
    let head = ask(&exposer.address, "HEAD /v1/items/genesis HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("an answer");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));
}

#[test]
fn errors_are_proper_and_nothing_runs_from_outside_s18_s20() {
    let exposer = Exposer::new(&[]);
    let unknown = exposer.get("/v1/items/keys", "");
    assert_eq!((unknown.status, &unknown.json()["items"]), (404, &serde_json::json!(["genesis", "node_id"])));
    for path in [
        "/",
        "/v1",
        "/genesis",
        "/keys",
        "/priv_keys",
        "/node_key",
        "/v1/items/",
        "/v1/items/genesis/",
        "/v1/items/../../etc/passwd",
        "/v1/items/%2e%2e%2fetc",
        "/etc/passwd",
    ] {
        assert_eq!(exposer.status(path), 404, "{path}");
    }
    assert_eq!(exposer.status("/v1/items/genesis?wait=soon"), 400);
    assert_eq!(exposer.status("/v1/items/genesis?x=$(touch%20x)"), 400);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request =
            format!("{method} /v1/items/genesis HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n$(touch x);\n");
        let answer = ask(&exposer.address, &request).expect("an answer");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let body = "GET /v1/items HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(ask(&exposer.address, body).expect("an answer").status, 400);
    let many = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let large = format!("x: {}\r\n", "y".repeat(40_000));
    for headers in [many, large] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let answer = ask(&exposer.address, &request);
        assert!(answer.is_none_or(|answer| answer.status == 431), "too much to read is not read");
    }
}

#[test]
fn usage_refusals_and_looks_have_their_codes() {
    let dir = tempfile::tempdir().expect("a directory");
    let (key, plain) = (dir.path().join("k.json"), dir.path().join("plain"));
    write(&key, "{\"priv_key\":{\"type\":\"t\",\"value\":\"v\"}}");
    write(&plain, "public");
    let item = |path: &Path| format!("--item=a={}", text(path));
    let expose = |arguments: &[&str]| {
        let mut command = fl(["expose", "--listen=127.0.0.1:0"]);
        command.args(arguments);
        run(command)
    };
    expose(&[]).with(2);
    expose(&["--item=a", "--ready-when=exists"]).with(2);
    expose(&[&item(&plain)]).with(2);
    expose(&[&item(&plain), &item(&plain), "--ready-when=exists"]).with(2);
    expose(&[&item(&plain), "--ready-when=now"]).with(2);
    assert!(
        expose(&[&item(&plain), "--ready-when=exists", "--secret-item=x=/y"]).with(2).said.contains("--secret-item")
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("--listen={}", taken.local_addr().expect("bound"));
    let mut command = fl(["expose", &listen]);
    command.args([&item(&plain), "--ready-when=exists"]);
    assert_eq!(run(command).with(2).reason(), "listen");

    expose(&[&item(&plain), "--ready-when=exists", "--once"]).with(0);
    expose(&[&item(&dir.path().join("none")), "--ready-when=exists", "--once"]).with(3);
    assert_eq!(expose(&[&item(&key), "--ready-when=exists"]).with(4).reason(), "private");
    expose(&[&item(Path::new("/x/priv_validator_key.json")), "--ready-when=exists"]).with(4);
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o600)).expect("set");
    expose(&[&item(&plain), "--ready-when=exists"]).with(4);
}

#[test]
fn a_key_or_a_link_that_appears_later_is_not_served_s20() {
    let exposer = Exposer::new(&["--ready-when=exists"]);
    write(&exposer.path("genesis.json"), "{\"priv_key\":{\"value\":\"canary-4711\"}}");
    until("it is refused", || exposer.status("/v1/items/genesis") == 403);
    write(&exposer.path("genesis.json"), "{\"chain_id\":\"c\"}");
    until("it is published", || exposer.status("/v1/items/genesis") == 200);
    let secret = exposer.path("secret");
    write(&secret, "canary-4711");
    std::os::unix::fs::symlink(&secret, exposer.path("node_id")).expect("linked");
    std::thread::sleep(Duration::from_millis(50));
    let answer = exposer.get("/v1/items/node_id", "");
    assert_eq!(answer.status, 503);
    assert!(!String::from_utf8_lossy(&answer.body).contains("canary"));
}

#[test]
fn state_that_changes_on_disk_is_an_error_and_never_a_mix_f62() {
    let exposer = Exposer::new(&[]);
    let content = "a".repeat(4 << 20);
    exposer.commit("genesis", "genesis.json", &content);
    until("it is published", || exposer.status("/v1/items/genesis") == 200);
    // A client takes the first bytes, then the file is written over in place.
    let mut stream = TcpStream::connect(&exposer.address).expect("connected");
    stream.write_all(b"GET /v1/items/genesis HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let mut first = [0; 1000];
    stream.read_exact(&mut first).expect("read");
    let file = std::fs::File::options().write(true).open(exposer.path("genesis.json")).expect("open");
    file.write_all_at(&vec![b'b'; 4 << 20], 0).expect("written");
    let mut rest = Vec::new();
    let _cut_short = stream.read_to_end(&mut rest);
    assert!(!rest.contains(&b'b'), "bytes of another state were sent");
    assert!(first.len() + rest.len() < content.len(), "the transfer was cut short");
    // Until the change is seen, a new question gets no answer either.
    let request = "GET /v1/items/genesis HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    until("it is withdrawn", || ask(&exposer.address, request).is_some_and(|answer| answer.status == 503));
    let why = exposer.get("/v1/items/genesis", "").json()["why"].clone();
    assert!(why.as_str().expect("text").contains("it was committed as sha256"), "{why}");
}

#[test]
fn many_clients_get_every_byte_and_leave_no_descriptor_s19() {
    let exposer = Exposer::new(&[]);
    let content: String = (0..400_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    exposer.commit("genesis", "genesis.json", &content);
    until("it is published", || exposer.status("/v1/items/genesis") == 200);
    let pid = exposer.process.as_ref().expect("runs").0.id();
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).expect("listed").count();
    until("the first connections are gone", || descriptors() < 20);
    let before = descriptors();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(hex(&exposer.get("/v1/items/genesis", "").body), hex(content.as_bytes()));
                }
            });
        }
    });
    until("the connections are gone", || descriptors() <= before);
}

#[test]
fn slow_clients_are_let_go() {
    let exposer = Exposer::new(&["--header-timeout=300ms", "--write-timeout=300ms"]);
    exposer.commit("genesis", "genesis.json", &"a".repeat(16 << 20));
    until("it is published", || exposer.status("/v1/items/genesis") == 200);
    let pid = exposer.process.as_ref().expect("runs").0.id();
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).expect("listed").count();
    until("the first connections are gone", || descriptors() < 20);
    let before = descriptors();
    let mut slow: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(&exposer.address).expect("connected")).collect();
    for (index, stream) in slow.iter_mut().enumerate() {
        // Half of them never end their request, the others never take their answer.
        let request: &[u8] =
            if index % 2 == 0 { b"GET /v1/it" } else { b"GET /v1/items/genesis HTTP/1.1\r\nHost: x\r\n\r\n" };
        stream.write_all(request).expect("sent");
    }
    until("they are let go", || descriptors() <= before);
    assert_eq!(exposer.status("/healthz"), 200);
}

#[test]
fn asked_to_stop_it_is_unready_at_once_and_gone_in_a_second() {
    let mut exposer = Exposer::new(&["--ready-when=exists"]);
    for name in ["genesis.json", "node_id"] {
        write(&exposer.path(name), "x");
    }
    until("everything is published", || exposer.status("/v1/ready") == 200);
    let process = exposer.process.take().expect("runs");
    process.signal(15);
    until("it is unready", || exposer.status("/v1/ready") == 503);
    let ended = process.end().with(0);
    assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
}

#[test]
fn a_bad_marker_or_an_unmet_condition_publishes_nothing() {
    let exposer = Exposer::new(&["--ready-when=marker:all"]);
    exposer.commit("genesis", "genesis.json", "{}");
    std::thread::sleep(Duration::from_millis(50));
    let why = exposer.get("/v1/items/genesis", "").json()["why"].clone();
    assert_eq!(why, "step all is not done: it has not begun");
    exposer.commit("all", "other", "x");
    until("it is published", || exposer.status("/v1/items/genesis") == 200);
    write(&exposer.path("markers/all.json"), "{\"state\":\"done\"}");
    until("it is withdrawn", || exposer.status("/v1/items/genesis") == 503);
}
