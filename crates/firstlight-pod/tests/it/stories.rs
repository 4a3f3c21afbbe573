//! Stories: text that says what a pod is and what happens to it, and records what was decided and said.
//!
//! A story is a file in `tests/stories/`. Lines that begin with `#` are for the reader. Then the pod, one line for
//! each part; then, after `---`, what happens, each line with its instant in milliseconds; indented lines below it
//! are what this crate answered, recorded. `UPDATE_STORIES=1` records anew; read the difference before you keep it.
//!
//! ```text
//! pod restart=OnFailure grace=30s deadline=60s cap=300s gate=www
//! init a pull=Always            once, sidecar, main: `init`, `sidecar`, `main`
//! sidecar s startup=1s/3/5s     period, failure threshold, own grace: startup, liveness, readiness
//! main m poststart=http prestop restart=Never rule=In:42,43 rule=allIn:88 env=KEY:configmap/c/k subpath=v/$(KEY)
//! main n env=KEY:file/v/path/k mount=v
//! volume v empty | empty 8Ki | configmap/c | secret/s | claim/c | image i:1
//! ```
//!
//! `debug NAME target=MAIN` adds an ephemeral container; `ephemeral NAME` is one that is there already.
//!
//! What happens: `begin`, `restart` (the engine is killed and comes back), `exit NAME CODE [oom|unknown]`,
//! `delete GRACE`, `reboot`, `holds VOLUME BYTES`, `set configmap/c k=v` or `set configmap/c absent`, `sandbox dies`, `image NAME REFERENCE`,
//! `gate NAME true|false`, `nothing`, and how the world answers from now on: `refuse image REFERENCE
//! pull|never|name|inspect WORDS`, `allow image REFERENCE`, `absent REFERENCE TIME`, `refuse create|config|start NAME
//! WORDS`, `allow NAME`, `fail NAME PROBE`, `pass NAME PROBE`, `hook NAME poststart|prestop fails|hangs`, `stops NAME
//! never|CODE TIME`, `refuse sandbox WORDS`, `allow sandbox`, `refuse volume NAME WORDS`, `allow volumes`,
//! `runs NAME TIME CODE`, `starts NAME TIME` (so long takes its start), `takes TIME` (whatever the runtime does).

use crate::pods;
use crate::print::Printer;
use crate::world::{Turned, World};
use firstlight_pod::event::{Event, Exit, Hook, ImageFailure, ProbeKind, StartFailure};
use firstlight_pod::spec::{Container, Spec};
use firstlight_pod::spec::{
    EnvValue, EnvVar, Ephemeral, FileRef, Handler, Init, Mount, Probe, Projection, PullPolicy, RestartPolicy,
    RestartRule, RuleAction, SizeLimit, SourceRef, Volume, VolumeKind,
};
use firstlight_pod::status::Condition;
use firstlight_pod::{Millis, Now};
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn every_story_is_told_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "stories are missing");
    let mut different = Vec::new();
    for path in paths {
        let recorded = std::fs::read_to_string(&path).unwrap();
        let told = tell(&recorded, &path);
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

fn tell(text: &str, path: &Path) -> String {
    let mut out = String::new();
    let mut spec = pods::pod(RestartPolicy::Always, Vec::new(), Vec::new());
    let mut world: Option<World> = None;
    let mut printer = Printer::default();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut turned = Vec::new();
        match (&mut world, words.first()) {
            (_, None | Some(&"#")) => {}
            (_, Some(&"---")) => world = Some(World::new(spec.clone())),
            (None, Some(_)) => describe(&mut spec, &words),
            (Some(world), Some(at)) => {
                let at = at.parse().unwrap_or_else(|_| panic!("{}: no instant: {line}", path.display()));
                printer.print(&world.pass(Now(at)), &mut out);
                turned = happen(world, &words[1..], line);
            }
        }
        out.push_str(line);
        out.push('\n');
        printer.print(&turned, &mut out);
    }
    out
}

/// `30s` or `250ms`.
fn length(text: &str) -> Millis {
    match text.strip_suffix("ms") {
        Some(millis) => Millis(millis.parse().unwrap()),
        None => Millis::secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}

fn source(text: &str) -> SourceRef {
    match text.split_once('/').unwrap() {
        ("configmap", name) => SourceRef::ConfigMap(name.to_owned()),
        ("secret", name) => SourceRef::Secret(name.to_owned()),
        ("claim", name) => SourceRef::Claim(name.to_owned()),
        other => panic!("no such source: {other:?}"),
    }
}

fn policy(text: &str) -> RestartPolicy {
    match text {
        "Always" => RestartPolicy::Always,
        "OnFailure" => RestartPolicy::OnFailure,
        "Never" => RestartPolicy::Never,
        other => panic!("no such policy: {other}"),
    }
}

pub(crate) fn describe(spec: &mut Spec, words: &[&str]) {
    match words[0] {
        "pod" => {
            for word in &words[1..] {
                match word.split_once('=').unwrap() {
                    ("restart", value) => spec.restart = policy(value),
                    ("grace", value) => spec.grace = length(value),
                    ("deadline", value) => spec.deadline = Some(length(value)),
                    ("cap", value) => spec.rules.backoff = spec.rules.backoff.at_most(length(value)),
                    ("gate", value) => spec.readiness_gates.push(value.to_owned()),
                    ("pullsecret", value) => spec.pull_secrets.push(value.to_owned()),
                    other => panic!("no such pod setting: {other:?}"),
                }
            }
        }
        "init" => spec.inits.push(Init::Once(container(words))),
        "sidecar" => spec.inits.push(Init::Sidecar(container(words))),
        "main" => spec.mains.push(container(words)),
        "ephemeral" => spec.ephemerals.push(ephemeral(words)),
        "volume" => {
            let kind = match words[2] {
                "empty" => {
                    let size_limit = words.get(3).map(|text| {
                        let bytes = text.strip_suffix("Ki").unwrap().parse::<u64>().unwrap() << 10;
                        SizeLimit { bytes, text: (*text).to_owned() }
                    });
                    VolumeKind::EmptyDir { memory: false, size_limit }
                }
                "image" => VolumeKind::Image { reference: words[3].to_owned(), pull: PullPolicy::IfNotPresent },
                from => {
                    let source = source(from);
                    if let SourceRef::Claim(name) = source {
                        let kind = VolumeKind::Claim { name, read_only: false, trust_root: false };
                        return spec.volumes.push(Volume { name: words[1].to_owned(), kind });
                    }
                    let memory = matches!(source, SourceRef::Secret(_));
                    let projection = Projection::Source { source, items: Vec::new(), optional: false };
                    VolumeKind::Files { projections: vec![projection], default_mode: 0o644, memory }
                }
            };
            spec.volumes.push(Volume { name: words[1].to_owned(), kind });
        }
        other => panic!("no such part of a pod: {other}"),
    }
}

/// `x target=m`.
fn ephemeral(words: &[&str]) -> Ephemeral {
    let target = words.iter().find_map(|word| word.strip_prefix("target=")).map(str::to_owned);
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with("target=")).collect();
    Ephemeral { container: container(&words), target }
}

fn container(words: &[&str]) -> Container {
    let mut container = pods::container(words[1]);
    let hook = |how: &str| match how {
        "http" => Some(Handler::Http {
            host: String::new(),
            port: 80,
            path: "/".to_owned(),
            https: false,
            headers: Vec::new(),
        }),
        _ => Some(Handler::Exec(vec!["hook".to_owned()])),
    };
    let probe = |value: &str| {
        let mut parts = value.split('/');
        let (period, failures) = (parts.next().unwrap(), parts.next().unwrap());
        let grace = parts.next().map(length);
        Some(Probe { grace, ..pods::probe(length(period), failures.parse().unwrap()) })
    };
    for word in &words[2..] {
        match word.split_once('=').unwrap_or((word, "")) {
            ("poststart", how) => container.post_start = hook(how),
            ("prestop", how) => container.pre_stop = hook(how),
            ("startup", value) => container.startup = probe(value),
            ("liveness", value) => container.liveness = probe(value),
            ("readiness", value) => container.readiness = probe(value),
            ("restart", value) => container.restart = Some(policy(value)),
            ("rule", value) => {
                let (operator, codes) = value.split_once(':').unwrap();
                let codes = codes.split(',').map(|code| code.parse().unwrap()).collect();
                let (operator, action) = match operator.strip_prefix("all") {
                    Some(operator) => (operator, RuleAction::RestartAllContainers),
                    None => (operator, RuleAction::Restart),
                };
                container.restart_rules.push(RestartRule { action, codes, listed: operator == "In" });
            }
            ("image", value) => container.image = value.to_owned(),
            ("pull", "Always") => container.pull = PullPolicy::Always,
            ("pull", "Never") => container.pull = PullPolicy::Never,
            ("env", value) => {
                let (name, from) = value.split_once(':').unwrap();
                let (from, key) = from.rsplit_once('/').unwrap();
                let key = key.to_owned();
                let value = match from.strip_prefix("file/").and_then(|file| file.split_once('/')) {
                    Some((volume, path)) => {
                        let (volume, path) = (volume.to_owned(), path.to_owned());
                        EnvValue::File(FileRef { volume, path, key, optional: false })
                    }
                    None => EnvValue::Key { source: source(from), key, optional: false },
                };
                container.env.push(EnvVar { name: name.to_owned(), value });
            }
            ("mount", volume) => {
                let (volume, path) = (volume.to_owned(), format!("/{volume}"));
                container.mounts.push(Mount { volume, path, ..Mount::default() });
            }
            ("subpath", value) => {
                let (volume, path) = value.split_once('/').unwrap();
                container.mounts.push(Mount {
                    volume: volume.to_owned(),
                    path: "/data".to_owned(),
                    sub_path: path.to_owned(),
                    sub_path_expr: path.contains('$'),
                    ..Mount::default()
                });
            }
            other => panic!("no such container setting: {other:?}"),
        }
    }
    container
}

pub(crate) fn happen(world: &mut World, words: &[&str], line: &str) -> Vec<Turned> {
    let rest = |from: usize| words[from..].join(" ");
    match words {
        ["nothing"] => Vec::new(),
        ["begin" | "restart"] => world.begin(),
        ["exit", name, code, how @ ..] => {
            let exit = Exit {
                code: code.parse().unwrap(),
                oom: how.contains(&"oom"),
                unknown: how.contains(&"unknown"),
                ..Exit::default()
            };
            world.exit(name, exit)
        }
        ["delete", grace] => world.delete(length(grace)),
        ["set", from, "absent"] => world.source(source(from), None),
        ["set", from, pairs @ ..] => {
            let pair = |pair: &&str| {
                let (key, value) = pair.split_once('=').unwrap();
                (key.to_owned(), value.as_bytes().to_vec())
            };
            let content: BTreeMap<String, Vec<u8>> = pairs.iter().map(pair).collect();
            world.source(source(from), Some(content))
        }
        ["sandbox", "dies"] => world.sandbox_dies(),
        ["holds", volume, bytes] => {
            let (volume, bytes) = ((*volume).to_owned(), bytes.parse().unwrap());
            world.happen(vec![Event::VolumeUsed { volume, bytes, at: world.now }])
        }
        ["reboot"] => world.reboot(),
        ["disk", "stops"] => {
            world.manners.disk_stopped = true;
            Vec::new()
        }
        ["disk", "writes"] => world.disk_goes_on(),
        ["image", name, image] => {
            let of_init = world.spec.inits.iter_mut().map(|init| match init {
                Init::Once(container) | Init::Sidecar(container) => container,
            });
            let mut all = of_init.chain(&mut world.spec.mains);
            all.find(|container| container.name == *name).unwrap().image = (*image).to_owned();
            world.spec.generation += 1;
            world.turns(Vec::new())
        }
        ["debug", ..] => {
            world.spec.ephemerals.push(ephemeral(words));
            world.spec.generation += 1;
            world.turns(Vec::new())
        }
        ["gate", name, holds] => {
            let mut status = world.api.clone();
            let condition = Condition {
                kind: (*name).to_owned(),
                holds: *holds == "true",
                reason: String::new(),
                message: String::new(),
                since: world.now,
            };
            status.conditions.push(condition.clone());
            world.gates.push(condition);
            world.happen(vec![Event::Said { status: Box::new(status), at: world.now }])
        }
        _ => {
            behave(world, words, line, &rest);
            Vec::new()
        }
    }
}

fn behave(world: &mut World, words: &[&str], line: &str, rest: &dyn Fn(usize) -> String) {
    let manners = &mut world.manners;
    let probe = |text: &str| match text {
        "startup" => ProbeKind::Startup,
        "liveness" => ProbeKind::Liveness,
        "readiness" => ProbeKind::Readiness,
        other => panic!("no such probe: {other}"),
    };
    match words {
        ["refuse", "image", image, how, ..] => {
            let failure = match *how {
                "pull" => ImageFailure::Pull,
                "never" => ImageFailure::NeverPull,
                "name" => ImageFailure::InvalidName,
                "inspect" => ImageFailure::Inspect,
                other => panic!("no such failure: {other}"),
            };
            manners.images.insert((*image).to_owned(), (failure, rest(4)));
        }
        ["allow", "image", image] => drop(manners.images.remove(*image)),
        ["absent", image, took] => drop(manners.absent.insert((*image).to_owned(), length(took).0)),
        ["refuse", "sandbox", ..] => manners.no_sandbox = Some(rest(2)),
        ["takes", delay] => manners.delay = length(delay).0,
        ["allow", "sandbox"] => manners.no_sandbox = None,
        ["refuse", "volume", name, ..] => manners.volumes = Some(((*name).to_owned(), rest(3))),
        ["allow", "volumes"] => manners.volumes = None,
        ["refuse", step, name, ..] => {
            let failure = match *step {
                "config" => StartFailure::Config,
                "create" => StartFailure::Create,
                "start" => StartFailure::Run,
                other => panic!("no such step: {other}"),
            };
            manners.refused.insert((*name).to_owned(), (failure, rest(3)));
        }
        ["allow", name] => drop(manners.refused.remove(*name)),
        ["fail", name, kind] => drop(manners.failing.insert(((*name).to_owned(), probe(kind)))),
        ["pass", name, kind] => drop(manners.failing.remove(&((*name).to_owned(), probe(kind)))),
        ["hook", name, which, how] => {
            let hook = if *which == "poststart" { Hook::PostStart } else { Hook::PreStop };
            let end = (*how == "fails").then(|| "exit status 1".to_owned());
            manners.hooks.insert(((*name).to_owned(), hook), end);
        }
        ["stops", name, "never"] => drop(manners.stops.insert((*name).to_owned(), None)),
        ["stops", name, code, after] => {
            manners.stops.insert((*name).to_owned(), Some((code.parse().unwrap(), length(after).0)));
        }
        ["starts", name, long] => drop(manners.starts.insert((*name).to_owned(), length(long).0)),
        ["runs", name, long, code] => {
            manners.runs.insert((*name).to_owned(), (length(long).0, code.parse().unwrap()));
        }
        _ => panic!("not understood: {line}"),
    }
}
