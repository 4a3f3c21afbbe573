//! A request that is not served, as the `Status` object Kubernetes' clients read.
//!
//! The words are `metav1.Status`; reasons are Kubernetes' `StatusReason` constants.

use crate::body::{Body, full};
use http::{Response, StatusCode, header};
use serde_json::{Value, json};

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Option<Value>,
}

impl Refusal {
    pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub(crate) fn internal(message: impl std::fmt::Display) -> Refusal {
        let message = format!("Internal error occurred: {message}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// Too much at once; the client may ask again after `seconds`.
    pub(crate) fn too_many(message: impl Into<String>, seconds: u32) -> Refusal {
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        Refusal { details: Some(json!({ "retryAfterSeconds": seconds })), ..refusal }
    }

    /// An options object that does not hold: `kind "name" is invalid: problems`.
    pub(crate) fn invalid(kind: &str, name: &str, causes: &[Cause]) -> Refusal {
        let said: Vec<String> = causes.iter().map(Cause::text).collect();
        let said = if said.len() == 1 { said.concat() } else { format!("[{}]", said.join(", ")) };
        let message = format!("{kind} {name:?} is invalid: {said}");
        let causes: Vec<Value> = causes.iter().map(Cause::json).collect();
        let details = json!({ "name": name, "kind": kind, "causes": causes });
        let refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
        Refusal { details: Some(details), ..refusal }
    }

    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { code, reason, message: message.into(), details: None }
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status
    }

    /// The answer.
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(full(self.status().to_string()));
        *response.status_mut() = self.code;
        let json = header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The field's path.
    pub(crate) field: &'static str,
    /// Kubernetes' `CauseType`, with the words it is said with.
    pub(crate) kind: CauseKind,
    /// What is wrong with it.
    pub(crate) problem: String,
}

/// The `CauseType`s used here (`field.ErrorType`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CauseKind {
    /// The value, as text, does not hold.
    Invalid(String),
    /// It may not be said at all.
    Forbidden,
}

impl Cause {
    fn problem(&self) -> String {
        match &self.kind {
            CauseKind::Invalid(value) => format!("Invalid value: {value}: {}", self.problem),
            CauseKind::Forbidden => format!("Forbidden: {}", self.problem),
        }
    }

    fn text(&self) -> String {
        format!("{}: {}", self.field, self.problem())
    }

    fn json(&self) -> Value {
        let reason = match self.kind {
            CauseKind::Invalid(_) => "FieldValueInvalid",
            CauseKind::Forbidden => "FieldValueForbidden",
        };
        json!({ "reason": reason, "message": self.problem(), "field": self.field })
    }
}
