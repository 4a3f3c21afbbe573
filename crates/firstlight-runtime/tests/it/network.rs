//! Two pods on one bridge reach each other and the host, in network namespaces made by each test.

use firstlight_runtime::Network;
use firstlight_runtime::network::{Bridge, Netlink, Port, attach, choose_subnet, detach, interface_name};
use rustix::thread::UnshareFlags;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

const SUBNET: [u8; 3] = [10, 219, 7];

fn network() -> Network {
    Network { bridge: "fltest0".into(), subnet: SUBNET, domain: "cluster.local".into() }
}

fn unshare_network() {
    #[expect(deprecated, reason = "the flag that makes it unsafe, CLONE_FILES, is not used")]
    rustix::thread::unshare(UnshareFlags::NEWNET).unwrap();
}

/// Runs `test` on a thread with an empty network of its own, in which it plays the host.
fn on_an_empty_host(test: impl FnOnce() + Send + 'static) {
    let host = thread::spawn(move || {
        unshare_network();
        ip("link set lo up");
        test();
    });
    if let Err(panic) = host.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `act` in a pod of this host, attached with this last octet.
fn in_pod<T: Send>(uid: &str, host: u8, act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let pod = scope.spawn(move || {
            let mut link = Netlink::open().unwrap();
            unshare_network();
            attach(&mut link, &port(uid, host)).unwrap();
            act()
        });
        pod.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn port(uid: &str, host: u8) -> Port {
    Port {
        bridge: "fltest0".into(),
        name: interface_name(uid, 0),
        address: address(host),
        gateway: network().gateway(),
    }
}

fn address(host: u8) -> Ipv4Addr {
    let [a, b, c] = SUBNET;
    Ipv4Addr::new(a, b, c, host)
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip runs; apt-get install iproute2");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Says hello to whoever listens there and returns the answer.
fn greet(to: Ipv4Addr, port: u16) -> String {
    let mut stream = TcpStream::connect_timeout(&(to, port).into(), Duration::from_secs(10)).unwrap();
    stream.write_all(b"hello").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Answers one greeting with the address it came from.
fn answer_one(listener: &TcpListener) {
    let (mut stream, from) = listener.accept().unwrap();
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).unwrap();
    write!(stream, "{greeting} {}", from.ip()).unwrap();
}

#[test]
fn pods_reach_each_other_and_the_host_and_the_host_reaches_pods() {
    on_an_empty_host(|| {
        let bridge = Bridge::up(&network()).unwrap();
        assert_eq!(bridge.address, address(1));
        let host = TcpListener::bind((address(1), 7)).unwrap();
        in_pod("pod-a", 2, || {
            let a = TcpListener::bind((address(2), 7)).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| answer_one(&a));
                // The new thread is in pod a's namespace; its own host socket must be opened in the host's.
                let to_host = scope.spawn(|| greet(address(1), 7));
                answer_one(&host);
                assert_eq!(to_host.join().unwrap(), format!("hello {}", address(2)));
                assert_eq!(greet(address(2), 7), format!("hello {}", address(2)));
            });
        });
    });
}

#[test]
fn two_pods_talk_and_each_sees_the_other_at_its_own_address() {
    on_an_empty_host(|| {
        let bridge = Bridge::up(&network()).unwrap();
        thread::scope(|scope| {
            let (ready, listening) = std::sync::mpsc::channel();
            let server = scope.spawn(move || {
                in_pod("server", 2, move || {
                    let listener = TcpListener::bind((address(2), 80)).unwrap();
                    ready.send(()).unwrap();
                    answer_one(&listener);
                });
            });
            listening.recv().unwrap();
            let answer = in_pod("client", 3, || greet(address(2), 80));
            assert_eq!(answer, format!("hello {}", address(3)));
            server.join().unwrap();
        });
        drop(bridge);
    });
}

#[test]
fn a_pod_has_eth0_with_its_address_a_default_route_and_a_loopback() {
    on_an_empty_host(|| {
        Bridge::up(&network()).unwrap();
        let (addresses, routes) = in_pod("pod", 9, || (ip("-o -4 addr"), ip("route")));
        assert!(addresses.contains("lo    inet 127.0.0.1/8"), "{addresses}");
        assert!(addresses.contains("eth0    inet 10.219.7.9/24 brd 10.219.7.255"), "{addresses}");
        assert!(routes.contains("default via 10.219.7.1 dev eth0"), "{routes}");
    });
}

#[test]
fn the_bridge_lists_its_ports_under_the_names_that_follow_from_the_pods() {
    on_an_empty_host(|| {
        let bridge = Bridge::up(&network()).unwrap();
        thread::scope(|scope| {
            let (attached, is_attached) = std::sync::mpsc::channel();
            let (done, wait) = std::sync::mpsc::channel();
            let pod = scope.spawn(move || {
                in_pod("pod", 2, move || {
                    attached.send(()).unwrap();
                    wait.recv().unwrap();
                });
            });
            is_attached.recv().unwrap();
            assert_eq!(bridge.ports().unwrap(), [interface_name("pod", 0)]);
            detach(&mut Netlink::open().unwrap(), &interface_name("pod", 0)).unwrap();
            assert_eq!(bridge.ports().unwrap(), [""; 0]);
            detach(&mut Netlink::open().unwrap(), &interface_name("pod", 0)).unwrap();
            done.send(()).unwrap();
            pod.join().unwrap();
        });
    });
}

#[test]
fn a_leftover_of_the_same_sandbox_is_replaced() {
    on_an_empty_host(|| {
        Bridge::up(&network()).unwrap();
        ip(&format!("link add {} type veth peer name leftover", interface_name("pod", 0)));
        in_pod("pod", 2, || ());
    });
}

#[test]
fn fault_44_what_an_outsider_broke_is_repaired() {
    on_an_empty_host(|| {
        let first = Bridge::up(&network()).unwrap();
        assert_eq!(Bridge::up(&network()).unwrap(), first, "a second time changes nothing");
        for damage in ["link set fltest0 down", "addr flush dev fltest0", "link del fltest0"] {
            ip(damage);
            Bridge::up(&network()).unwrap();
            let state = ip("-4 addr show dev fltest0");
            assert!(state.contains("UP") && state.contains("inet 10.219.7.1/24"), "after {damage}: {state}");
        }
    });
}

#[test]
fn fault_44_pods_are_plugged_back_into_a_bridge_that_was_removed() {
    on_an_empty_host(|| {
        Bridge::up(&network()).unwrap();
        thread::scope(|scope| {
            let (attached, is_attached) = std::sync::mpsc::channel();
            let pod = scope.spawn(move || {
                in_pod("pod", 2, move || {
                    let listener = TcpListener::bind((address(2), 80)).unwrap();
                    attached.send(()).unwrap();
                    answer_one(&listener);
                });
            });
            is_attached.recv().unwrap();
            ip("link del fltest0");
            let bridge = Bridge::up(&network()).unwrap();
            let names = [interface_name("gone", 0), interface_name("pod", 0)];
            let error = bridge.rejoin(&names).unwrap_err();
            assert_eq!(error.to_string(), format!("interface {} is gone", names[0]));
            bridge.rejoin(&names[1..]).unwrap();
            assert_eq!(greet(address(2), 80), format!("hello {}", address(1)));
            pod.join().unwrap();
        });
    });
}

#[test]
fn a_bridge_or_subnet_of_somebody_else_is_left_alone() {
    on_an_empty_host(|| {
        ip("link add fltest0 type veth peer name peer");
        let error = Bridge::up(&network()).unwrap_err();
        assert!(error.to_string().contains("is not a bridge"), "{error}");
        Bridge::down(&network()).unwrap();
        ip("link del fltest0");

        ip("link add fltest0 type bridge");
        ip("addr add 192.0.2.1/24 dev fltest0");
        let error = Bridge::up(&network()).unwrap_err();
        assert!(error.to_string().contains("carries 192.0.2.1/24"), "{error}");
        Bridge::down(&network()).unwrap();
        assert!(ip("addr show dev fltest0").contains("192.0.2.1/24"));
        ip("link del fltest0");

        ip("link add other type veth peer name peer");
        ip("addr add 10.219.0.5/16 dev other");
        let error = Bridge::up(&network()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    });
}

#[test]
fn a_bridge_name_the_kernel_cannot_take_is_refused_by_name() {
    for name in ["", "much-too-long-for-it", "a/b"] {
        let error = Bridge::up(&Network { bridge: name.into(), ..network() }).unwrap_err();
        assert!(error.to_string().starts_with("network.bridge: "), "{error}");
    }
}

#[test]
fn down_removes_the_bridge_and_its_ports_and_nothing_else() {
    on_an_empty_host(|| {
        let before = ip("-o link");
        Bridge::up(&network()).unwrap();
        let leftover = interface_name("pod", 0);
        ip(&format!("link add {leftover} type veth peer name peer"));
        ip(&format!("link set {leftover} master fltest0"));
        Bridge::down(&network()).unwrap();
        assert_eq!(ip("-o link"), before);
        Bridge::down(&network()).unwrap();
    });
}

#[test]
fn a_pod_whose_bridge_is_gone_says_so() {
    on_an_empty_host(|| {
        let mut link = Netlink::open().unwrap();
        unshare_network();
        let error = attach(&mut link, &port("pod", 2)).unwrap_err();
        assert!(error.to_string().starts_with("bridge fltest0 is gone"), "{error}");
    });
}

#[test]
fn the_chosen_subnet_touches_no_address_and_no_route() {
    on_an_empty_host(|| {
        assert_eq!(choose_subnet(5).unwrap(), [10, 208, 5]);
        ip("link add other type veth peer name peer");
        ip("link set other up");
        ip("addr add 10.208.5.77/25 dev other");
        ip("route add 10.208.6.0/23 dev other");
        assert_eq!(choose_subnet(5).unwrap(), [10, 208, 8]);
    });
}
