//! A stock kubectl cannot tell the difference.

use crate::harness::{BUSYBOX, Engine, assert_ok, eventually, pod, text};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

#[test]
fn get_shows_tables_wide_yaml_json_and_selects_by_label() {
    let engine = Engine::start();
    engine.apply(&pod("web", &[], &[("main", "sleep 1000")]));
    engine.apply(&pod("other", &[], &[("main", "sleep 1000")]));
    engine.ready("web");
    let table = engine.kubectl(&["get", "pods", "-l", "app=web"]);
    let mut lines = table.lines();
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    );
    assert_eq!(lines.next().unwrap().split_whitespace().take(4).collect::<Vec<_>>(), ["web", "1/1", "Running", "0"]);
    assert_eq!(lines.next(), None);
    let wide = engine.kubectl(&["get", "pods", "-o", "wide"]);
    assert!(wide.lines().next().unwrap().contains("NOMINATED NODE"), "{wide}");
    assert!(engine.kubectl(&["get", "pod", "web", "-o", "yaml"]).contains("\n  phase: Running\n"));
    assert!(engine.kubectl(&["get", "pod", "web", "-o", "json"]).contains("\"phase\": \"Running\""));
}

#[test]
fn prt_8_a_watch_shows_each_init_step_then_running() {
    let engine = Engine::start();
    let mut watch = engine
        .kubectl_command(&["get", "pods", "-w", "--no-headers"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    engine.apply(&pod("two", &[("a", "sleep 0.3"), ("b", "sleep 0.3")], &[("main", "sleep 1000")]));
    let mut seen: Vec<String> = Vec::new();
    for line in BufReader::new(watch.stdout.take().unwrap()).lines() {
        let status = line.unwrap().split_whitespace().nth(2).unwrap_or_default().to_owned();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        if seen.last().is_some_and(|status| status == "Running") {
            break;
        }
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    seen.retain(|status| status != "Pending");
    assert_eq!(seen, ["Init:0/2", "Init:1/2", "PodInitializing", "Running"]);
}

#[test]
fn apply_server_side_names_conflicts_takes_over_by_force_and_takes_back_what_is_not_applied_any_more() {
    let engine = Engine::start();
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data});
    let apply =
        |map: &Value, flags: &[&str]| engine.pipe(&[&["apply", "--server-side", "-f", "-"], flags].concat(), map);
    let made = apply(&map(json!({"a": "1", "b": "1"})), &[]);
    assert_eq!(text(&made.stdout).trim(), "configmap/m serverside-applied", "{}", text(&made.stderr));

    let refused = apply(&map(json!({"a": "2"})), &["--field-manager=other"]);
    let words = text(&refused.stderr);
    assert!(!refused.status.success());
    assert!(words.contains("Apply failed with 1 conflict: conflict with \"kubectl\": .data.a"), "{words}");
    assert!(words.contains("--force-conflicts"), "kubectl explains the ways out: {words}");
    assert_ok(&apply(&map(json!({"a": "2"})), &["--field-manager=other", "--force-conflicts"]));
    assert_eq!(engine.field("configmap m", "{.data}"), r#"{"a":"2","b":"1"}"#);

    assert_ok(&apply(&map(json!({"c": "1"})), &[]));
    assert_eq!(engine.field("configmap m", "{.data}"), r#"{"a":"2","c":"1"}"#, "b was kubectl's, a is other's now");
}

#[test]
fn apply_server_side_takes_over_what_apply_made_before_without_a_conflict() {
    let engine = Engine::start();
    let mut object = pod("web", &[], &[("main", "sleep 1000")]);
    assert_eq!(engine.apply(&object).trim(), "pod/web created");
    engine.ready("web");
    let uid = engine.field("pod web", "{.metadata.uid}");
    object["metadata"]["labels"]["tier"] = json!("front");
    assert_ok(&engine.pipe(&["apply", "--server-side", "-f", "-"], &object));
    let version = engine.field("pod web", "{.metadata.resourceVersion}");
    assert_ok(&engine.pipe(&["apply", "--server-side", "-f", "-"], &object));
    assert_eq!(engine.field("pod web", "{.metadata.resourceVersion}"), version, "the second time nothing is written");
    assert_eq!(
        engine.field("pod web", "{.metadata.uid} {.metadata.labels.tier} {.status.phase}"),
        format!("{uid} front Running")
    );
}

#[test]
fn apply_again_changes_nothing_and_a_changed_label_is_configured() {
    let engine = Engine::start();
    let mut object = pod("web", &[], &[("main", "sleep 1000")]);
    assert_eq!(engine.apply(&object).trim(), "pod/web created");
    assert_eq!(engine.apply(&object).trim(), "pod/web unchanged");
    object["metadata"]["labels"]["tier"] = json!("front");
    assert_eq!(engine.apply(&object).trim(), "pod/web configured");
    assert_eq!(engine.field("pod web", "{.metadata.labels.tier}"), "front");
}

#[test]
fn create_sub_commands_send_protobuf_and_are_understood() {
    let engine = Engine::start();
    engine.kubectl(&["create", "namespace", "n"]);
    engine.kubectl(&["-n", "n", "create", "configmap", "c", "--from-literal=a=1"]);
    engine.kubectl(&["-n", "n", "create", "secret", "generic", "s", "--from-literal=p=w"]);
    assert_eq!(engine.field("configmap c -n n", "{.data.a}"), "1");
    assert_eq!(engine.field("secret s -n n", "{.data.p}"), "dw==");
    let again = engine.try_kubectl(&["-n", "n", "create", "configmap", "c"]);
    assert_eq!(text(&again.stderr).trim(), "error: failed to create configmap: configmaps \"c\" already exists");
    engine.kubectl(&["delete", "namespace", "n", "--timeout=30s"]);
    assert!(!engine.try_kubectl(&["get", "namespace", "n"]).status.success());
}

#[test]
fn delete_waits_until_the_pod_is_gone() {
    let engine = Engine::start();
    engine.apply(&pod("web", &[], &[("main", "trap 'exit 0' TERM; sleep 1000 & wait")]));
    engine.ready("web");
    engine.kubectl(&["delete", "pod", "web", "--timeout=30s"]);
    let gone = engine.try_kubectl(&["get", "pod", "web"]);
    assert_eq!(text(&gone.stderr).trim(), "Error from server (NotFound): pods \"web\" not found");
}

#[test]
fn prt_10_describe_shows_inits_before_containers_and_events() {
    let engine = Engine::start();
    engine.apply(&pod("web", &[("prepare", "true")], &[("main", "sleep 1000")]));
    engine.ready("web");
    eventually("describe has the Started event of the main container", || {
        let text = engine.kubectl(&["describe", "pod", "web"]);
        let (inits, mains) = (text.find("Init Containers:"), text.find("\nContainers:"));
        inits.is_some() && inits < mains && text.contains("Scheduled") && text.matches("Started").count() >= 2
    });
    let events = engine.kubectl(&["events", "--for", "pod/web"]);
    assert!(events.contains("Container started"), "{events}");
}

#[test]
fn kre_9_logs_follow_tail_and_show_the_instance_before() {
    let engine = Engine::start();
    let script =
        "echo one; echo two; echo three; if [ -e /work/again ]; then sleep 1000; fi; touch /work/again; exit 1";
    engine.apply(&pod("web", &[("prepare", "echo prepared")], &[("main", script)]));
    eventually("the second instance runs", || {
        engine.field("pod web", "{.status.containerStatuses[0].restartCount}") == "1"
    });
    eventually("it has said its lines", || engine.kubectl(&["logs", "web", "-c", "main"]) == "one\ntwo\nthree\n");
    assert_eq!(engine.kubectl(&["logs", "web", "-c", "prepare"]), "prepared\n");
    assert_eq!(engine.kubectl(&["logs", "web", "--tail=1"]), "three\n");
    assert_eq!(engine.kubectl(&["logs", "web", "-p", "--tail=2"]), "two\nthree\n");
    let mut follow = engine.kubectl_command(&["logs", "web", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    engine.kubectl(&["delete", "pod", "web", "--now", "--timeout=30s"]);
    assert_eq!(lines.map(Result::unwrap).collect::<Vec<_>>(), ["two", "three"]);
    follow.wait().unwrap();
}

#[test]
fn exec_carries_stdin_output_and_the_exit_code() {
    let engine = Engine::start();
    engine.apply(&pod("web", &[], &[("main", "sleep 1000")]));
    engine.ready("web");
    assert_eq!(engine.kubectl(&["exec", "web", "--", "hostname"]), "web\n");
    let mut cat = engine
        .kubectl_command(&["exec", "-i", "web", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    cat.stdin.take().unwrap().write_all(b"through and back\n").unwrap();
    assert_eq!(text(&cat.wait_with_output().unwrap().stdout), "through and back\n");
    let code = engine.try_kubectl(&["exec", "web", "--", "sh", "-c", "echo oops >&2; exit 7"]);
    assert_eq!(code.status.code(), Some(7));
    assert!(text(&code.stderr).starts_with("oops\n"), "{}", text(&code.stderr));
}

#[test]
fn exec_with_a_terminal_has_one() {
    let engine = Engine::start();
    engine.apply(&pod("web", &[], &[("main", "sleep 1000")]));
    engine.ready("web");
    let output = at_a_terminal(&engine, &["exec", "-it", "web", "--", "tty"]);
    assert!(output.contains("/dev/pts/"), "{output}");
}

/// What kubectl prints at a terminal of its own, which util-linux's script gives it.
fn at_a_terminal(engine: &Engine, arguments: &[&str]) -> String {
    let kubectl = engine.kubectl_command(arguments);
    let line: Vec<String> = std::iter::once(kubectl.get_program())
        .chain(kubectl.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let output = std::process::Command::new("script")
        .args(["-qec", &line.join(" "), "/dev/null"])
        .env("KUBECONFIG", engine.kubeconfig())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    text(&output.stdout)
}

#[test]
fn t328_and_t329_debug_looks_into_a_running_pod_and_leaves_it_as_it_was() {
    let engine = Engine::start();
    engine.apply(&pod("web", &[], &[("main", "sleep 4711"), ("other", "sleep 1000")]));
    engine.ready("web");
    let mains = || engine.field("pod web", "{.status.containerStatuses[*].containerID}");
    let before = mains();
    let look = ["debug", "web", "-it", "--image", BUSYBOX, "--target=main", "-c", "look", "--profile=general", "--"];
    let seen = at_a_terminal(&engine, &[&look[..], &["ps"]].concat());
    assert!(seen.contains("sleep 4711"), "it sees its target's processes: {seen}");
    assert!(!seen.contains("sleep 1000"), "and no others: {seen}");
    let status = |name: &str, field: &str| {
        engine.field("pod web", &format!("{{.status.ephemeralContainerStatuses[?(@.name==\"{name}\")].{field}}}"))
    };
    eventually("the first has ended", || status("look", "state.terminated.exitCode") == "0");

    let again = ["debug", "web", "--image", BUSYBOX, "-c", "again", "--profile=general", "--", "sh", "-c"];
    engine.kubectl(&[&again[..], &["hostname; ls /work; ps; sleep 1000"]].concat());
    eventually("the second runs", || !status("again", "state.running.startedAt").is_empty());
    eventually("its log", || engine.kubectl(&["logs", "web", "-c", "again"]).contains("ps"));
    let log = engine.kubectl(&["logs", "web", "-c", "again"]);
    assert!(log.starts_with("web\n") && !log.contains("sleep 4711"), "no target, no processes but its own: {log}");
    assert_eq!(engine.kubectl(&["exec", "web", "-c", "again", "--", "echo", "hears"]), "hears\n");
    assert_eq!((status("look", "restartCount"), mains()), ("0".to_owned(), before));
    engine.ready("web");
    let events = engine.kubectl(&["get", "events", "-o", "jsonpath={.items[*].involvedObject.fieldPath}"]);
    assert!(events.contains("spec.ephemeralContainers{again}"), "{events}");
    let ghost = engine.try_kubectl(&["debug", "web", "--image", BUSYBOX, "--target=ghost", "--profile=general"]);
    assert!(!ghost.status.success());
    assert!(text(&ghost.stderr).contains("targetContainerName: Not found: \"ghost\""), "{}", text(&ghost.stderr));
    engine.kubectl(&["delete", "pod", "web"]);
}

#[test]
fn a_container_has_a_terminal_however_long_its_name() {
    let engine = Engine::start();
    let mut object = pod("shell", &[], &[("main", "[ -t 0 ] && echo on a terminal; sleep 1000")]);
    let name = "n".repeat(63);
    object["spec"]["containers"][0]["name"] = json!(name);
    object["spec"]["containers"][0]["stdin"] = json!(true);
    object["spec"]["containers"][0]["tty"] = json!(true);
    engine.apply(&object);
    engine.ready("shell");
    eventually("the terminal's log", || engine.kubectl(&["logs", "shell"]) == "on a terminal\r\n");
}

#[test]
fn port_forward_reaches_a_port_in_the_pod() {
    let engine = Engine::start();
    let serve = "mkdir -p /work/www; echo page > /work/www/index.html; exec httpd -f -p 8080 -h /work/www";
    let mut object = pod("web", &[], &[("main", serve)]);
    object["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1});
    engine.apply(&object);
    engine.ready("web");
    let answer = engine.page("web", 8080, 3);
    assert!(answer.ends_with("page\n"), "{answer}");
}

#[test]
fn api_resources_and_version_answer() {
    let engine = Engine::start();
    let resources = engine.kubectl(&["api-resources", "--no-headers"]);
    for kind in [
        "Pod",
        "ConfigMap",
        "Secret",
        "Service",
        "StatefulSet",
        "EndpointSlice",
        "Lease",
        "Namespace",
        "Node",
        "Event",
        "ServiceAccount",
    ] {
        assert!(resources.lines().any(|line| line.ends_with(kind)), "{kind} is missing:\n{resources}");
    }
    assert!(engine.kubectl(&["version"]).contains("Server Version: v1."));
    assert!(engine.kubectl(&["auth", "can-i", "create", "pods"]).contains("yes"));
}

#[test]
fn log_1_and_log_7_an_init_step_is_read_and_entered_while_it_runs_and_read_when_it_is_done() {
    let engine = Engine::start();
    engine.apply(&pod(
        "web",
        &[("prepare", "echo at work; until [ -e /work/go ]; do sleep 0.05; done")],
        &[("main", "sleep 1000")],
    ));
    let running = || engine.field("pod web", "{.status.initContainerStatuses[0].state.running.startedAt}");
    eventually("the step runs", || !running().is_empty());
    eventually("its log is read", || engine.kubectl(&["logs", "web", "-c", "prepare"]) == "at work\n");
    engine.kubectl(&["exec", "web", "-c", "prepare", "--", "touch", "/work/go"]);
    engine.ready("web");
    assert_eq!(engine.kubectl(&["logs", "web", "-c", "prepare"]), "at work\n");
}

#[test]
fn what_is_not_served_is_said_in_kubectl_s_own_words() {
    let engine = Engine::start();
    let unknown = engine.try_apply(&json!({"apiVersion": "apps/v9", "kind": "Pot", "metadata": {"name": "p"}}));
    assert!(text(&unknown.stderr).contains("no matches for kind \"Pot\" in version \"apps/v9\""), "{unknown:?}");
}

#[test]
fn a_statefulset_comes_up_in_order_and_its_pods_find_each_other_by_name() {
    let engine = Engine::start();
    engine.apply(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "default"},
        "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 8080}]}}));
    let serve = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www";
    engine.apply(
        &json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "default"},
        "spec": {"serviceName": "db", "replicas": 3, "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"terminationGracePeriodSeconds": 0,
                "containers": [{"name": "db", "image": BUSYBOX, "command": ["/bin/sh", "-c", serve],
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}}]}}}}),
    );
    engine.kubectl(&["rollout", "status", "statefulset/db", "--timeout=60s"]);
    let started = |pod: &str| engine.field(&format!("pod {pod}"), "{.metadata.creationTimestamp}");
    assert!(started("db-0") <= started("db-1") && started("db-1") <= started("db-2"));
    let answer = engine.kubectl(&["exec", "db-2", "--", "wget", "-qO-", "http://db-0.db:8080/"]);
    assert_eq!(answer, "db-0\n");
    engine.kubectl(&["delete", "statefulset", "db", "--timeout=30s"]);
    eventually("its pods are gone", || engine.kubectl(&["get", "pods", "-o", "name"]).is_empty());
}
