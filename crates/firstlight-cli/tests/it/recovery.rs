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
