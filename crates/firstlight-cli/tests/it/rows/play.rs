//! A scene is played: the pod is made, each line takes its turn, the pod is deleted, and what failed is told.

use super::acts::Acts;
use super::claim::{Asked, Claim, Count, Said, What};
use super::diary::Diary;
use super::judge::{Facts, Verdict, judge};
use super::laws;
use super::objects;
use super::scene::{Line, Row, Scene};
use super::stage::{Stage, place};
use super::step::{Step, ToMachine};
use super::watched::get;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long a row may take to become true; generous, because the machine may be busy. `PATIENCE=8` in the environment, in
/// seconds, is for those who break rules to see the rows fail.
static PATIENCE: LazyLock<Duration> = LazyLock::new(|| {
    let told = std::env::var("PATIENCE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(told.unwrap_or(60))
});

/// How long once a row of the same scene has failed.
const LITTLE_PATIENCE: Duration = Duration::from_secs(3);

/// How often the diary is read again.
const GLANCE: Duration = Duration::from_millis(10);

/// How often the API is asked again, where a claim needs that.
const ASK: Duration = Duration::from_millis(100);

/// What is the matter with a scene; empty if nothing is.
pub(crate) async fn play(stage: &Stage, scene: &Scene) -> String {
    let began = Instant::now();
    let mut play =
        Play { stage, scene, directory: stage.begin(&scene.name), here: Mark::default(), failures: Vec::new() };
    play.begin().await;
    for line in &scene.lines {
        match line {
            Line::Row(row) => play.row(row).await,
            Line::Step(step) => play.step(step).await,
        }
    }
    play.end().await;
    eprintln!("{:5.1} s  {}: {}", began.elapsed().as_secs_f64(), scene.name, scene.title);
    play.report().await
}

/// A place in what is known, where a step was made.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    entries: usize,
    versions: usize,
}

struct Play<'a> {
    stage: &'a Stage,
    scene: &'a Scene,
    directory: PathBuf,
    /// Where the last step was made.
    here: Mark,
    failures: Vec<String>,
}

impl Play<'_> {
    async fn begin(&mut self) {
        for object in &self.scene.objects {
            self.create(object).await;
        }
        self.create(&self.scene.pod).await;
    }

    async fn create(&mut self, object: &Value) {
        let mut object: Value =
            serde_json::from_str(&object.to_string().replace("@SCENE@", &self.directory.display().to_string()))
                .unwrap();
        if object["metadata"]["namespace"].is_null() && object["kind"] != "Namespace" {
            object["metadata"]["namespace"] = json!("default");
        }
        if let Err(error) = self.stage.create(&object).await {
            self.failures.push(format!("{} could not be made: {error}", object["kind"]));
        }
    }

    /// Waits until a row is decided.
    async fn row(&mut self, row: &Row) {
        let from = if row.afterwards { self.here } else { Mark::default() };
        for failure in self.wait(&row.claims, from).await {
            self.failures.push(format!("{}: {failure}", row.ids));
        }
    }

    /// Waits until all of these hold; what does not.
    async fn wait(&self, claims: &[Claim], from: Mark) -> Vec<String> {
        let patience = if self.failures.is_empty() { *PATIENCE } else { LITTLE_PATIENCE };
        let began = Instant::now();
        loop {
            let verdicts = self.judge(claims, from).await;
            let failed = verdicts.contains(&Verdict::Broken) || began.elapsed() > patience;
            if failed || verdicts.iter().all(|verdict| *verdict == Verdict::Holds) {
                let wrong = claims.iter().zip(verdicts).filter(|(_, verdict)| *verdict != Verdict::Holds);
                return wrong
                    .map(|(claim, verdict)| {
                        format!("{}: {}", if verdict == Verdict::Broken { "broken" } else { "not so" }, claim.text)
                    })
                    .collect();
            }
            tokio::time::sleep(if claims.iter().any(asks) { ASK } else { GLANCE }).await;
        }
    }

    async fn judge(&self, claims: &[Claim], from: Mark) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for claim in claims {
            let answer = self.answer(claim).await;
            let diary = self.diary().since(from.entries);
            let told = self.stage.watched.of(&self.scene.name);
            let versions = told.versions.get(from.versions..).unwrap_or_default();
            verdicts.push(judge(&claim.what, &Facts { diary: &diary, versions, answer: answer.as_ref() }));
        }
        verdicts
    }

    /// What the API says to a claim that asks it something.
    async fn answer(&self, claim: &Claim) -> Option<Value> {
        let What::Asked(asked) = &claim.what else { return None };
        let (stage, pod) = (self.stage, &self.scene.name);
        match asked {
            Asked::Event { .. } => stage.events(pod).await,
            Asked::Get { path, .. } => stage.ask(get(path)).await.ok(),
            Asked::Object { kind, name, .. } => Some(objects::now(stage, kind, name).await),
            Asked::Log { container, websocket: false, .. } => stage.log(pod, container).await.map(Value::from),
            Asked::Log { container, websocket: true, .. } => {
                stage.log_over_websocket(pod, container).await.map(Value::from)
            }
            Asked::Prints { container, command, .. } => stage.run_in(pod, container, command).await.map(Value::from),
        }
    }

    fn diary(&self) -> Diary {
        Diary::read(&self.directory.join("log"))
    }

    async fn step(&mut self, step: &Step) {
        if let Step::Once(claims) = step {
            for failure in self.wait(claims, self.here).await {
                self.failures.push(format!("once: {failure}"));
            }
            return;
        }
        // The version before the step is the first of those after it: what it says holds until another is told.
        let versions = self.stage.watched.of(&self.scene.name).versions.len().saturating_sub(1);
        self.here = Mark { entries: self.diary().entries.len(), versions };
        let (path, set) = (self.path(), self.is_set());
        let done = Acts { stage: self.stage, directory: &self.directory, path, set }.act(step).await;
        if let Err(error) = done {
            self.failures.push(format!("{step:?}: {error}"));
        }
    }

    fn is_set(&self) -> bool {
        self.scene.pod["kind"] == "StatefulSet"
    }

    /// Of the scene's pod, or its StatefulSet.
    fn path(&self) -> String {
        place(self.scene.pod["kind"].as_str().unwrap_or(""), "default", &self.scene.name)
    }

    /// The pod goes, and what must not happen must not have happened to the very end.
    async fn end(&mut self) {
        let _ = self.stage.patch(&self.path(), &json!({"metadata": {"finalizers": null}})).await;
        let _ = self.stage.delete(&self.path(), Some(1)).await;
        let began = Instant::now();
        while self.stage.watched.lives(&self.scene.name) && began.elapsed() < *PATIENCE {
            tokio::time::sleep(GLANCE).await;
        }
        let told = self.stage.watched.of(&self.scene.name);
        if self.stage.watched.lives(&self.scene.name) {
            self.failures.push("the pod does not go away".to_owned());
        }
        for line in &self.scene.lines {
            let Line::Row(row) = line else { continue };
            let exact: Vec<Claim> = row.claims.iter().filter(|claim| lasts(claim)).cloned().collect();
            if row.afterwards || exact.is_empty() {
                continue;
            }
            for (claim, verdict) in exact.iter().zip(self.judge(&exact, Mark::default()).await) {
                if verdict == Verdict::Broken {
                    self.failures.push(format!("{}: not true to the end: {}", row.ids, claim.text));
                }
            }
        }
        let replaced =
            self.scene.lines.iter().any(|line| matches!(line, Line::Step(Step::Machine(ToMachine::KillSandbox))));
        self.failures.extend(laws::broken(&told.versions, replaced).into_iter().map(|law| format!("law: {law}")));
    }

    async fn report(self) -> String {
        let mut report = String::new();
        if self.failures.is_empty() {
            return report;
        }
        let _ = writeln!(report, "\n{} ({})", self.scene.title, self.scene.name);
        for failure in &self.failures {
            let _ = writeln!(report, "  {failure}");
        }
        let _ = writeln!(report, "  the diary:");
        for entry in self.diary().entries {
            let _ = writeln!(report, "    {:.2} {} {}", entry.at, entry.who, entry.what);
        }
        let told = self.stage.watched.of(&self.scene.name);
        let _ = writeln!(
            report,
            "  the status, at last: {}",
            told.versions.last().map_or(&Value::Null, |pod| &pod["status"])
        );
        let events = self.stage.events(&self.scene.name).await.unwrap_or_default();
        for event in events["items"].as_array().into_iter().flatten() {
            let path = event["involvedObject"]["fieldPath"].as_str().unwrap_or("");
            let _ = writeln!(report, "  event {} {path} {} x{}", event["reason"], event["message"], event["count"]);
        }
        report
    }
}

/// Whether a claim asks the API something of its own.
fn asks(claim: &Claim) -> bool {
    matches!(claim.what, What::Asked(_))
}

/// Whether a claim must still be true when the pod is gone.
fn lasts(claim: &Claim) -> bool {
    matches!(claim.what, What::Said(Said::Happens(_, Count::Exactly(_))))
}
