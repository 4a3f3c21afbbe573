//! The name server as its clients meet it: a real store, real sockets on loopback.

use firstlight_api::object::{Key, Resource, resources};
use firstlight_dns::{Dns, DnsConfig};
use firstlight_store::{Expect, Store, Write};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A generous bound for what must happen soon: a test that waits longer has failed.
const SOON: Duration = Duration::from_secs(20);

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct World {
    store: Store,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

async fn world(upstreams: Vec<SocketAddr>) -> World {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let config = DnsConfig { listen: LOOPBACK, domain: "cluster.local".to_owned(), upstreams };
    let dns = Dns::bind(config).await.expect("bound");
    let address = dns.address().expect("an address");
    let stop = CancellationToken::new();
    let task = tokio::spawn(dns.serve(store.clone(), stop.clone()));
    World { store, address, stop, task, _dir: dir }
}

impl World {
    async fn put(&self, resource: Resource, namespace: &str, name: &str, mut value: Value) {
        let key = Key::new(resource, namespace, name);
        value["metadata"]["name"] = json!(name);
        value["metadata"]["namespace"] = json!(namespace);
        let expect = self.store.get(&key).map_or(Expect::Absent, |object| Expect::At(object.revision));
        self.store.commit(Write { key, expect, value: Some(value) }).await.expect("written");
    }

    async fn slice(&self, service: &str, ready: &[bool]) {
        let endpoints: Vec<Value> = ready
            .iter()
            .enumerate()
            .map(|(number, ready)| {
                let address = Ipv4Addr::from(0x0a00_0000 + number as u32).to_string();
                json!({ "addresses": [address], "hostname": format!("node-{number}"), "conditions": { "ready": ready } })
            })
            .collect();
        let labels = json!({ "kubernetes.io/service-name": service });
        let value = json!({ "metadata": { "labels": labels }, "addressType": "IPv4", "endpoints": endpoints });
        self.put(resources::ENDPOINTSLICES, "n", &format!("{service}-1"), value).await;
    }
}

fn question(name: &str) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), RecordType::A));
    message
}

async fn ask_udp(server: SocketAddr, message: &Message) -> Message {
    let socket = UdpSocket::bind(LOOPBACK).await.expect("a socket");
    socket.connect(server).await.expect("connected");
    socket.send(&message.to_vec().expect("encoded")).await.expect("sent");
    let mut reply = [0; 65535];
    let length = timeout(SOON, socket.recv(&mut reply)).await.expect("in time").expect("a reply");
    Message::from_vec(&reply[..length]).expect("decoded")
}

async fn ask_tcp(stream: &mut TcpStream, message: &Message) -> Message {
    let bytes = message.to_vec().expect("encoded");
    stream.write_all(&[&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()).await.expect("sent");
    let mut reply = vec![0; usize::from(timeout(SOON, stream.read_u16()).await.expect("in time").expect("a length"))];
    stream.read_exact(&mut reply).await.expect("a reply");
    Message::from_vec(&reply).expect("decoded")
}

fn addresses(reply: &Message) -> Vec<Ipv4Addr> {
    let address = |data: &RData| if let RData::A(address) = data { Some(address.0) } else { None };
    let mut all: Vec<Ipv4Addr> = reply.answers.iter().filter_map(|record| address(&record.data)).collect();
    all.sort();
    all
}

#[tokio::test]
async fn net_4_readiness_is_seen_at_once() {
    let world = world(Vec::new()).await;
    let name = question("peers.n.svc.cluster.local.");
    assert_eq!(ask_udp(world.address, &name).await.metadata.response_code, ResponseCode::NXDomain);
    world.put(resources::SERVICES, "n", "peers", json!({ "spec": { "clusterIP": "None" } })).await;
    let reply = ask_udp(world.address, &name).await;
    assert_eq!((reply.metadata.response_code, addresses(&reply)), (ResponseCode::NoError, vec![]));
    for ready in [&[true, false][..], &[true, true], &[false, true], &[false, false]] {
        world.slice("peers", ready).await;
        let expected: Vec<Ipv4Addr> = (0..2)
            .filter(|number| ready[*number as usize])
            .map(|number| Ipv4Addr::from(0x0a00_0000 + number))
            .collect();
        assert_eq!(addresses(&ask_udp(world.address, &name).await), expected);
    }
}

#[tokio::test]
async fn what_is_cut_off_over_udp_is_whole_over_tcp() {
    let world = world(Vec::new()).await;
    world.put(resources::SERVICES, "n", "peers", json!({})).await;
    world.slice("peers", &[true; 200]).await;
    let name = question("peers.n.svc.cluster.local.");
    let reply = ask_udp(world.address, &name).await;
    assert!(reply.metadata.truncation && reply.answers.is_empty());
    let mut stream = TcpStream::connect(world.address).await.expect("connected");
    for _ in 0..2 {
        let reply = ask_tcp(&mut stream, &name).await;
        assert_eq!((reply.metadata.truncation, addresses(&reply).len()), (false, 200));
    }
}

/// A name server of others: answers each question with 192.0.2.1, over UDP after a lie with a wrong number.
async fn upstream() -> SocketAddr {
    let (udp, tcp, address) = loop {
        let udp = UdpSocket::bind(LOOPBACK).await.expect("a socket");
        let address = udp.local_addr().expect("an address");
        // Somebody else may have the number for TCP: then another one.
        if let Ok(tcp) = tokio::net::TcpListener::bind(address).await {
            break (udp, tcp, address);
        }
    };
    let answer = |bytes: &[u8], last: u8| {
        let mut message = Message::from_vec(bytes).expect("decoded");
        message.metadata.message_type = MessageType::Response;
        let name = message.queries[0].name.clone();
        let data = RData::A(Ipv4Addr::new(192, 0, 2, last).into());
        message.add_answer(hickory_proto::rr::Record::from_rdata(name, 300, data));
        message
    };
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = udp.recv_from(&mut buffer).await {
            let mut lie = answer(&buffer[..length], 66);
            lie.metadata.id = lie.metadata.id.wrapping_add(1);
            for reply in [lie, answer(&buffer[..length], 1)] {
                udp.send_to(&reply.to_vec().expect("encoded"), client).await.expect("sent");
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let mut message = vec![0; usize::from(stream.read_u16().await.expect("a length"))];
            stream.read_exact(&mut message).await.expect("a question");
            let reply = answer(&message, 1).to_vec().expect("encoded");
            stream.write_all(&[&(reply.len() as u16).to_be_bytes()[..], &reply].concat()).await.expect("sent");
        }
    });
    address
}

#[tokio::test]
async fn other_names_are_asked_of_the_hosts_servers_in_order() {
    // Nobody listens on the first: the kernel says so at once.
    let dead = UdpSocket::bind(LOOPBACK).await.expect("a socket").local_addr().expect("an address");
    let world = world(vec![dead, upstream().await]).await;
    let name = question("www.example.com.");
    let reply = ask_udp(world.address, &name).await;
    assert_eq!(addresses(&reply), [Ipv4Addr::new(192, 0, 2, 1)]);
    assert_eq!((reply.metadata.id, reply.metadata.authoritative), (4711, false));
    let mut stream = TcpStream::connect(world.address).await.expect("connected");
    assert_eq!(addresses(&ask_tcp(&mut stream, &name).await), [Ipv4Addr::new(192, 0, 2, 1)]);
    let own = ask_udp(world.address, &question("x.n.svc.cluster.local.")).await;
    assert_eq!(own.metadata.response_code, ResponseCode::NXDomain, "our names are never asked of others");
}

#[tokio::test]
async fn without_a_server_to_ask_other_names_fail_at_once() {
    let world = world(Vec::new()).await;
    let reply = ask_udp(world.address, &question("www.example.com.")).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
}

#[tokio::test]
async fn noise_does_not_stop_the_server_and_stop_does() {
    let world = world(Vec::new()).await;
    let socket = UdpSocket::bind(LOOPBACK).await.expect("a socket");
    for noise in [&[][..], &[0], &[0xff; 12], &[0xff; 4096]] {
        socket.send_to(noise, world.address).await.expect("sent");
    }
    let reply = ask_udp(world.address, &question("cluster.local.")).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
    let mut idle = TcpStream::connect(world.address).await.expect("connected");
    world.stop.cancel();
    timeout(SOON, world.task).await.expect("in time").expect("joined");
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
    UdpSocket::bind(world.address).await.expect("the port is free again");
}
