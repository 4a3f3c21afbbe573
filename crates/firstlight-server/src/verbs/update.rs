//! PUT of an object or a part of it.

use super::create::{Origin, create_object, in_its_namespace};
use super::get;
use crate::body::Body;
use crate::change::{ATTEMPTS, Outcome, Write, replace};
use crate::failure::Failure;
use crate::part::Part;
use crate::payload::Payload;
use crate::request::WriteOptions;
use crate::router::Ask;
use firstlight_api::object::{Resource, resources, text};
use firstlight_api::status_error::{MODIFIED, StatusError};
use firstlight_store::Object;
use http::{Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;

/// Replaces the object, or a part of it, by what the body holds.
pub(crate) async fn update(ask: &mut Ask<'_>, part: Part, payload: &Payload) -> Result<Response<Body>, Failure> {
    let options = WriteOptions::read(ask.query, "UpdateOptions")?;
    let mut sent = match part {
        Part::Whole | Part::Status | Part::Ephemeral | Part::Finalize => {
            payload.object(ask.target.kind, options.validation, &mut ask.warnings)?
        }
        Part::Scale => payload.spoken(("autoscaling", "v1", "Scale"), options.validation, &mut ask.warnings)?,
    };
    addressed(ask, &mut sent)?;
    let retries = matches!(text(&sent, &["metadata", "resourceVersion"]), "" | "0");
    for _ in 0..ATTEMPTS {
        let old = match get::find(ask.api, ask.target) {
            Ok(old) => old,
            Err(_) if part == Part::Whole && creates(ask.target.kind.resource) => {
                crate::metadata::of(&mut sent).remove("resourceVersion");
                return create_object(ask, options, Origin::Sent, sent).await;
            }
            Err(missing) => return Err(missing.into()),
        };
        match replace(ask, Write { part, options, retries, applied: false }, &old, sent.clone()).await? {
            Outcome::Raced => {}
            Outcome::Stored(object) => return Ok(stored(ask, part, &object)),
            Outcome::Unstored(value) => return Ok(shown(ask, part, &value)),
        }
    }
    Err(StatusError::conflict(ask.target.kind.resource, ask.target.name(), MODIFIED).into())
}

/// The answer that shows what was stored.
pub(crate) fn stored(ask: &Ask<'_>, part: Part, object: &Arc<Object>) -> Response<Body> {
    match part {
        Part::Scale => shown(ask, part, &object.value),
        Part::Whole | Part::Status | Part::Ephemeral | Part::Finalize => {
            ask.respond(StatusCode::OK, ask.face.object(object))
        }
    }
}

/// The answer that shows what would be stored.
pub(crate) fn shown(ask: &Ask<'_>, part: Part, value: &Value) -> Response<Body> {
    match part {
        Part::Scale => ask.respond_value(StatusCode::OK, &part.view(value)),
        Part::Whole | Part::Status | Part::Ephemeral | Part::Finalize => {
            ask.respond(StatusCode::OK, ask.face.value(value))
        }
    }
}

/// The object says either nothing of its name and namespace or what the path says.
pub(crate) fn addressed(ask: &Ask<'_>, sent: &mut Value) -> Result<(), StatusError> {
    let (name, path) = (text(sent, &["metadata", "name"]), ask.target.name());
    if name.is_empty() {
        crate::metadata::of(sent).insert("name".to_owned(), path.into());
    } else if name != path {
        let words = format!("the name of the object ({name}) does not match the name on the URL ({path})");
        return Err(StatusError::bad_request(words));
    }
    in_its_namespace(text(sent, &["metadata", "namespace"]), &ask.target.namespace)
}

/// Kinds that a PUT also creates (`AllowCreateOnUpdate`).
fn creates(resource: Resource) -> bool {
    matches!(resource, resources::EVENTS | resources::LEASES | resources::SERVICES)
}
