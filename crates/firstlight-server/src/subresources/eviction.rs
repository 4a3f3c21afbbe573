//! `pods/eviction`: a deletion that a disruption budget could refuse. There are no budgets here, so none does.
//!
//! Source: `pkg/registry/core/pod/storage/eviction.go`.

use crate::body::Body;
use crate::change::ATTEMPTS;
use crate::failure::Failure;
use crate::metadata::{instant, is_deleting};
use crate::payload::Payload;
use crate::request::{DeleteOptions, WriteOptions};
use crate::router::Ask;
use crate::verbs::delete::delete_object;
use crate::verbs::get;
use firstlight_api::object::{resources, text};
use firstlight_api::status_error::{MODIFIED, StatusError};
use firstlight_store::{Expect, Refused, Write};
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// Evicts the pod.
pub(crate) async fn evict(ask: &mut Ask<'_>, payload: &Payload) -> Result<Response<Body>, Failure> {
    let options = WriteOptions::read(ask.query, "CreateOptions")?;
    let eviction = payload.spoken(("policy", "v1", "Eviction"), options.validation, &mut ask.warnings)?;
    let (said, path) = (text(&eviction, &["metadata", "name"]), ask.target.name());
    if !said.is_empty() && said != path {
        let words = format!("name in URL does not match name in Eviction object: expected {path:?}, got {said:?}");
        return Err(StatusError::bad_request(words).into());
    }
    let mut deletion = DeleteOptions::read(ask.query, eviction.get("deleteOptions"))?;
    deletion.dry_run |= options.dry_run;
    if !deletion.dry_run {
        say_disrupted(ask).await?;
    }
    delete_object(ask.api, ask.target.key(), &deletion, ask.now).await?;
    let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(ask.respond_value(StatusCode::CREATED, &done))
}

/// Says in the status that it is not by its own doing that the pod ends (PHA-13). A pod that is over or on its way out
/// ends for another reason.
async fn say_disrupted(ask: &Ask<'_>) -> Result<(), Failure> {
    for _ in 0..ATTEMPTS {
        let Ok(old) = get::find(ask.api, ask.target) else { return Ok(()) };
        let over = matches!(text(&old.value, &["status", "phase"]), "Succeeded" | "Failed");
        if over || is_deleting(&old.value) {
            return Ok(());
        }
        let mut next = old.value.clone();
        disrupt(&mut next, &instant(ask.now));
        let write = Write { key: old.key.clone(), expect: Expect::At(old.revision), value: Some(next) };
        match ask.api.store.commit(write).await {
            Ok(_) => return Ok(()),
            Err(Refused::Stale(_)) => {}
            Err(refused) => return Err(Failure::refused(resources::PODS, ask.target.name(), &refused)),
        }
    }
    Err(StatusError::conflict(resources::PODS, ask.target.name(), MODIFIED).into())
}

fn disrupt(pod: &mut Value, now: &str) {
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting", "lastProbeTime": null, "lastTransitionTime": now,
    });
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
        conditions.retain(|known| known["type"] != "DisruptionTarget");
        conditions.push(condition);
    }
}
