//! What may be asked of objects beside the scene's pod: that the API refuses one, and how one is now.

use super::diary;
use super::stage::{Stage, place};
use super::watched::get;
use serde_json::Value;
use std::path::Path;

/// Asks for something and notes in the diary what the API says to it: `pod accepted`, or `pod refused 422 FIELD REASON`
/// once for each cause (`pod refused 409 AlreadyExists` where there is none).
pub(crate) async fn attempt(stage: &Stage, diary: &Path, on: Option<(&str, &str)>, body: &Value) {
    let asked = match on {
        None => stage.try_create(body).await,
        Some((kind, name)) => stage.try_patch(&place(kind, "default", name), body).await,
    };
    let Err(error) = asked else { return diary::note(diary, "pod", "accepted") };
    let kube::Error::Api(status) = error else { panic!("the API does not answer: {error}") };
    let causes = status.details.map(|details| details.causes).unwrap_or_default();
    for cause in &causes {
        diary::note(diary, "pod", &format!("refused {} {} {}", status.code, cause.field, cause.reason));
    }
    if causes.is_empty() {
        diary::note(diary, "pod", &format!("refused {} {}", status.code, status.reason));
    }
}

/// An object of the default namespace as it is now; `null` if there is none.
pub(crate) async fn now(stage: &Stage, kind: &str, name: &str) -> Value {
    stage.ask(get(&place(kind, "default", name))).await.unwrap_or(Value::Null)
}
