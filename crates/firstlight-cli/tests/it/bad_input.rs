//! Bad input is refused with its place and the way out, and leaves nothing behind.

use crate::harness::{Engine, firstlight, pod, text};
use serde_json::{Value, json};
use std::process::Stdio;

/// Runs `up` on this text and returns exit code and complaint.
fn up(engine: &Engine, manifest: &str) -> (Option<i32>, String) {
    let file = engine.scratch("bad.yaml");
    std::fs::write(&file, manifest).unwrap();
    let output = engine.command("up").args(["--timeout", "20s"]).arg(&file).output().unwrap();
    (output.status.code(), text(&output.stderr))
}

#[test]
fn wrong_manifests_are_refused_by_field_and_nothing_is_stored() {
    let engine = Engine::start();
    let change = |pointer: &str, value: Value| {
        let mut object = pod("bad", &[("a", "true")], &[("main", "true")]);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[key] = value;
        object.to_string()
    };
    let cases = [
        ("a wrong field", change("/spec/contaners", json!([])), "unknown field \"spec.contaners\""),
        ("a wrong type", change("/spec/terminationGracePeriodSeconds", json!("soon")), "terminationGracePeriodSeconds"),
        (
            "a duplicate name",
            change("/spec/initContainers/0/name", json!("main")),
            "spec.initContainers[0].name: Duplicate value: \"main\"",
        ),
        (
            "a name that is no text",
            change("/metadata/name", json!(7)),
            "metadata.name: 7 is not text; write it in quotes",
        ),
        ("an unknown kind", change("/kind", json!("Pot")), "no kind \"Pot\""),
        (
            "a climbing path",
            change(
                "/spec/volumes",
                json!([{"name": "work", "configMap": {"name": "c", "items": [{"key": "k", "path": "../up"}]}}]),
            ),
            "spec.volumes[0].configMap.items[0].path",
        ),
        (
            "an absolute path",
            change(
                "/spec/volumes",
                json!([{"name": "work", "configMap": {"name": "c", "items": [{"key": "k", "path": "/up"}]}}]),
            ),
            "spec.volumes[0].configMap.items[0].path",
        ),
        (
            "a power that is off",
            change("/spec/volumes", json!([{"name": "work", "hostPath": {"path": "/etc"}}])),
            "--allow-host-path",
        ),
        ("what is not honoured", change("/spec/hostNetwork", json!(true)), "spec.hostNetwork"),
    ];
    for (what, manifest, complaint) in cases {
        let (code, said) = up(&engine, &manifest);
        assert_eq!(code, Some(3), "{what}: {said}");
        assert!(said.contains(complaint), "{what}: {said}");
    }
    assert_eq!(engine.kubectl(&["get", "pods", "-o", "name"]), "");
}

#[test]
fn an_alias_bomb_is_refused_before_it_grows() {
    let engine = Engine::start();
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip(["a", "b", "c", "d", "e", "f", "g", "h"]) {
        let list = vec![format!("*{of}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{list}]\n"));
    }
    let (code, said) = up(&engine, &bomb);
    assert_eq!(code, Some(3), "{said}");
}

#[test]
fn a_clusterip_service_is_refused_with_the_way_out() {
    let engine = Engine::start();
    let (code, said) = up(
        &engine,
        &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}})
        .to_string(),
    );
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("spec.clusterIP") && said.contains("None"), "{said}");
}

#[test]
fn a_second_engine_on_the_same_directory_is_told_who_has_it() {
    let engine = Engine::start();
    let second = firstlight().arg("engine").arg("--data-dir").arg(engine.data()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("is used by another engine (process "), "{}", text(&second.stderr));
    assert!(engine.kubectl(&["get", "--raw", "/readyz"]).contains("ok"));
}

#[test]
fn a_refusal_leaves_no_engine_behind_that_was_started_for_it() {
    let engine = Engine::stopped();
    let (code, said) = up(&engine, &json!({"apiVersion": "v1", "kind": "Pot", "metadata": {"name": "p"}}).to_string());
    assert_eq!(code, Some(3), "{said}");
    assert!(!engine.data().exists());
}

#[test]
fn a_directory_with_somebody_s_files_is_refused_and_left_alone() {
    let engine = Engine::stopped();
    std::fs::create_dir(engine.data()).unwrap();
    std::fs::write(engine.data().join("thesis.txt"), "mine").unwrap();
    let (code, said) = up(&engine, &pod("p", &[], &[("main", "true")]).to_string());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("thesis.txt") && said.contains("--data-dir"), "{said}");
    let left = std::fs::read_dir(engine.data()).unwrap().count();
    assert_eq!(left, 1);
}

#[test]
fn a_power_asked_for_too_late_is_not_passed_over_in_silence() {
    let engine = Engine::start();
    let mut object = pod("p", &[], &[("main", "true")]);
    object["spec"]["volumes"] = json!([{"name": "work", "hostPath": {"path": "/etc"}}]);
    let file = engine.scratch("p.json");
    std::fs::write(&file, object.to_string()).unwrap();
    let late = engine.command("up").arg("--allow-host-path").arg(&file).output().unwrap();
    assert_eq!(late.status.code(), Some(3));
    assert!(text(&late.stderr).contains("the engine that runs was started without"), "{}", text(&late.stderr));
}

#[test]
fn nobody_reading_is_no_crash() {
    let mut completions =
        firstlight().args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(completions.stdout.take());
    let ended = completions.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stderr)), (Some(141), String::new()));
}

#[test]
fn usage_errors_exit_with_two() {
    for wrong in [["--context", "x"], ["--max-backoff", "1h"]] {
        assert_eq!(firstlight().arg("engine").args(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
    let no_such = firstlight().args(["up", "--no-such-flag"]).output().unwrap();
    assert_eq!(no_such.status.code(), Some(2));
    let beyond = firstlight().args(["engine", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(beyond.status.code(), Some(2));
    assert!(text(&beyond.stderr).contains("--listen-beyond-loopback"));
}
