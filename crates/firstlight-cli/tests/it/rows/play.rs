//! A scene is played: the pod is made, each line takes its turn, the pod is deleted, and what failed is told.

use super::claim::{Claim, Count, What};
use super::diary::{self, Diary};
use super::judge::{Facts, Verdict, judge};
use super::laws;
use super::objects;
use super::processes;
use super::scene::{Line, Row, Scene, Step};
use super::stage::{Stage, collection, place};
use super::words::merge;
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
        let pod = &self.scene.name;
        match &claim.what {
            What::Get { path, .. } => self.stage.ask(super::watched::get(path)).await.ok(),
            What::Event { .. } => Some(self.stage.events(pod).await),
            What::Log { container, websocket: true, .. } => {
                self.stage.log_over_websocket(pod, container).await.map(Value::from)
            }
            What::Log { container, .. } => self.stage.log(pod, container).await.map(Value::from),
            What::Prints { container, command, .. } => {
                self.stage.run_in(pod, container, command).await.map(Value::from)
            }
            What::Object { kind, name, .. } => Some(objects::now(self.stage, kind, name).await),
            What::Happens(..)
            | What::Before(..)
            | What::After(..)
            | What::Apart { .. }
            | What::Together(..)
            | What::EachTogether(..)
            | What::Phase(..)
            | What::Phases(_)
            | What::Container { .. }
            | What::Was { .. }
            | What::RestartCount(..)
            | What::Condition { .. }
            | What::Unchanged
            | What::Set(_)
            | What::Field { .. } => None,
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
        let done = self.act(step).await;
        if let Err(error) = done {
            self.failures.push(format!("{step:?}: {error}"));
        }
    }

    async fn act(&self, step: &Step) -> Result<(), String> {
        let (stage, pod) = (self.stage, self.path());
        let diary = self.directory.join("log");
        match step {
            Step::Once(_) => {}
            Step::PatchImage { container, image } => self.patch_image(container, image).await?,
            Step::Patch(patch) => {
                stage.patch(&pod, patch).await?;
            }
            Step::PatchStatus(patch) => {
                stage.patch_strategically(&format!("{pod}/status"), patch).await?;
            }
            Step::ReplaceStatus(change) => {
                let mut object = stage.ask(super::watched::get(&pod)).await?;
                merge(&mut object["status"], change.clone());
                stage.replace(&format!("{pod}/status"), &object).await?;
            }
            Step::PatchImageOften { container, times } => {
                for time in 0..*times {
                    self.patch_image(container, if time % 2 == 0 { "2" } else { "1" }).await?;
                }
            }
            Step::Give { object: (kind, name), owner: (owner_kind, owner) } => {
                let object = stage.ask(super::watched::get(&place(owner_kind, "default", owner))).await?;
                let reference = json!({"apiVersion": "v1", "kind": owner_kind, "name": owner, "controller": true,
                                       "uid": object["metadata"]["uid"]});
                let patch = json!({"metadata": {"ownerReferences": [reference]}});
                stage.patch(&place(kind, "default", name), &patch).await?;
            }
            Step::Orphan { kind, name } => {
                stage.delete(&format!("{}?propagationPolicy=Orphan", place(kind, "default", name)), None).await?;
            }
            Step::DeleteAll { kind, selector } => {
                let path = format!("{}?labelSelector={}", collection(kind), selector.replace('=', "%3D"));
                stage.delete(&path, None).await?;
            }
            Step::Create(object) => {
                stage.create(object).await?;
            }
            Step::Attempt { on, body } => {
                let on = on.as_ref().map(|(kind, name)| (kind.as_str(), name.as_str()));
                objects::attempt(stage, &diary, on, body).await;
            }
            Step::Change { kind, name, patch } => {
                stage.patch(&format!("{}/{name}", collection(kind)), patch).await?;
            }
            Step::Remove { kind, name } => {
                stage.delete(&format!("{}/{name}", collection(kind)), None).await?;
            }
            Step::Delete { grace } => {
                diary::note(&diary, "pod", "delete");
                stage.delete(&pod, grace.map(|grace| grace.as_secs())).await?;
            }
            Step::Touch(file) => std::fs::write(self.directory.join(file), "").map_err(|error| error.to_string())?,
            Step::Mark(name) => diary::note(&diary, "pod", name),
            Step::Kill { container } => {
                let pid = processes::of_container(&self.directory, container).ok_or("it does not run")?;
                diary::note(&diary, "pod", &format!("kill {container}"));
                processes::kill(pid);
            }
            Step::KillSandbox => {
                diary::note(&diary, "pod", "sandbox killed");
                processes::kill_sandbox(&self.directory);
            }
            Step::KillEngine => {
                stage.kill_engine();
                diary::note(&diary, "pod", "engine killed");
            }
            Step::StartEngine => {
                diary::note(&diary, "pod", "engine starts");
                stage.start_engine();
            }
        }
        Ok(())
    }

    /// The image with another tag.
    async fn patch_image(&self, container: &str, image: &str) -> Result<(), String> {
        let object = self.stage.ask(super::watched::get(&self.path())).await?;
        let image = if image.contains('/') { image.to_owned() } else { format!("{}:{image}", super::layouts::IMAGE) };
        let old = if self.is_set() { &object["spec"]["template"]["spec"] } else { &object["spec"] };
        let mut spec = json!({});
        for list in ["initContainers", "containers"] {
            let mut containers = old[list].clone();
            for one in containers.as_array_mut().into_iter().flatten().filter(|one| one["name"] == *container) {
                one["image"] = json!(image);
                spec[list] = old[list].clone();
            }
            if !spec[list].is_null() {
                spec[list] = containers;
            }
        }
        diary::note(&self.directory.join("log"), "pod", &format!("patched {container}"));
        let spec = if self.is_set() { json!({"template": {"spec": spec}}) } else { spec };
        self.stage.patch(&self.path(), &json!({"spec": spec})).await.map(|_| ())
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
        let replaced = self.scene.lines.iter().any(|line| matches!(line, Line::Step(Step::KillSandbox)));
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
        let events = self.stage.events(&self.scene.name).await;
        for event in events["items"].as_array().into_iter().flatten() {
            let path = event["involvedObject"]["fieldPath"].as_str().unwrap_or("");
            let _ = writeln!(report, "  event {} {path} {} x{}", event["reason"], event["message"], event["count"]);
        }
        report
    }
}

/// Whether a claim asks the API something of its own.
fn asks(claim: &Claim) -> bool {
    matches!(
        claim.what,
        What::Event { .. } | What::Get { .. } | What::Log { .. } | What::Prints { .. } | What::Object { .. }
    )
}

/// Whether a claim must still be true when the pod is gone.
fn lasts(claim: &Claim) -> bool {
    matches!(claim.what, What::Happens(_, Count::Exactly(_)))
}
