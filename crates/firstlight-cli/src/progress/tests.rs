//! A pod coming up, as its watcher sees it.

use super::*;
use serde_json::json;

fn pod(inits: Value, mains: Value, ready: bool) -> Value {
    json!({
        "metadata": {"namespace": "n", "name": "p", "uid": "1"},
        "spec": {"initContainers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "m"}]},
        "status": {"phase": "Pending", "initContainerStatuses": inits, "containerStatuses": mains,
                   "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}
    })
}

fn waiting(name: &str, reason: &str) -> Value {
    json!({"name": name, "ready": false, "state": {"waiting": {"reason": reason}}})
}

fn running(name: &str, ready: bool) -> Value {
    json!({"name": name, "ready": ready, "started": true, "state": {"running": {}}})
}

fn done(name: &str) -> Value {
    json!({"name": name, "ready": true, "started": false, "state": {"terminated": {"exitCode": 0}}})
}

#[test]
fn each_step_is_told_once_with_how_long_it_took() {
    let ms = Duration::from_millis;
    let mut board = Board::default();
    let mut told = Vec::new();
    let mut at = |time: u64, pod: Value| {
        told.extend(board.fold(&pod, ms(time)).into_iter().map(|l| (time, l.step, l.what)));
    };
    let (m, b) = (waiting("m", "PodInitializing"), waiting("b", "PodInitializing"));
    at(0, pod(json!([waiting("a", "PodInitializing"), b]), json!([m]), false));
    at(10, pod(json!([running("a", false), b]), json!([m]), false));
    at(20, pod(json!([running("a", false), b]), json!([m]), false));
    at(30, pod(json!([done("a"), waiting("b", "ErrImagePull")]), json!([m]), false));
    at(50, pod(json!([done("a"), done("b")]), json!([running("m", false)]), false));
    at(90, pod(json!([done("a"), done("b")]), json!([running("m", true)]), true));
    let step = |name: &str| Some(name.to_owned());
    assert_eq!(
        told,
        vec![
            (10, step("a"), What::Running),
            (30, step("a"), What::Done(Some(ms(20)))),
            (30, step("b"), What::Waiting("ErrImagePull".into())),
            (50, step("b"), What::Done(Some(ms(20)))),
            (50, step("m"), What::Running),
            (90, step("m"), What::Ready(Some(ms(40)))),
            (90, None, What::Ready(Some(ms(90)))),
        ]
    );
}

#[test]
fn a_step_seen_only_when_it_is_over_counts_from_the_end_of_the_one_before() {
    let ms = Duration::from_millis;
    let mut board = Board::default();
    let (a, b, m) = (waiting("a", "PodInitializing"), waiting("b", "PodInitializing"), waiting("m", "PodInitializing"));
    board.fold(&pod(json!([a, b]), json!([m]), false), ms(0));
    board.fold(&pod(json!([done("a"), b]), json!([m]), false), ms(3000));
    board.fold(&pod(json!([done("a"), done("b")]), json!([m]), false), ms(3010));
    board.fold(&pod(json!([done("a"), done("b")]), json!([running("m", false)]), false), ms(3025));
    board.fold(&pod(json!([done("a"), done("b")]), json!([running("m", true)]), true), ms(3030));
    let took: Vec<_> = board.summary().flat_map(|pod| pod.steps).map(|step| step.took).collect();
    assert_eq!(took, [Some(ms(3000)), Some(ms(10)), Some(ms(20))]);
}

#[test]
fn how_long_it_took_is_not_known_of_what_was_over_when_first_seen() {
    let ms = Duration::from_millis;
    let mut board = Board::default();
    let lines = board.fold(&pod(json!([done("a"), done("b")]), json!([running("m", true)]), true), ms(5));
    let told: Vec<_> = lines.into_iter().map(|line| line.what).collect();
    assert_eq!(told, [What::Done(None), What::Done(None), What::Ready(None), What::Ready(None)]);
}
