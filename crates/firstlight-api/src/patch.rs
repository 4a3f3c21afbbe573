//! What an object becomes by a patch: JSON Patch, JSON merge patch, strategic merge patch and server-side apply.
//!
//! Each takes the object and the patch and returns a new object; what the caller does with it (defaulting,
//! validation, the rules of the subresource) is the same for all.

mod apply;
mod order;
mod strategic;

pub use apply::{Writer, apply, track};
pub use strategic::strategic;

use crate::status_error::StatusError;
use serde_json::Value;

/// Operations in one JSON patch (`k8s.io/apiserver/pkg/endpoints/handlers/patch.go`, `maxJSONPatchOperations`).
pub const MAX_OPERATIONS: usize = 10_000;

/// A JSON Patch (RFC 6902, `application/json-patch+json`).
///
/// # Errors
/// 400 if it is no patch, 413 if it has more than [`MAX_OPERATIONS`], 422 if an operation fails; then nothing is done.
pub fn json(doc: &Value, patch: &Value) -> Result<Value, StatusError> {
    let count = patch.as_array().map_or(0, Vec::len);
    if count > MAX_OPERATIONS {
        let limit = format!("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}");
        return Err(StatusError { message: limit, ..StatusError::too_large(MAX_OPERATIONS) });
    }
    let patch: json_patch::Patch =
        serde::Deserialize::deserialize(patch).map_err(|e| StatusError::bad_request(format!("no JSON patch: {e}")))?;
    let mut result = doc.clone();
    json_patch::patch(&mut result, &patch).map_err(|e| rejected(&e.to_string()))?;
    if result.is_object() { Ok(result) } else { Err(rejected("it leaves no object")) }
}

/// 422 in Kubernetes' words, with the reason that Kubernetes leaves out.
fn rejected(why: &str) -> StatusError {
    StatusError::unprocessable(format!("the server rejected our request due to an error in our request: {why}"))
}

/// A JSON merge patch (RFC 7386, `application/merge-patch+json`).
///
/// # Errors
/// 400 if it is not an object.
pub fn merge(doc: &Value, patch: &Value) -> Result<Value, StatusError> {
    if !patch.is_object() {
        return Err(StatusError::bad_request("a merge patch of an object must be an object"));
    }
    let mut result = doc.clone();
    json_patch::merge(&mut result, patch);
    Ok(result)
}
