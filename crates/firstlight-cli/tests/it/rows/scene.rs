//! What is written in a file of rows: scenes, each with a pod, what happens to it, and what must then be true.

use super::claim::{Claim, claims};
use super::outside::Outside;
use super::part::{Kind, container};
use super::step::{Step, ToObject, ToPod, patch, step};
use super::words::{merge, split, yaml};
use serde_json::{Value, json};

/// A scene, as it is played once.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) title: String,
    /// The pod's name, of which there is one on an engine.
    pub(crate) name: String,
    /// Flags of an engine of its own, if it must not share one.
    pub(crate) engine: Option<Vec<String>>,
    /// What there is before the pod.
    pub(crate) objects: Vec<Value>,
    /// The pod, or the StatefulSet of such pods.
    pub(crate) pod: Value,
    pub(crate) lines: Vec<Line>,
}

/// What happens, or must be true, in the order written.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    Step(Step),
    Row(Row),
}

/// A row: what must be true where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) ids: String,
    /// Whether only what came after the last step counts.
    pub(crate) afterwards: bool,
    pub(crate) claims: Vec<Claim>,
}

/// An item of a scene: its line, and the deeper lines below it.
struct Item {
    line: String,
    below: String,
}

/// The scenes of a file. Where `pod:` names several restart policies, or `for:` several words, a scene is played with each,
/// and a row has one id for each, in that order. `@POD@` is the pod's name, `@IT@` the word, `@WEB@` and `@TLS@` the ports of
/// the server outside; `@SCENE@`, the scene's directory on the host, is filled in where it is played.
pub(crate) fn scenes(file: &str, text: &str, outside: &Outside) -> Vec<Scene> {
    let text = text.replace("@WEB@", &outside.web.to_string()).replace("@TLS@", &outside.tls.to_string());
    let mut scenes = Vec::new();
    let mut items: Vec<Item> = Vec::new();
    let mut stage = |items: &[Item]| {
        let number = scenes.len() + 1;
        scenes.extend(stage(items, &format!("{file}-{number}")));
    };
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if line.starts_with("scene:") && !items.is_empty() {
            stage(&std::mem::take(&mut items));
        }
        let indent = line.len() - line.trim_start().len();
        match items.last_mut() {
            _ if line.trim().is_empty() => {}
            Some(item) if indent >= 4 => {
                item.below.push_str(line);
                item.below.push('\n');
            }
            _ => items.push(Item { line: line.trim().to_owned(), below: String::new() }),
        }
    }
    stage(&items);
    scenes
}

fn stage(items: &[Item], name: &str) -> Vec<Scene> {
    let listed = |key: &str| items.iter().find_map(|item| item.line.strip_prefix(key)).map(|line| split(line, '|'));
    let set = items.iter().any(|item| item.line.starts_with("set:"));
    let policies = listed("pod:").or(set.then(|| vec!["Always".to_owned()]));
    let policies = policies.unwrap_or_else(|| panic!("{}: no pod", items[0].line));
    let words = listed("for:").unwrap_or_else(|| vec![String::new()]);
    let plays: Vec<(&String, &String)> =
        policies.iter().flat_map(|p| words.iter().map(move |word| (p, word))).collect();
    let scenes = plays.iter().enumerate().map(|(nth, (policy, word))| {
        let number = if plays.len() == 1 { String::new() } else { format!("-{}", nth + 1) };
        let name = format!("{name}{number}{word}{}", policy.to_lowercase());
        let fill = |text: &str| text.replace("@POD@", &name).replace("@IT@", word);
        let items: Vec<Item> = items.iter().map(|i| Item { line: fill(&i.line), below: fill(&i.below) }).collect();
        let mut scene = scene(&items, name.clone(), policy, nth, plays.len());
        if plays.len() > 1 {
            scene.title = format!("{} ({policy} {word})", scene.title);
        }
        scene
    });
    scenes.collect()
}

fn scene(items: &[Item], name: String, policy: &str, nth: usize, count: usize) -> Scene {
    let mut scene = Scene {
        title: String::new(),
        pod: pod(&name, policy),
        name,
        engine: None,
        objects: Vec::new(),
        lines: Vec::new(),
    };
    let mut set = None;
    for Item { line, below } in items {
        if is_row(line) {
            scene.lines.push(Line::Row(row(line, below, nth, count)));
            continue;
        }
        match line.split_once(':') {
            Some(("scene", title)) => title.trim().clone_into(&mut scene.title),
            Some(("for", _)) => {}
            Some(("engine", flags)) => scene.engine = Some(flags.split_whitespace().map(str::to_owned).collect()),
            Some(("pod", _)) => merge_pod(&mut scene.pod, below),
            Some(("set", replicas)) => set = Some((replicas.trim().to_owned(), below)),
            Some(("object", _)) => scene.objects.push(yaml(below)),
            Some(("create", _)) => scene.lines.push(Line::Step(Step::Object(ToObject::Create(yaml(below))))),
            Some(("try", on)) => {
                let on: Vec<&str> = on.split_whitespace().collect();
                let on = match on[..] {
                    [] => None,
                    [kind, name] => Some((kind.to_owned(), name.to_owned())),
                    _ => panic!("{line}: not known"),
                };
                scene.lines.push(Line::Step(Step::Object(ToObject::Attempt { on, body: yaml(below) })));
            }
            Some(("replace status", _)) => scene.lines.push(Line::Step(Step::Pod(ToPod::ReplaceStatus(yaml(below))))),
            Some(("patch", to)) => scene.lines.push(Line::Step(patch(to, below))),
            Some((name, what)) if !name.contains(' ') => add(&mut scene.pod, name, what, below),
            _ => scene.lines.push(Line::Step(step(&format!("{line} {}", below.trim())))),
        }
    }
    if let Some((replicas, literal)) = set {
        scene.pod = set_of(&scene.pod, &replicas, literal);
    }
    scene
}

/// A StatefulSet of such pods, whose containers go by the names of their pods.
fn set_of(pod: &Value, replicas: &str, literal: &str) -> Value {
    let name = &pod["metadata"]["name"];
    let replicas: u32 = replicas.parse().unwrap_or_else(|error| panic!("set: {replicas}: {error}"));
    let mut template = pod["spec"].clone();
    template["terminationGracePeriodSeconds"] = json!(10);
    for container in template["containers"].as_array_mut().into_iter().flatten() {
        container["env"][0] = json!({"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    }
    let mut set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "labels": {"set": name}},
        "spec": {"replicas": replicas, "serviceName": name, "selector": {"matchLabels": {"set": name}},
                 "template": {"metadata": {"labels": {"set": name}}, "spec": template}},
    });
    if !literal.trim().is_empty() {
        merge(&mut set["spec"], yaml(literal));
    }
    set
}

fn pod(name: &str, policy: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"restartPolicy": policy,
                 "volumes": [{"name": "scene", "hostPath": {"path": "@SCENE@", "type": "Directory"}}]},
    })
}

fn is_row(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or("");
    first.split(',').all(|id| id.len() == 4 && id.starts_with('T') && id[1..].bytes().all(|b| b.is_ascii_digit()))
}

fn row(line: &str, below: &str, nth: usize, count: usize) -> Row {
    let (ids, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line}: nothing is claimed"));
    let all: Vec<&str> = ids.split(',').collect();
    let ids = if count == 1 {
        ids.to_owned()
    } else {
        assert_eq!(all.len(), count, "{line}: one id for each time it is played");
        all[nth].to_owned()
    };
    let text = format!("{rest} {}", below.split_whitespace().collect::<Vec<_>>().join(" "));
    let (afterwards, text) = match text.trim().strip_prefix("after that:") {
        Some(rest) => (true, rest.to_owned()),
        None => (false, text),
    };
    Row { ids, afterwards, claims: claims(&text) }
}

/// Literal YAML of the pod: its spec, and its metadata under that name.
fn merge_pod(pod: &mut Value, below: &str) {
    if below.trim().is_empty() {
        return;
    }
    let mut literal = yaml(below);
    if let Some(metadata) = literal.as_object_mut().and_then(|object| object.remove("metadata")) {
        merge(&mut pod["metadata"], metadata);
    }
    merge(&mut pod["spec"], literal);
}

fn add(pod: &mut Value, name: &str, what: &str, below: &str) {
    let list = match Kind::of(name) {
        Kind::Init | Kind::Sidecar => "initContainers",
        Kind::Main => "containers",
    };
    let slot = &mut pod["spec"][list];
    if slot.is_null() {
        *slot = json!([]);
    }
    slot.as_array_mut().unwrap().push(container(name, what, below));
}
