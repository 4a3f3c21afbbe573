//! `firstlight up`: apply, show, wait until everything is Ready.

use crate::apply::{Applied, Applier};
use crate::args::{Powers, Up};
use crate::connect::{self, Found};
use crate::down;
use crate::exit::{Exit, Failure, Outcome};
use crate::manifest::{self, text};
use crate::progress::show::{Show, clock};
use crate::progress::{Board, Line, What};
use crate::readiness::{self, Readiness};
use crate::trouble;
use firstlight::lifecycle;
use futures::TryStreamExt;
use futures::stream::SelectAll;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::time::{Duration, Instant};

/// How many lines of a log are shown with a failure.
const LOG_LINES: u32 = 10;

/// How long nothing may change before it is said what holds the pods back, where their status does not say it.
const QUIET: Duration = Duration::from_secs(3);

/// How long an engine that was started in vain may take to end.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Applies what the command line names and waits.
pub(crate) async fn run(args: Up) -> Outcome {
    let began = Instant::now();
    let mut show = Show::new(args.output);
    let outcome = bring_up(&args, began, &mut show).await;
    if let Err(failure) = &outcome {
        show.failure(failure, began.elapsed());
    }
    outcome
}

async fn bring_up(args: &Up, began: Instant, show: &mut Show) -> Outcome {
    let manifests = manifest::load(&args.manifests)?;
    if manifests.is_empty() {
        return Err(Failure::new(Exit::Usage, "nothing to bring up; name a manifest, a directory or a recipe"));
    }
    let Found { client, started, fresh } = connect::or_start(&args.place, &args.given).await?;
    let mut run = Run::new(client.clone(), began);
    let mut applier = Applier::new(client, &args.manifests.namespace);
    let mut changed = false;
    for manifest in &manifests {
        match applier.apply(manifest).await {
            Ok((how, object)) => {
                changed |= how != Applied::Unchanged;
                show.applied(&manifest.title(), how.as_str());
                run.expect(object);
            }
            Err(failure) if fresh && !changed => {
                // Nothing is left behind, not even the engine; unless another `up` uses it by now.
                if down::nothing_is_there(&run.client).await? {
                    lifecycle::end(&args.place.data_dir, END_LIMIT)?;
                }
                return Err(failure);
            }
            Err(failure) if !started => return Err(with_way_out(failure, args.given.powers)),
            Err(failure) => return Err(failure),
        }
    }
    let waited = match args.timeout {
        None => run.wait(show).await,
        Some(limit) => match tokio::time::timeout(limit.saturating_sub(began.elapsed()), run.wait(show)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(run.too_late(limit).await),
        },
    };
    waited?;
    show.summary(&run.board, began.elapsed());
    Ok(())
}

/// A power that is asked for when an engine runs already comes too late.
fn with_way_out(mut failure: Failure, powers: Powers) -> Failure {
    let Powers { allow_host_path, allow_privileged, allow_host_image } = powers;
    let given = allow_host_path || allow_privileged || allow_host_image;
    if given && failure.exit == Exit::Refused && failure.message.contains("start the engine with --allow-") {
        failure.message.push_str("; the engine that runs was started without: `firstlight down` ends it");
    }
    failure
}

/// What is waited for, and what has been seen of it.
struct Run {
    client: Client,
    began: Instant,
    board: Board,
    /// Applied workloads that have a readiness, by kind and title.
    goals: BTreeMap<(String, String), Value>,
    /// Pods seen that belong to the goals.
    pods: BTreeMap<String, Value>,
    /// Pods and containers of which it was said what holds them.
    told: BTreeSet<(String, String)>,
}

type Changes = Pin<Box<dyn futures::Stream<Item = Result<(String, Event<DynamicObject>), watcher::Error>> + Send>>;

impl Run {
    fn new(client: Client, began: Instant) -> Run {
        Run {
            client,
            began,
            board: Board::default(),
            goals: BTreeMap::new(),
            pods: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    fn expect(&mut self, object: Value) {
        let kind = text(&object, "/kind").to_owned();
        if kind == "Pod" || object.pointer("/spec/template/spec/containers").is_some() {
            self.goals.insert((kind, title(&object)), object);
        }
    }

    /// Until every goal is ready, or a pod has failed for good.
    async fn wait(&mut self, show: &mut Show) -> Outcome {
        let mut changes = self.watch_all();
        // What is there already is seen as well, so that the summary names every pod.
        let mut unlisted = changes.len();
        while unlisted > 0 || !self.all_ready() {
            let Ok(change) = tokio::time::timeout(QUIET, changes.try_next()).await else {
                self.say_what_holds(show).await;
                continue;
            };
            let Some((kind, event)) = change.map_err(|error| lost(&error))? else {
                return Err(Failure::new(Exit::Failed, "the API ended the watch"));
            };
            if matches!(event, Event::InitDone) {
                unlisted = unlisted.saturating_sub(1);
            }
            for line in self.take(&kind, event) {
                show.line(&line);
                if let What::Failed(why) = &line.what {
                    return Err(self.failed(&line, why).await);
                }
            }
        }
        Ok(())
    }

    /// Says, once for each container, which warning about it is the latest: of a volume that cannot be had, of a probe
    /// that fails.
    async fn say_what_holds(&mut self, show: &mut Show) {
        for pod in self.pods.values().filter(|pod| readiness::of(pod) != Readiness::Ready) {
            let Some(stuck) = trouble::stuck(pod).filter(|stuck| !stuck.says_why) else { continue };
            if self.told.contains(&(title(pod), stuck.container.clone())) {
                continue;
            }
            if let Some(warning) = trouble::last_warning(&self.client, pod, &stuck).await {
                let (pod, step) = (title(pod), Some(stuck.container.clone()));
                self.told.insert((pod.clone(), stuck.container));
                let at = self.began.elapsed();
                show.line(&Line { pod, step, position: None, what: What::Waiting(warning), at });
            }
        }
    }

    /// One watch per namespace and kind: the goals' kinds and Pod.
    fn watch_all(&self) -> SelectAll<Changes> {
        let mut wanted: BTreeMap<(String, String, String), ()> = BTreeMap::new();
        for ((kind, _), object) in &self.goals {
            let namespace = text(object, "/metadata/namespace").to_owned();
            wanted.insert((namespace.clone(), text(object, "/apiVersion").to_owned(), kind.clone()), ());
            wanted.insert((namespace, "v1".to_owned(), "Pod".to_owned()), ());
        }
        let streams = wanted.into_keys().map(|(namespace, version, kind)| {
            let (group, version) = version.rsplit_once('/').unwrap_or(("", &version));
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
            let stream = watcher(api, watcher::Config::default());
            Box::pin(stream.map_ok(move |event| (kind.clone(), event))) as Changes
        });
        futures::stream::select_all(streams)
    }

    fn take(&mut self, kind: &str, event: Event<DynamicObject>) -> Vec<Line> {
        let now = self.began.elapsed();
        match event {
            Event::Init | Event::InitDone => Vec::new(),
            Event::Apply(object) | Event::InitApply(object) => {
                let Ok(value) = serde_json::to_value(&object) else { return Vec::new() };
                self.learn(kind, value, now)
            }
            Event::Delete(object) => {
                let title = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
                self.pods.remove(&title);
                if kind == "Pod" { self.board.gone(&title, now).into_iter().collect() } else { Vec::new() }
            }
        }
    }

    fn learn(&mut self, kind: &str, mut value: Value, now: Duration) -> Vec<Line> {
        if let Some(map) = value.as_object_mut() {
            map.insert("kind".to_owned(), Value::String(kind.to_owned()));
        }
        let title = title(&value);
        if let Some(goal) = self.goals.get_mut(&(kind.to_owned(), title.clone())) {
            *goal = value.clone();
        }
        if kind != "Pod" || !self.is_ours(&value) {
            return Vec::new();
        }
        let lines = self.board.fold(&value, now);
        self.pods.insert(title, value);
        lines
    }

    /// A pod is ours if it was applied itself or an applied workload's selector matches its labels.
    fn is_ours(&self, pod: &Value) -> bool {
        let title = title(pod);
        self.goals.iter().any(|((kind, goal), object)| {
            if kind == "Pod" {
                return *goal == title;
            }
            let selector = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
            text(object, "/metadata/namespace") == text(pod, "/metadata/namespace")
                && selector.is_some_and(|labels| {
                    labels
                        .iter()
                        .all(|(key, value)| pod.pointer("/metadata/labels").and_then(|l| l.get(key)) == Some(value))
                })
        })
    }

    fn all_ready(&self) -> bool {
        self.goals.values().all(|goal| readiness::of(goal) == Readiness::Ready)
    }

    /// `--timeout` has passed: names every pod that is not ready, with its step, reason and log.
    async fn too_late(&self, limit: Duration) -> Failure {
        let mut message = format!("not ready after {}", clock(limit));
        for ((kind, title), goal) in &self.goals {
            // A pod that has got far enough to have steps is explained by them, below.
            if self.pods.get(title).is_some_and(|pod| kind == "Pod" && trouble::stuck(pod).is_some()) {
                continue;
            }
            if let Readiness::Waiting(why) | Readiness::Failed(why) = readiness::of(goal) {
                message.push_str(&format!("\n  {kind} {title}: {why}"));
            }
        }
        for pod in self.pods.values().filter(|pod| readiness::of(pod) != Readiness::Ready) {
            message.push_str(&self.explain(pod).await);
        }
        Failure::new(Exit::Timeout, message)
    }

    async fn failed(&self, line: &Line, why: &str) -> Failure {
        let detail = match self.pods.get(&line.pod) {
            Some(pod) => self.explain(pod).await,
            None => String::new(),
        };
        Failure::new(Exit::PodFailed, format!("pod {}: {why}{detail}", line.pod))
    }

    async fn explain(&self, pod: &Value) -> String {
        let Some(stuck) = trouble::stuck(pod) else { return String::new() };
        let log = trouble::log_tail(&self.client, pod, &stuck, LOG_LINES).await;
        let mut text = format!("\n  pod {}: {} {:?}: {}", title(pod), stuck.role, stuck.container, stuck.reason);
        if !stuck.says_why {
            let warning = trouble::last_warning(&self.client, pod, &stuck).await;
            text.push_str(&warning.map(|warning| format!("; {warning}")).unwrap_or_default());
        }
        if !log.trim().is_empty() {
            text.push_str("\n    its log ends:");
            for line in log.lines() {
                text.push_str(&format!("\n    | {line}"));
            }
        }
        text
    }
}

/// The API is gone in the middle of it.
fn lost(error: &watcher::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let way_out = "pods go on without it; the same `firstlight up` again takes them over";
    Failure::new(Exit::Failed, format!("the API does not answer any more: {cause}; {way_out}"))
}

/// `namespace/name`.
fn title(object: &Value) -> String {
    format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}
