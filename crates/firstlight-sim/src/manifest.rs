//! Which pods do people ask for? Manifests of every shape, whose commands are the programs of the imaginary kernel.
//!
//! | command | what it does |
//! | --- | --- |
//! | `end CODE MS` | ends with this code within so long |
//! | `toss PERCENT MS` | ends with 1 that often, else with 0 |
//! | `flaky PERCENT MS` | the same while things go wrong; where all is calm it runs |
//! | `run` | runs until it is asked to stop |
//! | `stubborn` | runs until it is killed |

use crate::luck::Luck;
use firstlight_api::defaults;
use firstlight_api::object::resources;
use firstlight_api::schema::Kind;
use serde_json::{Value, json};

/// The node that every pod is bound to.
pub(crate) const NODE: &str = "node1";

/// The ConfigMap that pods may need, in `default`.
pub(crate) const CONFIG: &str = "settings";

/// A pod as the API stores it.
pub(crate) fn pod(name: &str, uid: &str, created: &str, luck: &mut Luck) -> Value {
    let policy = *luck.one(&["Always", "OnFailure", "Never"]);
    let inits: Vec<Value> = (0..luck.below(4)).map(|index| init(index, luck)).collect();
    let mains: Vec<Value> = (0..=luck.below(2)).map(|index| main(index, policy, luck)).collect();
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": uid, "generation": 1, "creationTimestamp": created},
        "spec": {
            "nodeName": NODE, "restartPolicy": policy, "initContainers": inits, "containers": mains,
            "terminationGracePeriodSeconds": luck.below(15),
        },
        "status": {"phase": "Pending"},
    });
    if luck.happens(300) {
        pod["spec"]["volumes"] = json!([{"name": "files", "configMap": {"name": CONFIG}}]);
    }
    if luck.happens(50) {
        pod["spec"]["activeDeadlineSeconds"] = json!(1 + luck.below(60));
    }
    if let Some(kind) = Kind::of(resources::PODS) {
        defaults::apply(kind, &mut pod);
    }
    pod
}

fn init(index: u64, luck: &mut Luck) -> Value {
    if luck.happens(300) {
        let mut sidecar = container(&format!("side{index}"), &["run"], luck);
        sidecar["restartPolicy"] = json!("Always");
        if luck.happens(150) {
            sidecar["command"] = json!(["flaky", "50", "3000"]);
        }
        probe(&mut sidecar, "startupProbe", luck);
        probe(&mut sidecar, "livenessProbe", luck);
        probe(&mut sidecar, "readinessProbe", luck);
        hooks(&mut sidecar, luck);
        return sidecar;
    }
    let program = *luck.one(&[&["end", "0", "300"], &["end", "0", "20"], &["toss", "30", "200"]]);
    let mut init = container(&format!("init{index}"), program, luck);
    restart_all(&mut init, luck);
    init
}

fn main(index: u64, policy: &str, luck: &mut Luck) -> Value {
    let programs: &[&[&str]] = match policy {
        "Always" => &[&["run"], &["stubborn"], &["flaky", "50", "20000"]],
        _ => &[&["end", "0", "5000"], &["toss", "40", "3000"], &["end", "0", "30000"]],
    };
    let program = *luck.one(programs);
    let mut main = container(&format!("main{index}"), program, luck);
    restart_all(&mut main, luck);
    probe(&mut main, "startupProbe", luck);
    probe(&mut main, "livenessProbe", luck);
    probe(&mut main, "readinessProbe", luck);
    hooks(&mut main, luck);
    main
}

fn container(name: &str, program: &[&str], luck: &mut Luck) -> Value {
    let mut container = json!({
        "name": name, "image": format!("{name}:1"), "command": program,
        "imagePullPolicy": *luck.one(&["IfNotPresent", "Always"]),
    });
    if luck.happens(100) {
        let source = json!({"configMapKeyRef": {"name": CONFIG, "key": "k"}});
        container["env"] = json!([{"name": "K", "valueFrom": source}]);
    }
    container
}

/// Some containers that fail have all of their pod begin again (RST-12).
fn restart_all(container: &mut Value, luck: &mut Luck) {
    if luck.happens(100) {
        container["restartPolicy"] = json!("Never");
        container["restartPolicyRules"] =
            json!([{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [1]}}]);
    }
}

fn probe(container: &mut Value, kind: &str, luck: &mut Luck) {
    if luck.happens(200) {
        let failures = 2 + luck.below(3);
        container[kind] = json!({
            "exec": {"command": ["well"]}, "periodSeconds": 1 + luck.below(5), "failureThreshold": failures,
        });
    }
}

fn hooks(container: &mut Value, luck: &mut Luck) {
    for hook in ["postStart", "preStop"] {
        if luck.happens(150) {
            let handler = if luck.happens(500) {
                json!({"exec": {"command": ["well"]}})
            } else {
                json!({"sleep": {"seconds": 1}})
            };
            container["lifecycle"][hook] = handler;
        }
    }
}
