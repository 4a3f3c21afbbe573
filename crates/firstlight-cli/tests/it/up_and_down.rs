//! `firstlight up` and `firstlight down`, as a person uses them.

use crate::harness::{Engine, assert_ok, left, pod, text};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;

fn write(engine: &Engine, name: &str, object: &Value) -> PathBuf {
    let file = engine.scratch(name);
    std::fs::write(&file, object.to_string()).unwrap();
    file
}

#[test]
fn up_starts_an_engine_waits_for_ready_and_a_second_up_changes_nothing() {
    let engine = Engine::stopped();
    let file = write(&engine, "web.json", &pod("web", &[("a", "true"), ("b", "true")], &[("main", "sleep 1000")]));
    let first = engine.command("up").arg(&file).output().unwrap();
    assert_ok(&first);
    let said = text(&first.stdout);
    assert!(said.contains("Pod default/web created"), "{said}");
    assert!(said.contains("[1/2] a") && said.contains("[2/2] b") && said.contains("done"), "{said}");
    assert!(said.contains("everything is ready after"), "{said}");
    let before = engine.field("pod web", "{.metadata.resourceVersion}");
    let second = engine.command("up").arg(&file).output().unwrap();
    assert_ok(&second);
    assert!(text(&second.stdout).contains("Pod default/web unchanged"));
    assert_eq!(engine.field("pod web", "{.metadata.resourceVersion}"), before);
    let down = engine.command("down").output().unwrap();
    assert_ok(&down);
    assert!(!engine.data().exists(), "down leaves no file");
}

#[test]
fn several_ups_at_once_on_a_fresh_directory_share_one_engine() {
    let engine = Engine::stopped();
    let ups: Vec<_> = ["a", "b", "c"]
        .map(|name| write(&engine, name, &pod(name, &[], &[("main", "sleep 1000")])))
        .map(|file| engine.command("up").arg(file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .into();
    for up in ups {
        assert_ok(&up.wait_with_output().unwrap());
    }
    assert_eq!(engine.kubectl(&["get", "pods", "-o", "name"]).lines().count(), 3);
}

#[test]
fn the_engine_takes_all_descriptors_it_may_have_and_pods_get_what_it_was_given() {
    let engine = Engine::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", engine.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let [soft, hard] = line.split_whitespace().take(2).collect::<Vec<_>>()[..] else { panic!("{line}") };
    assert_eq!(soft, hard);
    engine.apply(&pod("web", &[], &[("main", "ulimit -S -n; ulimit -H -n; sleep 1000")]));
    engine.ready("web");
    assert_eq!(engine.kubectl(&["logs", "web"]), format!("1024\n{hard}\n"));
    assert_eq!(engine.kubectl(&["exec", "web", "--", "sh", "-c", "ulimit -S -n"]), "1024\n");
}

#[test]
fn the_toolbox_image_is_the_binary_that_the_engine_was_given() {
    let engine = Engine::stopped();
    let mut object = pod("tools", &[], &[("main", "true")]);
    object["spec"]["restartPolicy"] = json!("Never");
    object["spec"]["initContainers"] = json!([{"name": "tool", "image": "firstlight.local/toolbox"}]);
    let file = write(&engine, "tools.json", &object);
    let up =
        |toolbox: &std::path::Path| engine.command("up").arg("--toolbox").arg(toolbox).arg(&file).output().unwrap();
    let missing = up(&engine.scratch("nothing"));
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing.stderr));
    assert!(text(&missing.stderr).contains("nothing: No such file"), "{}", text(&missing.stderr));
    // A busybox under another name says so, and what name it was given.
    let ended = up(std::path::Path::new("/bin/busybox"));
    assert_eq!(ended.status.code(), Some(4), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("fl: applet not found"), "{}", text(&ended.stderr));
}

#[test]
fn up_as_json_is_one_object_per_line() {
    let engine = Engine::stopped();
    let file = write(&engine, "web.json", &pod("web", &[("a", "true")], &[("main", "sleep 1000")]));
    let up = engine.command("up").args(["--output", "json"]).arg(&file).output().unwrap();
    assert_ok(&up);
    let lines: Vec<Value> = text(&up.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({"object": "Pod default/web", "applied": "created"}));
    assert_eq!(lines.last().unwrap()["result"], "ready");
}

#[test]
fn down_takes_everything_from_an_engine_that_goes_on() {
    let engine = Engine::start();
    engine.kubectl(&["create", "configmap", "c", "--from-literal=a=b"]);
    engine.kubectl(&["create", "namespace", "team"]);
    engine.apply(&pod("web", &[], &[("main", "sleep 1000")]));
    assert_ok(&engine.command("down").output().unwrap());
    assert_eq!(engine.kubectl(&["get", "pods,configmaps,secrets,services", "-A", "-o", "name"]), "");
    let namespaces = engine.kubectl(&["get", "namespaces", "-o", "name"]);
    assert!(!namespaces.contains("team"), "{namespaces}");
}

#[test]
fn a_timeout_says_what_the_probe_of_a_pod_that_is_not_ready_found() {
    let engine = Engine::stopped();
    let mut object = pod("shy", &[], &[("main", "sleep 1000")]);
    object["spec"]["containers"][0]["readinessProbe"] =
        json!({"exec": {"command": ["sh", "-c", "echo not yet; false"]}, "periodSeconds": 1});
    let file = write(&engine, "shy.json", &object);
    let up = engine.command("up").args(["--timeout", "6s", "--output", "json"]).arg(&file).output().unwrap();
    let said = text(&up.stderr);
    assert_eq!(up.status.code(), Some(124), "{said}");
    assert!(said.contains("not ready; Readiness probe failed: not yet"), "{said}");
    let while_waiting = r#""detail":"Readiness probe failed: not yet""#;
    assert!(text(&up.stdout).contains(while_waiting), "{}", text(&up.stdout));
    let last: Value = serde_json::from_str(text(&up.stdout).lines().last().unwrap()).unwrap();
    assert_eq!(last["result"], "timeout");
}

#[test]
fn a_timeout_names_pod_step_reason_and_the_end_of_the_log() {
    let engine = Engine::stopped();
    let script = "echo looking for the database; echo not found >&2; exit 3";
    let file = write(&engine, "stuck.json", &pod("stuck", &[("ok", "true"), ("check", script)], &[("main", "true")]));
    let up = engine.command("up").args(["--timeout", "3s"]).arg(&file).output().unwrap();
    let said = text(&up.stderr);
    assert_eq!(up.status.code(), Some(124), "{said}");
    assert!(said.contains("pod default/stuck: init step 2 of 2 \"check\": CrashLoopBackOff"), "{said}");
    assert!(
        said.contains("exit code 3") && said.contains("| looking for the database") && said.contains("| not found"),
        "{said}"
    );
}

#[test]
fn a_pod_that_failed_for_good_ends_up_at_once() {
    let engine = Engine::stopped();
    let mut object = pod("never", &[("check", "exit 3")], &[("main", "true")]);
    object["spec"]["restartPolicy"] = json!("Never");
    let file = write(&engine, "never.json", &object);
    let up = engine.command("up").arg(&file).output().unwrap();
    assert_eq!(up.status.code(), Some(4), "{}", text(&up.stderr));
}

#[test]
fn down_leaves_no_process_mount_cgroup_or_interface() {
    let engine = Engine::stopped();
    let file = write(&engine, "web.json", &pod("web", &[("a", "true")], &[("main", "sleep 1000")]));
    assert_ok(&engine.command("up").arg(&file).output().unwrap());
    let uid = engine.field("pod web", "{.metadata.uid}");
    assert_ok(&engine.command("down").output().unwrap());
    assert_eq!(left(&engine, &[uid]), Vec::<String>::new());
    assert!(!engine.data().exists(), "down leaves no file");
}

/// Pods whose objects go at once, because they have no grace: three that run and ignore SIGTERM.
fn graceless(engine: &Engine) -> Value {
    let mut template = pod("web", &[], &[("main", "trap '' TERM; sleep 1000")]);
    template["spec"]["terminationGracePeriodSeconds"] = json!(0);
    let labels = template["metadata"]["labels"].clone();
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "serviceName": "web", "replicas": 3, "podManagementPolicy": "Parallel", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    });
    let file = write(engine, "web.json", &set);
    assert_ok(&engine.command("up").arg(&file).output().unwrap());
    set
}

fn uids(engine: &Engine) -> Vec<String> {
    let uids = engine.field("pods", "{.items[*].metadata.uid}");
    assert_eq!(uids.split_whitespace().count(), 3, "{uids}");
    uids.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn down_leaves_nothing_of_pods_without_a_grace() {
    let engine = Engine::stopped();
    graceless(&engine);
    let uids = uids(&engine);
    assert_ok(&engine.command("down").output().unwrap());
    assert_eq!(left(&engine, &uids), Vec::<String>::new());
    assert!(!engine.data().exists(), "down leaves no file");
}

#[test]
fn down_waits_for_pods_without_a_grace_where_the_engine_goes_on() {
    let engine = Engine::start();
    graceless(&engine);
    let uids = uids(&engine);
    assert_ok(&engine.command("down").arg(engine.scratch("web.json")).output().unwrap());
    assert_eq!(left(&engine, &uids), Vec::<String>::new());
}

#[test]
fn an_engine_that_ends_without_pods_has_ended_what_was_left_of_them() {
    let mut engine = Engine::start();
    graceless(&engine);
    let uids = uids(&engine);
    engine.kubectl(&["delete", "statefulset,pods", "--all", "--wait=false"]);
    engine.end();
    assert_eq!(left(&engine, &uids), Vec::<String>::new());
}
