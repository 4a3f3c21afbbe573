//! LOG-2, LOG-3, LOG-4: which container, which run, in Kubernetes' words.

use super::{Run, choose, logged_run};
use firstlight_api::status_error::StatusError;
use serde_json::{Value, json};

fn said(refusal: StatusError) -> String {
    let status = refusal.to_value();
    assert_eq!(status["code"], 400);
    status["message"].as_str().expect("a message").to_owned()
}

fn pod(mains: &[&str]) -> Value {
    let named = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
    json!({
        "metadata": { "name": "p" },
        "spec": {
            "initContainers": named(&["i"]),
            "containers": named(mains),
            "ephemeralContainers": named(&["debug"]),
        },
    })
}

#[test]
fn log_3_the_only_main_container_is_meant_even_where_there_are_inits() {
    assert_eq!(choose(&pod(&["a"]), None), Ok("a".to_owned()));
    assert_eq!(choose(&pod(&["a"]), Some("")), Ok("a".to_owned()));
}

#[test]
fn log_3_several_main_containers_must_be_chosen_from() {
    let refusal = choose(&pod(&["a", "b"]), None).expect_err("refused");
    assert_eq!(said(refusal), "a container name must be specified for pod p, choose one of: [i a b debug]");
    let refusal = choose(&pod(&[]), None).expect_err("refused");
    assert_eq!(said(refusal), "a container name must be specified for pod p");
}

#[test]
fn log_4_a_name_must_be_of_a_container_of_any_kind() {
    for name in ["i", "a", "b", "debug"] {
        assert_eq!(choose(&pod(&["a", "b"]), Some(name)), Ok(name.to_owned()));
    }
    assert_eq!(said(choose(&pod(&["a"]), Some("x")).expect_err("refused")), "container x is not valid for pod p");
}

const LATEST: Result<Run, &str> = Ok(Run::Latest);
const BEFORE: Result<Run, &str> = Ok(Run::Before);
const NO_PREVIOUS: Result<Run, &str> = Err(r#"previous terminated container "c" in pod "p" not found"#);
const ENDED: Result<Run, &str> = Err(r#"container "c" in pod "p" is terminated"#);

/// Table of `validateContainerLogStatus`: state, last state, what is logged without and with `previous`.
#[test]
fn log_2_and_log_4_what_is_logged_follows_from_the_status() {
    let running = json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } });
    let ended = json!({ "terminated": { "exitCode": 0, "containerID": "f://1" } });
    let never_ran = json!({ "terminated": { "exitCode": 128, "reason": "StartError" } });
    let waiting = |reason: &str| json!({ "waiting": { "reason": reason } });
    let none = json!({});
    for (state, last, now, previous) in [
        (&running, &none, LATEST, NO_PREVIOUS),
        (&running, &ended, LATEST, BEFORE),
        (&ended, &none, LATEST, NO_PREVIOUS),
        (&ended, &ended, LATEST, BEFORE),
        (&never_ran, &none, ENDED, NO_PREVIOUS),
        (&never_ran, &ended, LATEST, LATEST),
        (&waiting("CrashLoopBackOff"), &ended, LATEST, LATEST),
        (&waiting("CrashLoopBackOff"), &never_ran, ENDED, NO_PREVIOUS),
        (
            &waiting("PodInitializing"),
            &none,
            Err(r#"container "c" in pod "p" is waiting to start: PodInitializing"#),
            NO_PREVIOUS,
        ),
        (
            &waiting("ImagePullBackOff"),
            &none,
            Err(r#"container "c" in pod "p" is waiting to start: trying and failing to pull image"#),
            NO_PREVIOUS,
        ),
        (
            &waiting("ErrImagePull"),
            &none,
            Err(r#"container "c" in pod "p" is waiting to start: image can't be pulled"#),
            NO_PREVIOUS,
        ),
        (&none, &none, Err(r#"container "c" in pod "p" is waiting to start - no logs yet"#), NO_PREVIOUS),
    ] {
        for list in ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] {
            let status = json!([{ "name": "x" }, { "name": "c", "state": state, "lastState": last }]);
            let pod = json!({ "metadata": { "name": "p" }, "status": { list: status } });
            let expect = |wanted: Result<Run, &str>| wanted.map_err(str::to_owned);
            assert_eq!(logged_run(&pod, "c", false).map_err(said), expect(now), "{state} {last}");
            assert_eq!(logged_run(&pod, "c", true).map_err(said), expect(previous), "previous of {state} {last}");
        }
    }
}

#[test]
fn a_container_without_a_status_has_no_log() {
    let pod = json!({ "metadata": { "name": "p" }, "status": {} });
    let refusal = logged_run(&pod, "c", false).expect_err("refused");
    assert_eq!(said(refusal), r#"container "c" in pod "p" is not available"#);
}
