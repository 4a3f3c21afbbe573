//! `pods/eviction`: a deletion that a disruption budget could refuse. There are no budgets here, so none does.
//!
//! Source: `pkg/registry/core/pod/storage/eviction.go`.

use crate::body::Body;
use crate::failure::Failure;
use crate::payload::Payload;
use crate::request::{DeleteOptions, WriteOptions};
use crate::router::Ask;
use crate::verbs::delete::delete_object;
use firstlight_api::object::text;
use firstlight_api::status_error::StatusError;
use http::{Response, StatusCode};
use serde_json::json;

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
    delete_object(ask.api, ask.target.key(), &deletion, ask.now).await?;
    let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(ask.respond_value(StatusCode::CREATED, &done))
}
