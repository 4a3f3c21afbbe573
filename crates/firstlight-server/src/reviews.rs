//! Reviews: objects that are posted, answered and forgotten. Who am I, and what may I do.
//!
//! The door lets in only who holds a certificate of this engine's authority, and who is in may do everything.

use crate::body::Body;
use crate::failure::Failure;
use crate::payload::Payload;
use crate::request::WriteOptions;
use crate::router::Ask;
use firstlight_api::status_error::{FieldError, StatusError};
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// Why every access is allowed.
const REASON: &str = "who holds a certificate of this engine may do everything";

/// Answers a review.
pub(crate) fn answer(ask: &mut Ask<'_>, payload: &Payload) -> Result<Response<Body>, Failure> {
    let options = WriteOptions::read(ask.query, "CreateOptions")?;
    let mut review = payload.object(ask.target.kind, options.validation, &mut ask.warnings)?;
    review["status"] = status(ask, &review)?;
    Ok(ask.respond(StatusCode::CREATED, ask.face.value(&review)))
}

fn status(ask: &Ask<'_>, review: &Value) -> Result<Value, StatusError> {
    match ask.target.kind.kind {
        "SelfSubjectReview" => Ok(json!({"userInfo": {"username": ask.caller.user, "groups": ask.caller.groups}})),
        "SelfSubjectAccessReview" => {
            let spec = |field: &str| review.get("spec").and_then(|spec| spec.get(field)).is_some_and(Value::is_object);
            if spec("resourceAttributes") == spec("nonResourceAttributes") {
                let words = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                let problem = FieldError::invalid("spec.resourceAttributes", Value::Null, words);
                return Err(StatusError::invalid(ask.target.kind, "", vec![problem]));
            }
            Ok(json!({"allowed": true, "reason": REASON}))
        }
        "SelfSubjectRulesReview" => Ok(json!({
            "incomplete": false,
            "resourceRules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
            "nonResourceRules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}],
        })),
        other => Err(StatusError::internal(format!("no review of kind {other}"))),
    }
}
