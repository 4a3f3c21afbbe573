//! Names, by a name server of our own and a resolver configuration in a mount namespace of its own.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::program::{Ended, clean, run, start, text, write};

/// What the name server does with a question.
#[derive(Clone)]
enum Answer {
    /// These addresses; none is "exists, but not of this type".
    Addresses(Vec<Ipv4Addr>),
    /// This response code.
    Code(u8),
    /// Nothing.
    Silence,
}

/// A name server on an address of its own in 127/8, and a `resolv.conf` that leads to it.
struct Zone {
    dir: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Addresses taken so far: each zone needs port 53 for itself.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl Zone {
    /// `answer` is asked with the name and whether it is the IPv4 question.
    fn new(options: &str, answer: impl Fn(&str, bool) -> Answer + Send + 'static) -> Zone {
        let own = TAKEN.fetch_add(1, Ordering::SeqCst) as u8;
        let address = Ipv4Addr::new(127, (std::process::id() % 200) as u8 + 50, own, 53);
        let socket = UdpSocket::bind((address, 53)).expect("port 53 of an address of our own");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let (name, end) = name(&packet);
                let v4 = packet[end + 1] == 1;
                log.lock().expect("whole").push(name.clone());
                if let Some(reply) = reply(&packet[..length.min(end + 4)], &answer(&name, v4), v4) {
                    let _gone = socket.send_to(&reply, from);
                }
            }
        });
        let dir = tempfile::tempdir().expect("a directory");
        write(&dir.path().join("resolv.conf"), &format!("nameserver {address}\n{options}\n"));
        write(&dir.path().join("hosts"), "127.0.0.1 localhost\n127.0.0.1 by-hand\n");
        Zone { dir, asked }
    }

    /// `fl` in this zone.
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let script = "mount --bind $0/resolv.conf /etc/resolv.conf && mount --bind $0/hosts /etc/hosts && exec \"$@\"";
        let mut command = clean("unshare", &["-m", "sh", "-c", script, text(self.dir.path()), super::FL]);
        command.args(arguments);
        command
    }

    fn wait(&self, target: &str) -> Ended {
        run(self.command(&["wait", target, "--timeout", "1500ms"]))
    }
}

/// The name in a question, and where it ends.
fn name(packet: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while packet[at] != 0 {
        let end = at + 1 + usize::from(packet[at]);
        labels.push(String::from_utf8(packet[at + 1..end].to_vec()).expect("text").to_lowercase());
        at = end;
    }
    (labels.join("."), at + 1)
}

/// A response (RFC 1035 section 4.1) to the question in `packet`.
fn reply(packet: &[u8], answer: &Answer, v4: bool) -> Option<Vec<u8>> {
    let (code, addresses) = match answer {
        Answer::Silence => return None,
        Answer::Code(code) => (*code, Vec::new()),
        Answer::Addresses(addresses) => (0, if v4 { addresses.clone() } else { Vec::new() }),
    };
    let count = u8::try_from(addresses.len()).expect("few");
    let mut reply = vec![packet[0], packet[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    reply.extend(&packet[12..]);
    for address in addresses {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}

#[test]
fn the_causes_of_a_missing_name_read_differently_f45() {
    let zone = Zone::new("", |name, _| match name {
        "nxdomain.test" => Answer::Code(3),
        "servfail.test" => Answer::Code(2),
        "empty.test" => Answer::Addresses(Vec::new()),
        "silent.test" => Answer::Silence,
        _ => Answer::Addresses(vec![Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)]),
    });
    let cause = |name: &str, kind: &str, words: &str| {
        let ended = zone.wait(&format!("tcp://{name}.test:1")).with(124);
        assert_eq!(ended.reason(), kind, "{}", ended.said);
        assert!(ended.said.contains(words), "{}", ended.said);
    };
    cause("nxdomain", "no-name", "no such name");
    cause("empty", "no-name", "has no address");
    cause("servfail", "name-server", "dns:");
    cause("silent", "name-server", "no answer for silent.test");
    cause("there", "refused", "connection refused");
    zone.wait("dns:there.test").with(0);
    zone.wait("dns:there.test?min=2").with(0);
    let ended = zone.wait("dns:there.test?min=3").with(124);
    assert!(ended.said.contains("2 of 3 addresses"), "{}", ended.said);
}

#[test]
fn a_name_is_looked_for_along_the_search_list_as_the_pod_is_configured() {
    let zone = Zone::new("search ns.svc.cluster.local svc.cluster.local\noptions ndots:5", |name, _| match name {
        "leader.ns.svc.cluster.local" => Answer::Addresses(vec![Ipv4Addr::LOCALHOST]),
        _ => Answer::Code(3),
    });
    zone.wait("dns:leader").with(0);
    zone.wait("dns:other").with(124);
    let asked = zone.asked.lock().expect("whole").clone();
    assert!(asked.iter().any(|name| name == "other.svc.cluster.local") && asked.iter().any(|name| name == "other"));
}

#[test]
fn a_name_that_appears_is_seen_by_the_next_try() {
    let appeared = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let there = Arc::clone(&appeared);
    let zone = Zone::new("", move |_, _| match there.load(Ordering::SeqCst) {
        true => Answer::Addresses(vec![Ipv4Addr::LOCALHOST]),
        false => Answer::Code(3),
    });
    let mut waiting = start(zone.command(&["wait", "dns:late.test", "--timeout", "20s"]));
    waiting.until("no such name");
    appeared.store(true, Ordering::SeqCst);
    let ended = waiting.end().with(0);
    assert!(ended.took < std::time::Duration::from_secs(3), "{:?}", ended.took);
}

#[test]
fn a_server_that_never_answers_for_ipv6_costs_nothing_and_hosts_come_first() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let zone = Zone::new("", |_, v4| match v4 {
        true => Answer::Addresses(vec![Ipv4Addr::LOCALHOST]),
        false => Answer::Silence,
    });
    let ended = run(zone.command(&["wait", "--once", &format!("tcp://v4-only.test:{port}")])).with(0);
    assert!(ended.took < std::time::Duration::from_millis(700), "{:?}", ended.took);
    run(zone.command(&["wait", "--once", &format!("tcp://by-hand:{port}")])).with(0);
    run(zone.command(&["wait", "--once", &format!("tcp://localhost:{port}")])).with(0);
    assert!(zone.asked.lock().expect("whole").iter().all(|name| name == "v4-only.test"));
}

#[test]
fn a_name_that_leads_to_the_clouds_metadata_is_not_followed_s22() {
    let zone = Zone::new("", |_, _| Answer::Addresses(vec![Ipv4Addr::new(169, 254, 169, 254)]));
    assert_eq!(zone.wait("http://innocent.test/").with(4).reason(), "forbidden");
    let to = text(&zone.dir.path().join("to")).to_owned();
    run(zone.command(&["fetch", "http://innocent.test/latest", "--to", &to])).with(4);
}
