//! The engine is killed with -9: containers go on, and the next engine takes them over.

use crate::harness::{Engine, eventually, pod, text};

#[test]
fn t037_and_kre_1_and_2_containers_go_on_and_finished_inits_do_not_run_again() {
    let mut engine = Engine::start();
    let main = "echo main >> /work/order; while true; do date +%s%N >> /work/beat; sleep 0.05; done";
    engine.apply(&pod("web", &[("a", "echo a >> /work/order"), ("b", "echo b >> /work/order")], &[("main", main)]));
    engine.ready("web");
    let id = engine.field("pod web", "{.status.containerStatuses[0].containerID}");
    engine.kill();
    engine.run();
    engine.ready("web");
    assert_eq!(engine.field("pod web", "{.status.containerStatuses[0].containerID}"), id);
    assert_eq!(engine.field("pod web", "{.status.containerStatuses[0].restartCount}"), "0");
    assert_eq!(engine.kubectl(&["exec", "web", "--", "cat", "/work/order"]), "a\nb\nmain\n");
}

#[test]
fn an_init_that_ends_while_no_engine_runs_keeps_its_true_exit_code() {
    let mut engine = Engine::start();
    let mut object = pod("web", &[("first", "sleep 4; exit 42")], &[("main", "true")]);
    object["spec"]["restartPolicy"] = serde_json::json!("Never");
    engine.apply(&object);
    eventually("the init runs", || {
        !engine.field("pod web", "{.status.initContainerStatuses[0].state.running.startedAt}").is_empty()
    });
    engine.kill();
    eventually("the init has ended", || !text(&ps()).contains("sleep 4; exit 42"));
    engine.run();
    eventually("the true code is known", || {
        engine.field("pod web", "{.status.initContainerStatuses[0].state.terminated.exitCode}") == "42"
    });
    eventually("the pod has failed", || engine.field("pod web", "{.status.phase}") == "Failed");
}

/// A pod that restarts all its containers once, and says in which order they start. One that must be killed for it takes
/// two seconds, and the init that follows another.
fn restarting() -> serde_json::Value {
    let once = "echo n >> /work/order; [ -e /work/again ] || { touch /work/again; sleep 1; exit 42; }; sleep 1000";
    let init = "echo a >> /work/order; [ ! -e /work/again ] || sleep 2";
    let main = "echo m >> /work/order; sleep 1000";
    let mut object = pod("web", &[("a", init)], &[("m", main), ("n", once)]);
    object["spec"]["restartPolicy"] = serde_json::json!("Never");
    object["spec"]["containers"][1]["restartPolicy"] = serde_json::json!("Never");
    object["spec"]["containers"][1]["restartPolicyRules"] = serde_json::json!([
        { "action": "RestartAllContainers", "exitCodes": { "operator": "In", "values": [42] } }
    ]);
    object
}

/// Every container ran twice, in order, in the same sandbox, and what they left each other is there.
fn restarted_once(engine: &Engine, address: &str) {
    eventually("all containers run again", || {
        engine.field("pod web", "{.status.containerStatuses[*].restartCount}") == "1 1"
            && engine.field("pod web", "{.status.containerStatuses[*].state.running.startedAt}").contains(' ')
    });
    let order = engine.kubectl(&["exec", "web", "-c", "m", "--", "cat", "/work/order"]);
    let (first, second) = order.split_at(order.len() / 2);
    for round in [first, second] {
        assert!(matches!(round, "a\nm\nn\n" | "a\nn\nm\n"), "{order}");
    }
    assert_eq!(engine.field("pod web", "{.status.initContainerStatuses[0].restartCount}"), "1");
    assert_eq!(engine.field("pod web", "{.status.podIP}"), address);
    let condition = "{.status.conditions[?(@.type==\"AllContainersRestarting\")].status}";
    assert_eq!(engine.field("pod web", condition), "False");
    assert_eq!(engine.field("pod web", "{.status.phase}"), "Running");
}

#[test]
fn t182_an_engine_killed_while_all_containers_are_ended_goes_on_with_their_restart() {
    let mut engine = Engine::start();
    engine.apply(&restarting());
    engine.ready("web");
    let address = engine.field("pod web", "{.status.podIP}");
    let condition = "{.status.conditions[?(@.type==\"AllContainersRestarting\")].status}";
    eventually("the restart begins", || engine.field("pod web", condition) == "True");
    engine.kill();
    engine.run();
    restarted_once(&engine, &address);
}

#[test]
fn t183_an_engine_killed_while_all_containers_start_again_restarts_them_no_second_time() {
    let mut engine = Engine::start();
    engine.apply(&restarting());
    engine.ready("web");
    let address = engine.field("pod web", "{.status.podIP}");
    eventually("the init runs again", || {
        engine.field("pod web", "{.status.initContainerStatuses[0].restartCount}") == "1"
    });
    engine.kill();
    engine.run();
    restarted_once(&engine, &address);
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let mut engine = Engine::start();
    for number in 0..20 {
        engine.kubectl(&["create", "configmap", &format!("c{number}")]);
    }
    engine.kill();
    engine.run();
    let names = engine.kubectl(&["get", "configmaps", "-o", "name"]);
    for number in 0..20 {
        assert!(names.lines().any(|line| line == format!("configmap/c{number}")), "c{number} is lost:\n{names}");
    }
}

/// Every process's command line.
fn ps() -> Vec<u8> {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes.filter_map(|entry| std::fs::read(entry.unwrap().path().join("cmdline")).ok()).flatten().collect()
}
