//! POST of an object.
//!
//! Source: `k8s.io/apiserver/pkg/registry/{rest/create.go,generic/registry/store.go}`.

use crate::admission;
use crate::body::Body;
use crate::change::stored_kind;
use crate::failure::Failure;
use crate::payload::Payload;
use crate::request::WriteOptions;
use crate::router::Ask;
use crate::{ids, metadata, ownership};
use firstlight_api::object::text;
use firstlight_api::status_error::StatusError;
use firstlight_api::{admit, defaults, fields, powers, validate};
use firstlight_store::{Expect, Refused, Write};
use http::{Response, StatusCode};
use serde_json::Value;
use std::mem::take;

/// How many names are tried for one `generateName` (`maxNameGenerationCreateAttempts`).
const NAMES: usize = 8;

/// Creates what the body holds.
pub(crate) async fn create(ask: &mut Ask<'_>, payload: &Payload) -> Result<Response<Body>, Failure> {
    let options = WriteOptions::read(ask.query, "CreateOptions")?;
    let object = payload.object(ask.target.kind, options.validation, &mut ask.warnings)?;
    ask.warnings.extend(validate::warnings(ask.target.kind, &object));
    create_object(ask, options, Origin::Sent, object).await
}

/// Where a new object comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client sent it as it is.
    Sent,
    /// It was applied: it says itself who set which field.
    Applied,
}

/// Creates an object, decoded and in the form that is stored.
pub(crate) async fn create_object(
    ask: &Ask<'_>,
    options: WriteOptions,
    origin: Origin,
    object: Value,
) -> Result<Response<Body>, Failure> {
    let mut object = prepared(ask, origin, object)?;
    let prefix = text(&object, &["metadata", "generateName"]).to_owned();
    let generates = text(&object, &["metadata", "name"]).is_empty() && !prefix.is_empty();
    let attempts = if generates { NAMES } else { 1 };
    for attempt in 1..=attempts {
        if generates {
            metadata::of(&mut object).insert("name".to_owned(), ids::name(&prefix).into());
        }
        let name = text(&object, &["metadata", "name"]).to_owned();
        let mut problems = validate::create(stored_kind(ask), &object);
        problems.extend(powers::refused(stored_kind(ask), &object, ask.api.powers));
        if !problems.is_empty() {
            return Err(StatusError::invalid(ask.target.kind, &name, problems).into());
        }
        let key = ask.target.named(&name);
        if options.dry_run {
            return match ask.api.store.get(&key) {
                Some(_) => Err(StatusError::already_exists(ask.target.kind.resource, &name).into()),
                None => Ok(ask.respond(StatusCode::CREATED, ask.face.value(&object))),
            };
        }
        let value = if attempt < attempts { object.clone() } else { take(&mut object) };
        let write = Write { key, expect: Expect::Absent, value: Some(value) };
        match ask.api.store.commit(write).await {
            Ok(stored) => return Ok(ask.respond(StatusCode::CREATED, ask.face.object(&stored))),
            Err(Refused::Exists(_)) if attempt < attempts => {}
            Err(refused) => return Err(Failure::refused(ask.target.kind.resource, &name, &refused)),
        }
    }
    unreachable!("the last attempt returns")
}

/// The object as it will be stored, but for a generated name.
fn prepared(ask: &Ask<'_>, origin: Origin, mut object: Value) -> Result<Value, Failure> {
    let kind = ask.target.kind;
    let metadata_text = |field| text(&object, &["metadata", field]);
    in_its_namespace(metadata_text("namespace"), &ask.target.namespace)?;
    if !matches!(metadata_text("resourceVersion"), "" | "0") {
        let words = "resourceVersion should not be set on objects to be created";
        return Err(StatusError::bad_request(words).into());
    }
    let name = [metadata_text("name"), metadata_text("generateName")].into_iter().find(|name| !name.is_empty());
    admission::namespace(ask.api, kind.resource, &ask.target.namespace, name.unwrap_or(""))?;
    metadata::of(&mut object).remove("resourceVersion");
    if origin == Origin::Sent {
        metadata::of(&mut object).remove("managedFields");
    }
    metadata::create(&mut object, &ask.target.namespace, ask.now);
    defaults::apply(stored_kind(ask), &mut object);
    if origin == Origin::Sent {
        // Before the API adds its own: what nobody asked for nobody owns.
        ownership::track(ask, None, &mut object);
    }
    admission::create(ask, &mut object)?;
    admit::create(stored_kind(ask), &mut object);
    admission::bind(ask, &mut object);
    fields::canonical(stored_kind(ask).ty, &mut object);
    Ok(object)
}

/// The object says either nothing of its namespace or what the path says.
pub(crate) fn in_its_namespace(said: &str, namespace: &str) -> Result<(), StatusError> {
    if said.is_empty() || said == namespace {
        return Ok(());
    }
    let words = "the namespace of the provided object does not match the namespace sent on the request";
    Err(StatusError::bad_request(words))
}
