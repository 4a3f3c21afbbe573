//! PATCH of an object or a part of it.

use super::create::in_its_namespace;
use super::get;
use super::update::{shown, stored};
use crate::body::Body;
use crate::change::{ATTEMPTS, Outcome, Write, replace};
use crate::event_view;
use crate::failure::Failure;
use crate::part::Part;
use crate::payload::{Payload, check_fields};
use crate::request::WriteOptions;
use crate::router::Ask;
use firstlight_api::decode::Decoded;
use firstlight_api::object::text;
use firstlight_api::schema::{Type, type_of};
use firstlight_api::status_error::{MODIFIED, StatusError};
use firstlight_api::{fields, patch as rules};
use http::Response;
use serde_json::Value;

/// How a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Json,
    Merge,
    Strategic,
}

const ACCEPTED: [&str; 3] =
    ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"];

/// Changes the object, or a part of it, as the body says.
pub(crate) async fn patch(ask: &mut Ask<'_>, part: Part, payload: &Payload) -> Result<Response<Body>, Failure> {
    let dialect = dialect(&payload.content_type)?;
    let options = WriteOptions::read(ask.query, "PatchOptions")?;
    let Decoded { value: patch, duplicates, dropped: _ } = payload.patch()?;
    let ty = ty(ask, part)?;
    let retries = !names_revision(&patch);
    let mut told = false;
    for _ in 0..ATTEMPTS {
        let old = get::find(ask.api, ask.target)?;
        let seen = event_view::shown(ask.target.kind, &old.value).into_owned();
        let before = part.view(&seen);
        let mut sent = patched(dialect, ty, &before, &patch)?;
        fields::type_errors(ty, &sent)?;
        if !told {
            // What was unknown before is not this patch's doing.
            let known = fields::unknown(ty, &before);
            let unknown: Vec<String> =
                fields::unknown(ty, &sent).into_iter().filter(|path| !known.contains(path)).collect();
            check_fields(ty, &unknown, &duplicates, options.validation, &mut ask.warnings)?;
            told = true;
        }
        same_object(ask, &before, &sent)?;
        fields::canonical(ty, &mut sent);
        let sent = event_view::stored(ask.target.kind, sent);
        match replace(ask, Write { part, options, retries }, &old, sent).await? {
            Outcome::Stored(object) => return Ok(stored(ask, part, &object)),
            Outcome::Unstored(value) => return Ok(shown(ask, part, &value)),
            Outcome::Raced => {}
        }
    }
    Err(StatusError::conflict(ask.target.kind.resource, ask.target.name(), MODIFIED).into())
}

fn dialect(content_type: &str) -> Result<Dialect, StatusError> {
    match content_type.split(';').next().unwrap_or("").trim() {
        "application/json-patch+json" => Ok(Dialect::Json),
        "application/merge-patch+json" => Ok(Dialect::Merge),
        "application/strategic-merge-patch+json" => Ok(Dialect::Strategic),
        "application/apply-patch+yaml" | "application/apply-patch+cbor" => {
            let words =
                "server-side apply is not served yet: use client-side apply (kubectl apply without --server-side)";
            Err(StatusError { message: words.to_owned(), ..StatusError::unsupported_media_type(&ACCEPTED) })
        }
        _ => Err(StatusError::unsupported_media_type(&ACCEPTED)),
    }
}

/// The type that is patched.
fn ty(ask: &Ask<'_>, part: Part) -> Result<&'static Type, StatusError> {
    match part {
        Part::Whole | Part::Status | Part::Finalize => Ok(ask.target.kind.ty),
        Part::Scale => type_of("autoscaling", "v1", "Scale").ok_or_else(|| StatusError::internal("no table of Scale")),
    }
}

fn patched(dialect: Dialect, ty: &'static Type, before: &Value, patch: &Value) -> Result<Value, StatusError> {
    match dialect {
        Dialect::Json => rules::json(before, patch),
        Dialect::Merge => rules::merge(before, patch),
        Dialect::Strategic => rules::strategic(ty, before, patch),
    }
}

/// A patch changes an object, never into another one.
fn same_object(ask: &Ask<'_>, before: &Value, after: &Value) -> Result<(), StatusError> {
    for field in ["apiVersion", "kind"] {
        if text(before, &[field]) != text(after, &[field]) {
            return Err(StatusError::bad_request(format!("a patch cannot change {field}")));
        }
    }
    let (name, path) = (text(after, &["metadata", "name"]), ask.target.name());
    if name != path {
        let words = format!("the name of the object ({name}) does not match the name on the URL ({path})");
        return Err(StatusError::bad_request(words));
    }
    in_its_namespace(text(after, &["metadata", "namespace"]), &ask.target.namespace)
}

/// Whether the patch itself says which revision it is for.
fn names_revision(patch: &Value) -> bool {
    match patch {
        Value::Array(operations) => {
            operations.iter().any(|operation| text(operation, &["path"]) == "/metadata/resourceVersion")
        }
        patch => !text(patch, &["metadata", "resourceVersion"]).is_empty(),
    }
}
