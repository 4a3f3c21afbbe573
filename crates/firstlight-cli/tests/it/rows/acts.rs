//! What is done to a scene's pod and its world, step by step.

use super::diary;
use super::layouts::IMAGE;
use super::objects;
use super::processes;
use super::stage::{Stage, collection, place};
use super::step::{Step, ToMachine, ToObject, ToPod};
use super::watched::get;
use super::words::merge;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Whoever does it.
pub(crate) struct Acts<'a> {
    pub(crate) stage: &'a Stage,
    /// The scene's directory.
    pub(crate) directory: &'a Path,
    /// Where the scene's pod or set is.
    pub(crate) path: String,
    /// Whether it is a set.
    pub(crate) set: bool,
}

impl Acts<'_> {
    /// Does it; an error is the API's words, or what is missing.
    pub(crate) async fn act(&self, step: &Step) -> Result<(), String> {
        match step {
            // Waiting is for the play.
            Step::Once(_) => Ok(()),
            Step::Pod(what) => self.to_pod(what).await,
            Step::Object(what) => self.to_object(what).await,
            Step::Machine(what) => self.to_machine(what),
        }
    }

    async fn to_pod(&self, what: &ToPod) -> Result<(), String> {
        let Acts { stage, path, .. } = self;
        match what {
            ToPod::PatchImage { container, image } => self.patch_image(container, image).await?,
            ToPod::PatchImageOften { container, times } => {
                for time in 0..*times {
                    self.patch_image(container, if time % 2 == 0 { "2" } else { "1" }).await?;
                }
            }
            ToPod::Patch(patch) => drop(stage.patch(path, patch).await?),
            ToPod::PatchStatus(patch) => drop(stage.patch_strategically(&format!("{path}/status"), patch).await?),
            ToPod::ReplaceStatus(change) => {
                let mut object = stage.ask(get(path)).await?;
                merge(&mut object["status"], change.clone());
                stage.replace(&format!("{path}/status"), &object).await?;
            }
            ToPod::Delete { grace } => {
                diary::note(&self.diary(), "pod", "delete");
                stage.delete(path, grace.map(|grace| grace.as_secs())).await?;
            }
        }
        Ok(())
    }

    async fn to_object(&self, what: &ToObject) -> Result<(), String> {
        let stage = self.stage;
        let at = |kind: &str, name: &str| place(kind, "default", name);
        match what {
            ToObject::Create(object) => drop(stage.create(object).await?),
            ToObject::Attempt { on, body } => {
                let on = on.as_ref().map(|(kind, name)| (kind.as_str(), name.as_str()));
                objects::attempt(stage, &self.diary(), on, body).await;
            }
            ToObject::Patch { kind, name, patch } => drop(stage.patch(&at(kind, name), patch).await?),
            ToObject::Delete { kind, name } => drop(stage.delete(&at(kind, name), None).await?),
            ToObject::Orphan { kind, name } => {
                stage.delete(&format!("{}?propagationPolicy=Orphan", at(kind, name)), None).await?;
            }
            ToObject::DeleteAll { kind, selector } => {
                let path = format!("{}?labelSelector={}", collection(kind), selector.replace('=', "%3D"));
                stage.delete(&path, None).await?;
            }
            ToObject::Give { object: (kind, name), owner: (owner_kind, owner) } => {
                let uid = stage.ask(get(&at(owner_kind, owner))).await?["metadata"]["uid"].clone();
                let reference =
                    json!({"apiVersion": "v1", "kind": owner_kind, "name": owner, "controller": true, "uid": uid});
                stage.patch(&at(kind, name), &json!({"metadata": {"ownerReferences": [reference]}})).await?;
            }
        }
        Ok(())
    }

    fn to_machine(&self, what: &ToMachine) -> Result<(), String> {
        let note = |what: &str| diary::note(&self.diary(), "pod", what);
        match what {
            ToMachine::Touch(file) => {
                std::fs::write(self.directory.join(file), "").map_err(|error| error.to_string())?;
            }
            ToMachine::Mark(name) => note(name),
            ToMachine::Kill { container } => {
                let pid = processes::of_container(self.directory, container).ok_or("it does not run")?;
                note(&format!("kill {container}"));
                processes::kill(pid);
            }
            ToMachine::KillSandbox => {
                note("sandbox killed");
                processes::kill_sandbox(self.directory);
            }
            ToMachine::KillEngine => {
                self.stage.kill_engine();
                note("engine killed");
            }
            ToMachine::StartEngine => {
                note("engine starts");
                self.stage.start_engine();
            }
        }
        Ok(())
    }

    /// The image with another tag.
    async fn patch_image(&self, container: &str, image: &str) -> Result<(), String> {
        let object = self.stage.ask(get(&self.path)).await?;
        let image = if image.contains('/') { image.to_owned() } else { format!("{}:{image}", IMAGE) };
        let old = if self.set { &object["spec"]["template"]["spec"] } else { &object["spec"] };
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
        diary::note(&self.diary(), "pod", &format!("patched {container}"));
        let spec = if self.set { json!({"template": {"spec": spec}}) } else { spec };
        self.stage.patch(&self.path, &json!({"spec": spec})).await.map(|_| ())
    }

    fn diary(&self) -> PathBuf {
        self.directory.join("log")
    }
}
