//! What the client sent: the body, read within bounds, decoded and checked against its kind.

use crate::request::FieldValidation;
use bytes::Bytes;
use firstlight_api::decode::{Decoded, Format, decode};
use firstlight_api::event_view;
use firstlight_api::fields;
use firstlight_api::object::text;
use firstlight_api::schema::{Kind, Type, type_of};
use firstlight_api::status_error::StatusError;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;

/// The largest body: 3 MiB, as `k8s.io/apiserver/pkg/server/config.go` sets it.
pub(crate) const BODY_LIMIT: usize = 3 << 20;

/// How long a body may take to arrive: three megabytes at a tenth of a megabyte per second (E8, fault 71).
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Reads the whole body.
pub(crate) async fn read<B>(body: B) -> Result<Bytes, StatusError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match timeout(BODY_PATIENCE, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusError::too_large(BODY_LIMIT)),
        Ok(Err(error)) => Err(StatusError::bad_request(format!("the body broke off: {error}"))),
        Err(_) => Err(StatusError::timeout("the body did not arrive in time", 1)),
    }
}

/// A body and how it is written.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
}

/// The media types of bodies that are objects.
const OBJECT_TYPES: [&str; 3] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

impl Payload {
    /// The object of `kind` it holds, in the form that is stored. Adds to `warnings` what `validation` warns of.
    pub(crate) fn object(
        &self,
        kind: &'static Kind,
        validation: FieldValidation,
        warnings: &mut Vec<String>,
    ) -> Result<Value, StatusError> {
        let mut value = self.of_type(kind.ty, (&kind.api_version(), kind.kind), validation, warnings)?;
        fields::canonical(kind.ty, &mut value);
        Ok(event_view::stored(kind, value))
    }

    /// What a subresource speaks: a `Binding`, a `Scale`, an `Eviction`.
    pub(crate) fn spoken(
        &self,
        (group, version, kind): (&str, &str, &str),
        validation: FieldValidation,
        warnings: &mut Vec<String>,
    ) -> Result<Value, StatusError> {
        let ty = type_of(group, version, kind)
            .ok_or_else(|| StatusError::internal(format!("no table of {group}/{version} {kind}")))?;
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        self.of_type(ty, (&api_version, kind), validation, warnings)
    }

    /// The `DeleteOptions`, if there is a body. They may come as of any group, as upstream registers them with all.
    pub(crate) fn delete_options(&self) -> Result<Option<Value>, StatusError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let ty = type_of("", "v1", "DeleteOptions").or_else(|| type_of("meta.k8s.io", "v1", "DeleteOptions"));
        let Decoded { value, duplicates, dropped: _ } = self.decode()?;
        if let Some(ty) = ty {
            fields::type_errors(ty, &value)?;
            fields::strict(ty, &fields::unknown(ty, &value), &duplicates)?;
        }
        Ok(Some(value))
    }

    /// A patch's document, written in JSON or, where it is applied, in YAML.
    pub(crate) fn patch(&self, format: Format) -> Result<Decoded, StatusError> {
        decode(format, &self.bytes)
    }

    fn of_type(
        &self,
        ty: &'static Type,
        (api_version, kind): (&str, &str),
        validation: FieldValidation,
        warnings: &mut Vec<String>,
    ) -> Result<Value, StatusError> {
        let Decoded { mut value, duplicates, dropped } = self.decode()?;
        says_its_kind(&value, api_version, kind)?;
        fields::type_errors(ty, &value)?;
        let mut unknown = fields::unknown(ty, &value);
        unknown.extend(dropped);
        check_fields(ty, &unknown, &duplicates, validation, warnings)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("apiVersion".to_owned(), api_version.into());
            object.insert("kind".to_owned(), kind.into());
        }
        Ok(value)
    }

    fn decode(&self) -> Result<Decoded, StatusError> {
        let format = Format::of_media_type(&self.content_type)
            .ok_or_else(|| StatusError::unsupported_media_type(&OBJECT_TYPES))?;
        decode(format, &self.bytes)
    }
}

/// Does with what a type does not have what the client asked for.
pub(crate) fn check_fields(
    ty: &Type,
    unknown: &[String],
    duplicates: &[String],
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<(), StatusError> {
    match validation {
        FieldValidation::Ignore => {}
        FieldValidation::Warn => warnings.extend(fields::warnings(unknown, duplicates)),
        FieldValidation::Strict => fields::strict(ty, unknown, duplicates)?,
    }
    Ok(())
}

/// The object says either nothing of its kind or what the path says.
fn says_its_kind(value: &Value, api_version: &str, kind: &str) -> Result<(), StatusError> {
    let (said_version, said_kind) = (text(value, &["apiVersion"]), text(value, &["kind"]));
    if !said_version.is_empty() && said_version != api_version {
        return Err(StatusError::bad_request(format!(
            "the API version in the data ({said_version}) does not match the expected API version ({api_version})"
        )));
    }
    if !said_kind.is_empty() && said_kind != kind {
        let version = api_version.rsplit_once('/').map_or(api_version, |(_, version)| version);
        return Err(StatusError::bad_request(format!(
            "{said_kind} in version {version:?} cannot be handled as a {kind}: the kind in the data ({said_kind}) does \
             not match the expected kind ({kind})"
        )));
    }
    Ok(())
}
