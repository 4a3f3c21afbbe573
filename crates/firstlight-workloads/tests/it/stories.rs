//! Stories: text that says what happens in a cluster, and records what the desks did about it.
//!
//! A story is a file in `tests/stories/`. Lines that begin with `#` are for the reader; indented lines are what was
//! done, recorded. `UPDATE_STORIES=1` records anew; read the difference before you keep it. What happens:
//!
//! ```text
//! put RESOURCE NAMESPACE/NAME YAML     made, or merged into what is there
//! delete RESOURCE NAMESPACE/NAME [Foreground|Orphan]
//! gone NAMESPACE/NAME...               pods whose node has let them go
//! ready NAMESPACE/NAME...              pods that run and are ready; also: unready, fail, succeed
//! pass 10                              seconds go by
//! list RESOURCE NAMESPACE              prints names, owners and what else can be told of them
//! ```
//!
//! Cluster-scoped objects are written without a namespace. `@configmaps:a/b` stands for the UID of that object.

use crate::cluster::Cluster;
use firstlight_api::object::{Key, Resource, resources};
use firstlight_api::time;
use firstlight_api::view::View;
use firstlight_workloads::Settings;
use firstlight_workloads::act::{Act, Policy};
use firstlight_workloads::world::{deleting, name, owners, uid};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn every_story_is_told_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 15, "stories are missing");
    let mut different = Vec::new();
    for path in paths {
        let recorded = std::fs::read_to_string(&path).unwrap();
        let told = tell(&recorded);
        if told != recorded {
            if std::env::var_os("UPDATE_STORIES").is_some() {
                std::fs::write(&path, told).unwrap();
            } else {
                different.push(format!("{}\n{}", path.display(), first_difference(&recorded, &told)));
            }
        }
    }
    assert!(different.is_empty(), "UPDATE_STORIES=1 records anew:\n{}", different.join("\n"));
}

fn first_difference(recorded: &str, told: &str) -> String {
    let mut lines = recorded.lines().zip(told.lines()).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((number, (a, b))) => format!("  line {}:\n  recorded {a}\n  told     {b}", number + 1),
        None => "  one is longer".to_owned(),
    }
}

fn tell(text: &str) -> String {
    let mut cluster = Cluster::new(Settings { root_ca: Some("PEM".to_owned()) });
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        out.push_str(line);
        out.push('\n');
        if !line.starts_with('#') && !line.trim().is_empty() {
            let printed = happen(&mut cluster, line);
            for line in printed.into_iter().chain(cluster.settle().iter().map(print)) {
                out.push_str(&format!("  {line}\n"));
            }
        }
    }
    out
}

fn resource(plural: &str) -> Resource {
    resources::ALL.into_iter().find(|r| r.plural == plural).unwrap_or_else(|| panic!("no resource {plural}"))
}

fn key(resource: Resource, place: &str) -> Key {
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    Key::new(resource, namespace, name)
}

fn happen(cluster: &mut Cluster, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["put", plural, place, ..] => {
            let yaml = with_uids(cluster, line.splitn(4, ' ').nth(3).unwrap_or("{}"));
            let yaml = yaml.as_str();
            let patch: Value = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{line}: {e}"));
            cluster.put(&key(resource(plural), place), &patch);
        }
        ["delete", plural, place] => cluster.delete(&key(resource(plural), place), None),
        ["delete", plural, place, policy] => cluster.delete(&key(resource(plural), place), Some(policy)),
        ["gone", places @ ..] => places.iter().for_each(|place| cluster.gone(&key(resources::PODS, place))),
        ["pass", seconds] => cluster.pass(seconds.parse::<u64>().unwrap() * 1000),
        ["list", plural, namespace] => {
            return cluster.world.list(resource(plural), namespace).map(describe).collect();
        }
        ["list", plural] => return cluster.world.list(resource(plural), "").map(describe).collect(),
        [how @ ("ready" | "unready" | "fail" | "succeed"), places @ ..] => {
            for place in places {
                stand(cluster, &key(resources::PODS, place), how);
            }
        }
        _ => panic!("nobody knows how to: {line}"),
    }
    Vec::new()
}

fn with_uids(cluster: &Cluster, yaml: &str) -> String {
    let mut out = String::new();
    let mut parts = yaml.split('@');
    out.push_str(parts.next().unwrap_or(""));
    for part in parts {
        let end = part.find([',', '}']).unwrap_or(part.len());
        let (plural, place) = part[..end].split_once(':').unwrap();
        out.push_str(uid(cluster.world.get(&key(resource(plural), place)).unwrap()));
        out.push_str(&part[end..]);
    }
    out
}

fn stand(cluster: &mut Cluster, key: &Key, how: &str) {
    let (phase, ready) = match how {
        "ready" => ("Running", "True"),
        "unready" => ("Running", "False"),
        "fail" => ("Failed", "False"),
        _ => ("Succeeded", "False"),
    };
    let number: u32 = cluster.world.get(key).unwrap()["metadata"]["uid"].as_str().unwrap()[1..].parse().unwrap();
    let since = time::write(time::Now(cluster.now_ms));
    let condition = json!({ "type": "Ready", "status": ready, "lastTransitionTime": since });
    let status = json!({ "phase": phase, "podIP": format!("10.0.0.{number}"), "conditions": [condition] });
    cluster.put(key, &json!({ "status": status }));
}

fn place(key: &Key) -> String {
    let slash = if key.namespace.is_empty() { "" } else { "/" };
    format!("{} {}{slash}{}", key.resource.plural, key.namespace, key.name)
}

fn print(act: &Act) -> String {
    match act {
        Act::Create { resource, object, .. } => {
            let namespace = object["metadata"]["namespace"].as_str().unwrap();
            format!("create {} {namespace}/{}", resource.plural, describe(object))
        }
        Act::Replace { key, object } => {
            format!("replace {} {}/{}", key.resource.plural, key.namespace, describe(object))
        }
        Act::Status { key, object } => format!("status {}: {}", place(key), status(&object["status"])),
        Act::Patch { key, patch } => {
            let mut patch = patch.clone();
            if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("resourceVersion");
            }
            format!("patch {} {patch}", place(key))
        }
        Act::Delete { key, policy, .. } => match policy {
            Policy::Background => format!("delete {}", place(key)),
            Policy::Foreground => format!("delete {} and first what it owns", place(key)),
        },
        Act::DeleteAll { resource, namespace } => format!("delete all {} of {namespace}", resource.plural),
        Act::Finalize { namespace } => format!("finalize {}", name(namespace)),
        Act::Collect { key, keep, gone, .. } => {
            let gone = gone.iter().map(|o| o.text("name")).collect::<Vec<_>>().join(", ");
            match keep {
                None => format!("collect {}: {gone} is gone", place(key)),
                Some(_) => format!("forget {gone}, which is gone, in {}", place(key)),
            }
        }
        Act::Tell(event) => {
            let kind = if event.warning { "Warning" } else { "Normal" };
            format!("tell {kind} {}: {}", event.reason, event.message)
        }
    }
}

fn status(status: &Value) -> String {
    let n = |key: &str| status.int(key).unwrap_or(0);
    format!(
        "{} replicas, {} ready, {} available, {} of {}, {} of {} (generation {})",
        n("replicas"),
        n("readyReplicas"),
        n("availableReplicas"),
        n("currentReplicas"),
        status.text("currentRevision"),
        n("updatedReplicas"),
        status.text("updateRevision"),
        n("observedGeneration")
    )
}

/// An object in a line, by what its kind is about.
fn describe(object: &Value) -> String {
    let mut words = vec![name(object).to_owned()];
    match object.text("kind") {
        "Pod" => {
            let image = object["spec"]["containers"][0].text("image");
            words.push(format!(
                "image={image} revision={}",
                object["metadata"]["labels"].text("controller-revision-hash")
            ));
        }
        "EndpointSlice" => {
            let word = |yes: bool, word: &'static str| if yes { word } else { "" };
            for endpoint in object.list("endpoints") {
                let conditions = endpoint.object("conditions");
                let says = [
                    word(conditions.flag("ready"), "ready"),
                    word(conditions.flag("serving") && !conditions.flag("ready"), "serving"),
                    word(conditions.flag("terminating"), "terminating"),
                ];
                let host = endpoint.text_some("hostname").map(|h| format!("={h}")).unwrap_or_default();
                let says = says.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join("+");
                words.push(format!("{}{host}({says})", endpoint["addresses"][0].as_str().unwrap()));
            }
            for port in object.list("ports") {
                words.push(format!("{}:{}/{}", port.text("name"), port["port"], port.text("protocol")));
            }
        }
        "ControllerRevision" => words.push(format!("number={}", object["revision"])),
        _ => {}
    }
    if deleting(object) {
        words.push("(going)".to_owned());
    }
    let owner =
        |o: &Value| format!("<- {}{}", o.text("name"), if o.flag("controller") { "" } else { " (not managed)" });
    words.extend(owners(object).iter().map(owner));
    words.join(" ")
}
