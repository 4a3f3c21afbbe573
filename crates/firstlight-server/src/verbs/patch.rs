//! PATCH of an object or a part of it.

use super::create::{Origin, create_object, in_its_namespace};
use super::get;
use super::update::{addressed, shown, stored};
use crate::body::Body;
use crate::change::{ATTEMPTS, Outcome, Write, replace};
use crate::failure::Failure;
use crate::ownership;
use crate::part::Part;
use crate::payload::{Payload, check_fields};
use crate::request::{WriteOptions, apply_options};
use crate::router::Ask;
use firstlight_api::decode::{Decoded, Format};
use firstlight_api::object::text;
use firstlight_api::schema::{Type, type_of};
use firstlight_api::status_error::{MODIFIED, StatusError};
use firstlight_api::{event_view, fields, patch as rules};
use firstlight_store::Object;
use http::Response;
use serde_json::Value;

/// How a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Json,
    Merge,
    Strategic,
    Apply,
}

const ACCEPTED: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// Changes the object, or a part of it, as the body says. An apply also creates it.
pub(crate) async fn patch(ask: &mut Ask<'_>, part: Part, payload: &Payload) -> Result<Response<Body>, Failure> {
    let dialect = dialect(&payload.content_type, part)?;
    let (applied, format) = match dialect {
        Dialect::Apply => (true, Format::Yaml),
        Dialect::Json | Dialect::Merge | Dialect::Strategic => (false, Format::Json),
    };
    apply_options(ask.query, applied)?;
    let options = WriteOptions::read(ask.query, "PatchOptions")?;
    let Decoded { value: patch, duplicates, dropped: _ } = payload.patch(format)?;
    let change = Change { dialect, part, options, patch, duplicates };
    let how = Write { part, options, retries: !change.names_revision(), applied };
    for attempt in 0..ATTEMPTS {
        let old = match get::find(ask.api, ask.target) {
            Ok(old) => old,
            Err(_) if applied && part == Part::Whole => match change.create(ask).await {
                // Somebody created it in between: what is applied is laid over theirs.
                Err(failure) if failure.is_already_exists() => continue,
                done => return done,
            },
            Err(missing) => return Err(missing.into()),
        };
        let sent = change.made_of(ask, &old, attempt == 0)?;
        match replace(ask, how, &old, sent).await? {
            Outcome::Stored(object) => return Ok(stored(ask, part, &object)),
            Outcome::Unstored(value) => return Ok(shown(ask, part, &value)),
            Outcome::Raced => {}
        }
    }
    Err(StatusError::conflict(ask.target.kind.resource, ask.target.name(), MODIFIED).into())
}

fn dialect(content_type: &str, part: Part) -> Result<Dialect, StatusError> {
    match (content_type.split(';').next().unwrap_or("").trim(), part) {
        ("application/json-patch+json", _) => Ok(Dialect::Json),
        ("application/merge-patch+json", _) => Ok(Dialect::Merge),
        ("application/strategic-merge-patch+json", _) => Ok(Dialect::Strategic),
        ("application/apply-patch+yaml", Part::Whole | Part::Status) => Ok(Dialect::Apply),
        (_, Part::Whole | Part::Status) => Err(StatusError::unsupported_media_type(&ACCEPTED)),
        (_, Part::Scale | Part::Ephemeral | Part::Finalize) => Err(StatusError::unsupported_media_type(&ACCEPTED[..3])),
    }
}

/// A patch, read.
struct Change {
    dialect: Dialect,
    part: Part,
    options: WriteOptions,
    patch: Value,
    duplicates: Vec<String>,
}

impl Change {
    /// The object it makes of an old one, in the form that is stored. `first` tells what is to be warned of.
    fn made_of(&self, ask: &mut Ask<'_>, old: &Object, first: bool) -> Result<Value, StatusError> {
        let ty = ty(ask, self.part)?;
        let seen = event_view::shown(ask.target.kind, &old.value).into_owned();
        let before = self.part.view(&seen);
        let mut after = match self.dialect {
            Dialect::Json => rules::json(&before, &self.patch)?,
            Dialect::Merge => rules::merge(&before, &self.patch)?,
            Dialect::Strategic => rules::strategic(ty, &before, &self.patch)?,
            Dialect::Apply => ownership::apply(ask, Some(&before), &self.patch)?,
        };
        fields::type_errors(ty, &after)?;
        if first {
            // What was unknown before is not this patch's doing.
            let known = fields::unknown(ty, &before);
            let unknown: Vec<String> =
                fields::unknown(ty, &after).into_iter().filter(|path| !known.contains(path)).collect();
            check_fields(ty, &unknown, &self.duplicates, self.options.validation, &mut ask.warnings)?;
        }
        same_object(ask, &before, &after)?;
        fields::canonical(ty, &mut after);
        Ok(event_view::stored(ask.target.kind, after))
    }

    /// Creates what is applied and not there.
    async fn create(&self, ask: &mut Ask<'_>) -> Result<Response<Body>, Failure> {
        let ty = ask.target.kind.ty;
        check_fields(ty, &[], &self.duplicates, self.options.validation, &mut ask.warnings)?;
        let uid = text(&self.patch, &["metadata", "uid"]);
        if !uid.is_empty() {
            let why =
                format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(StatusError::conflict(ask.target.kind.resource, ask.target.name(), &why).into());
        }
        let mut object = ownership::apply(ask, None, &self.patch)?;
        addressed(ask, &mut object)?;
        create_object(ask, self.options, Origin::Applied, event_view::stored(ask.target.kind, object)).await
    }

    /// Whether the patch itself says which revision it is for.
    fn names_revision(&self) -> bool {
        match &self.patch {
            Value::Array(operations) => {
                operations.iter().any(|operation| text(operation, &["path"]) == "/metadata/resourceVersion")
            }
            patch => !text(patch, &["metadata", "resourceVersion"]).is_empty(),
        }
    }
}

/// The type that is patched.
fn ty(ask: &Ask<'_>, part: Part) -> Result<&'static Type, StatusError> {
    match part {
        Part::Whole | Part::Status | Part::Ephemeral | Part::Finalize => Ok(ask.target.kind.ty),
        Part::Scale => type_of("autoscaling", "v1", "Scale").ok_or_else(|| StatusError::internal("no table of Scale")),
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
