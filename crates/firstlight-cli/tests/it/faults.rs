//! What an outsider, a full machine and a bad program can do to pods, and what is true afterwards (rows C and F of the fault
//! table). Each test's engine must leave nothing behind, as everywhere here.

use crate::harness::{Engine, eventually, pod};
use serde_json::json;
use std::process::Command;

/// The engine's bridge: it has the pods' gateway.
fn bridge(engine: &Engine) -> String {
    let gateway = engine.field("pod web", "{.status.hostIP}");
    let output = Command::new("ip").args(["-o", "-4", "addr", "show", "to", &gateway]).output().unwrap();
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    line.split_whitespace().nth(1).unwrap_or_else(|| panic!("nobody has {gateway}: {line}")).to_owned()
}

#[test]
fn row_44_a_bridge_that_somebody_removes_is_made_anew_and_its_pods_are_plugged_in() {
    let engine = Engine::start();
    let mut web =
        pod("web", &[], &[("main", "mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www")]);
    web["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1});
    engine.apply(&web);
    engine.apply(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 8080}]}}));
    engine.ready("web");
    let name = bridge(&engine);
    assert!(Command::new("ip").args(["link", "del", &name]).status().unwrap().success());
    eventually("the engine says so", || engine.log().contains("it is made anew"));
    assert_eq!(bridge(&engine), name);
    engine.ready("web");
    // Another pod reaches it by name: the bridge, the address of the name server and the pods' ends are all back.
    let fetch = "until wget -qO- http://web:8080/; do sleep 0.1; done; sleep 1000";
    engine.apply(&pod("other", &[], &[("main", fetch)]));
    engine.ready("other");
    eventually("the other pod reaches it", || engine.kubectl(&["logs", "other"]).contains("hello"));
    assert_eq!(engine.field("pod web", "{.status.containerStatuses[0].restartCount}"), "0");
}

#[test]
fn row_42_an_init_that_ignores_sigterm_is_killed_at_the_end_of_the_grace() {
    let engine = Engine::start();
    engine.apply(&pod("stubborn", &[("deaf", "trap '' TERM; while true; do sleep 0.1; done")], &[("main", "true")]));
    let running = || engine.field("pod stubborn", "{.status.initContainerStatuses[0].state.running.startedAt}");
    eventually("it runs", || !running().is_empty());
    engine.kubectl(&["delete", "pod", "stubborn", "--timeout=30s"]);
}

#[test]
fn row_43_a_storm_of_orphans_ends_with_its_pod() {
    let engine = Engine::start();
    // What has ended stays a zombie, because this container's first process waits for nobody; fifty more run on.
    let storm = "i=0; while [ $i -lt 500 ]; do (true &); i=$((i+1)); done; \
                 i=0; while [ $i -lt 50 ]; do (sleep 1000 &); i=$((i+1)); done; echo done; exec sleep 1000";
    engine.apply(&pod("storm", &[], &[("main", storm)]));
    eventually("it has forked", || engine.kubectl(&["logs", "storm", "--ignore-errors"]).contains("done"));
    engine.kubectl(&["delete", "pod", "storm", "--timeout=30s"]);
}

#[test]
fn row_22_an_init_that_is_killed_for_its_memory_is_no_success() {
    let engine = Engine::start();
    let mut greedy = pod("greedy", &[("eats", "")], &[("main", "sleep 1000")]);
    greedy["spec"]["restartPolicy"] = json!("Never");
    let init = &mut greedy["spec"]["initContainers"][0];
    init["command"] = json!(["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    init["resources"] = json!({"limits": {"memory": "16Mi"}});
    engine.apply(&greedy);
    engine.kubectl(&["wait", "--for=jsonpath={.status.phase}=Failed", "pod/greedy", "--timeout=60s"]);
    let ended = |field: &str| {
        engine.field("pod greedy", &format!("{{.status.initContainerStatuses[0].state.terminated.{field}}}"))
    };
    assert_eq!((ended("reason").as_str(), ended("exitCode").as_str()), ("OOMKilled", "137"));
    assert_eq!(engine.field("pod greedy", "{.status.containerStatuses[0].state.waiting.reason}"), "PodInitializing");
}

#[test]
fn row_25_an_engine_out_of_descriptors_serves_again_when_it_has_some() {
    let engine = Engine::with_descriptors(96);
    let before = engine.pid();
    engine.apply(&pod("web", &[], &[("main", "sleep 1000")]));
    engine.ready("web");
    let address = std::fs::read_to_string(engine.data().join("port")).unwrap();
    let port: u16 = address.trim().parse().unwrap();
    let held: Vec<_> = (0..300).filter_map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).ok()).collect();
    assert!(held.len() > 96, "the kernel takes them, whatever the engine does");
    drop(held);
    eventually("it serves", || engine.try_kubectl(&["get", "pods", "--request-timeout=5s"]).status.success());
    engine.apply(&pod("next", &[], &[("main", "sleep 1000")]));
    engine.ready("next");
    engine.kubectl(&["delete", "pod", "web", "next", "--timeout=30s"]);
    assert_eq!(engine.pid(), before, "the same engine all the while");
}
