//! A request that failed, on its way to the client.

use crate::body::{Body, full};
use firstlight_api::object::Resource;
use firstlight_api::status_error::{MODIFIED, StatusError};
use firstlight_store::Refused;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::Value;

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    error: StatusError,
    /// Where an expired list may be continued, at the price of consistency.
    token: Option<String>,
}

impl From<StatusError> for Failure {
    fn from(error: StatusError) -> Failure {
        Failure { error, token: None }
    }
}

impl Failure {
    /// 410, with a token for who prefers an inconsistent rest to a new list.
    pub(crate) fn continue_expired(error: StatusError, token: String) -> Failure {
        Failure { error, token: Some(token) }
    }

    /// What the store says, in the API's words.
    pub(crate) fn refused(resource: Resource, name: &str, refused: &Refused) -> Failure {
        let error = match refused {
            Refused::Exists(_) => StatusError::already_exists(resource, name),
            Refused::Missing => StatusError::not_found(resource, name),
            Refused::Stale(_) => StatusError::conflict(resource, name, MODIFIED),
            Refused::Unavailable(_) => StatusError::unavailable(refused.to_string()),
        };
        error.into()
    }

    /// Whether there is no such object.
    pub(crate) fn is_not_found(&self) -> bool {
        self.error.reason == "NotFound"
    }

    /// Whether there is such an object, where there should be none.
    pub(crate) fn is_already_exists(&self) -> bool {
        self.error.reason == "AlreadyExists"
    }

    /// The answer.
    pub(crate) fn response(self) -> Response<Body> {
        let Failure { error, token } = self;
        let mut status = error.to_value();
        if let Some(token) = token {
            status["metadata"]["continue"] = Value::String(token);
        }
        let mut response = Response::new(full(status.to_string()));
        *response.status_mut() = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if error.details.retry_after_seconds > 0 {
            response.headers_mut().insert(header::RETRY_AFTER, error.details.retry_after_seconds.into());
        }
        response
    }
}
