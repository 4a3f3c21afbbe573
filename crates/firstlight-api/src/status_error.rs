//! The `Status` object of every failure, in Kubernetes' words.
//!
//! Controllers match on `reason`, `kubectl` prints `message`, people search the web for both: the wording is that of
//! `k8s.io/apimachinery/pkg/api/errors` and, for [`FieldError`], `k8s.io/apimachinery/pkg/util/validation/field`.

mod field;

pub use field::{FieldError, FieldErrorKind, quoted};

use crate::object::Resource;
use crate::schema::Kind;
use serde_json::{Map, Value, json};
use std::fmt;

/// A request that failed, and how to say so.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusError {
    /// The HTTP status.
    pub code: u16,
    /// The word programs match on: `NotFound`.
    pub reason: &'static str,
    /// What people read.
    pub message: String,
    /// What it is about; boxed, as errors travel through every result.
    pub details: Box<Details>,
}

/// What a [`StatusError`] is about; empty where unknown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// The API group.
    pub group: String,
    /// The resource's plural, or the kind for invalid objects.
    pub kind: String,
    /// The object's UID.
    pub uid: String,
    /// The single reasons.
    pub causes: Vec<Cause>,
    /// When to try again.
    pub retry_after_seconds: u32,
}

/// One of several reasons.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cause {
    /// The word programs match on: `FieldValueRequired`.
    pub reason: String,
    /// What people read.
    pub message: String,
    /// The field's path.
    pub field: String,
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StatusError {}

fn new(code: u16, reason: &'static str, message: impl Into<String>) -> StatusError {
    StatusError { code, reason, message: message.into(), details: Box::default() }
}

fn about(resource: Resource, name: &str) -> Box<Details> {
    let Resource { group, plural } = resource;
    Box::new(Details { name: name.to_owned(), group: group.to_owned(), kind: plural.to_owned(), ..Details::default() })
}

/// `pods`, `statefulsets.apps`
fn qualified(resource: Resource) -> String {
    let Resource { group, plural } = resource;
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}

impl StatusError {
    /// 404: no such object.
    #[must_use]
    pub fn not_found(resource: Resource, name: &str) -> StatusError {
        let message = format!("{} {} not found", qualified(resource), quoted(name));
        StatusError { details: about(resource, name), ..new(404, "NotFound", message) }
    }

    /// 404: no such path. It has details, as what `client-go` makes of upstream's plain answer has: `kubectl debug`
    /// reads them without looking whether they are there.
    #[must_use]
    pub fn no_such_path() -> StatusError {
        let cause = Cause {
            reason: "UnexpectedServerResponse".to_owned(),
            message: "404 page not found".to_owned(),
            field: String::new(),
        };
        let details = Box::new(Details { causes: vec![cause], ..Details::default() });
        StatusError { details, ..new(404, "NotFound", "the server could not find the requested resource") }
    }

    /// 409: there is one of that name.
    #[must_use]
    pub fn already_exists(resource: Resource, name: &str) -> StatusError {
        let message = format!("{} {} already exists", qualified(resource), quoted(name));
        StatusError { details: about(resource, name), ..new(409, "AlreadyExists", message) }
    }

    /// 409: what the request expects is not so; `why` is [`MODIFIED`] after a lost race.
    #[must_use]
    pub fn conflict(resource: Resource, name: &str, why: &str) -> StatusError {
        let message = format!("Operation cannot be fulfilled on {} {}: {why}", qualified(resource), quoted(name));
        StatusError { details: about(resource, name), ..new(409, "Conflict", message) }
    }

    /// 422: the object breaks a rule of its kind.
    #[must_use]
    pub fn invalid(kind: &Kind, name: &str, errors: Vec<FieldError>) -> StatusError {
        let qualified =
            if kind.group.is_empty() { kind.kind.to_owned() } else { format!("{}.{}", kind.kind, kind.group) };
        let message = format!("{qualified} {} is invalid{}", quoted(name), aggregate(&errors));
        let causes = errors.iter().map(FieldError::cause).collect();
        let details = Details {
            name: name.to_owned(),
            group: kind.group.to_owned(),
            kind: kind.kind.to_owned(),
            causes,
            ..Details::default()
        };
        StatusError { details: Box::new(details), ..new(422, "Invalid", message) }
    }

    /// 400: the request cannot be understood.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> StatusError {
        new(400, "BadRequest", message)
    }

    /// 401: who asks is not known.
    #[must_use]
    pub fn unauthorized() -> StatusError {
        new(401, "Unauthorized", "Unauthorized")
    }

    /// 403: known, but not allowed; `name` may be empty.
    #[must_use]
    pub fn forbidden(resource: Resource, name: &str, why: &str) -> StatusError {
        let name_part = if name.is_empty() { String::new() } else { format!(" {}", quoted(name)) };
        let message = format!("{}{name_part} is forbidden: {why}", qualified(resource));
        StatusError { details: about(resource, name), ..new(403, "Forbidden", message) }
    }

    /// 403: nothing is created in a namespace that is going away.
    #[must_use]
    pub fn namespace_terminating(resource: Resource, name: &str, namespace: &str) -> StatusError {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let message = format!("namespace {namespace} is being terminated");
        let field = "metadata.namespace".to_owned();
        StatusError::forbidden(resource, name, &why).because("NamespaceTerminating", message, field)
    }

    /// 405: the resource has no such verb.
    #[must_use]
    pub fn method_not_allowed(resource: Resource, verb: &str) -> StatusError {
        let message = format!("{verb} is not supported on resources of kind {}", quoted(&qualified(resource)));
        StatusError { details: about(resource, ""), ..new(405, "MethodNotAllowed", message) }
    }

    /// 406: none of the media types the client accepts is served.
    #[must_use]
    pub fn not_acceptable(served: &[&str]) -> StatusError {
        let message = format!("only the following media types are accepted: {}", served.join(", "));
        new(406, "NotAcceptable", message)
    }

    /// 410: the history asked for is no longer kept.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> StatusError {
        new(410, "Expired", message)
    }

    /// 413: the body is larger than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> StatusError {
        let message = format!("Request entity is too large: limit is {limit}");
        new(413, "RequestEntityTooLarge", message)
    }

    /// 415: the body's media type is not understood.
    #[must_use]
    pub fn unsupported_media_type(accepted: &[&str]) -> StatusError {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        new(415, "UnsupportedMediaType", message)
    }

    /// 422: the body is understood but cannot be done.
    #[must_use]
    pub fn unprocessable(message: impl Into<String>) -> StatusError {
        new(422, "Invalid", message)
    }

    /// 429: try again later.
    #[must_use]
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> StatusError {
        new(429, "TooManyRequests", message).retry_after(retry_after_seconds)
    }

    /// 500: our fault.
    #[must_use]
    pub fn internal(why: impl fmt::Display) -> StatusError {
        let why = why.to_string();
        new(500, "InternalError", format!("Internal error occurred: {why}")).because("", why, String::new())
    }

    /// 503: cannot serve now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> StatusError {
        new(503, "ServiceUnavailable", message)
    }

    /// 504: it took too long.
    #[must_use]
    pub fn timeout(message: &str, retry_after_seconds: u32) -> StatusError {
        new(504, "Timeout", format!("Timeout: {message}")).retry_after(retry_after_seconds)
    }

    /// 504: the client has seen a revision this store has not reached (`storage.NewTooLargeResourceVersionError`).
    #[must_use]
    pub fn too_large_resource_version(asked: u64, current: u64) -> StatusError {
        StatusError::timeout(&format!("Too large resource version: {asked}, current: {current}"), 1).because(
            "ResourceVersionTooLarge",
            "Too large resource version".to_owned(),
            String::new(),
        )
    }

    /// With one more cause.
    #[must_use]
    pub fn because(mut self, reason: &str, message: String, field: String) -> StatusError {
        self.details.causes.push(Cause { reason: reason.to_owned(), message, field });
        self
    }

    /// With the time after which the client should try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> StatusError {
        self.details.retry_after_seconds = seconds;
        self
    }

    /// The `Status` object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let StatusError { code, reason, message, details } = self;
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        let details = details.to_map();
        if let (Some(status), false) = (status.as_object_mut(), details.is_empty()) {
            status.insert("details".to_owned(), Value::Object(details));
        }
        status
    }
}

/// Why an update lost a race, in the words of `k8s.io/apiserver/pkg/registry/generic/registry`.
pub const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

impl Details {
    fn to_map(&self) -> Map<String, Value> {
        let Details { name, group, kind, uid, causes, retry_after_seconds } = self;
        let mut map = texts(&[("name", name), ("group", group), ("kind", kind), ("uid", uid)]);
        if !causes.is_empty() {
            let causes = causes.iter().map(|Cause { reason, message, field }| {
                Value::Object(texts(&[("reason", reason), ("message", message), ("field", field)]))
            });
            map.insert("causes".to_owned(), causes.collect());
        }
        if *retry_after_seconds > 0 {
            map.insert("retryAfterSeconds".to_owned(), (*retry_after_seconds).into());
        }
        map
    }
}

/// An object of the texts that are not empty.
fn texts(pairs: &[(&str, &str)]) -> Map<String, Value> {
    pairs.iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| ((*key).to_owned(), (*text).into())).collect()
}

/// `: a` for one error, `: [a, b]` for several, each message once (`k8s.io/apimachinery/pkg/util/errors.Aggregate`).
fn aggregate(errors: &[FieldError]) -> String {
    let mut messages: Vec<String> = Vec::new();
    for message in errors.iter().map(ToString::to_string) {
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    match messages.as_slice() {
        [] => String::new(),
        [one] => format!(": {one}"),
        several => format!(": [{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests;
