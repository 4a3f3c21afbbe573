//! GET of one object.

use crate::api::Api;
use crate::body::Body;
use crate::failure::Failure;
use crate::part::Part;
use crate::path::Target;
use crate::request::{Version, version};
use crate::router::Ask;
use firstlight_api::status_error::StatusError;
use firstlight_store::Object;
use http::{Response, StatusCode};
use std::sync::Arc;

/// Answers with the object, or a part of it.
pub(crate) fn get(ask: &Ask<'_>, part: Part) -> Result<Response<Body>, Failure> {
    not_from_the_future(ask, version(ask.query)?)?;
    let object = find(ask.api, ask.target)?;
    match part {
        Part::Scale => Ok(ask.respond_value(StatusCode::OK, &part.view(&object.value))),
        Part::Whole | Part::Status | Part::Ephemeral | Part::Finalize => {
            Ok(ask.respond(StatusCode::OK, ask.face.object(&object)))
        }
    }
}

/// The object a request is about.
pub(crate) fn find(api: &Api, target: &Target) -> Result<Arc<Object>, StatusError> {
    api.store.get(&target.key()).ok_or_else(|| StatusError::not_found(target.kind.resource, target.name()))
}

/// 504 for who has seen what this store has not: a client of another store, or of one that was wiped.
pub(crate) fn not_from_the_future(ask: &Ask<'_>, version: Version) -> Result<(), StatusError> {
    match version {
        Version::At(asked) if asked > ask.api.store.revision() => {
            Err(StatusError::too_large_resource_version(asked.0, ask.api.store.revision().0))
        }
        Version::At(_) | Version::Latest | Version::Any => Ok(()),
    }
}
