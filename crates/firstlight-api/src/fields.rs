//! Whether a value fits its type: fields the type does not have, values of the wrong type, and what it looks like
//! after a round trip through Kubernetes' own structs.
//!
//! Asked by the server after decoding, by `fieldValidation`, and by the command line for every manifest.

mod canonical;
mod fit;

pub use canonical::canonical;
pub(crate) use canonical::{canonical_texts, vanishes};
pub use fit::type_errors;

use crate::decode::Path;
use crate::schema::{Of, Shape, Type};
use crate::status_error::{StatusError, quoted};
use serde_json::Value;

/// More paths than this help nobody.
const MAX_PATHS: usize = 100;

/// The paths of the fields that the type does not have: `spec.containers[0].imge`.
#[must_use]
pub fn unknown(ty: &Type, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    unknown_in(ty, value, &Path::Root, &mut found);
    found
}

fn unknown_in(ty: &Type, value: &Value, at: &Path<'_>, found: &mut Vec<String>) {
    let Value::Object(object) = value else { return };
    for (name, value) in object {
        let at = Path::Key(at, name);
        match ty.field(name) {
            Some(field) => unknown_below(field.shape, value, &at, found),
            None if found.len() < MAX_PATHS => found.push(at.to_string()),
            None => return,
        }
    }
}

fn unknown_below(shape: Shape, value: &Value, at: &Path<'_>, found: &mut Vec<String>) {
    let Of::Message(ty) = shape.of() else { return };
    match (shape, value) {
        (Shape::One(_), value) => unknown_in(ty, value, at, found),
        (Shape::List(_), Value::Array(list)) => {
            for (index, element) in list.iter().enumerate() {
                unknown_in(ty, element, &Path::Index(at, index), found);
            }
        }
        (Shape::Map(_), Value::Object(map)) => {
            for (key, element) in map {
                unknown_in(ty, element, &Path::Key(at, key), found);
            }
        }
        (Shape::List(_) | Shape::Map(_), _) => {}
    }
}

/// What `fieldValidation=Warn` answers in `Warning` headers, one text each.
#[must_use]
pub fn warnings(unknown: &[String], duplicates: &[String]) -> Vec<String> {
    let unknown = unknown.iter().map(|path| format!("unknown field {}", quoted(path)));
    let duplicates = duplicates.iter().map(|path| format!("duplicate field {}", quoted(path)));
    unknown.chain(duplicates).collect()
}

/// What `fieldValidation=Strict` answers.
///
/// # Errors
/// 400 if there is anything to warn of.
pub fn strict(ty: &Type, unknown: &[String], duplicates: &[String]) -> Result<(), StatusError> {
    let found = warnings(unknown, duplicates);
    if found.is_empty() {
        return Ok(());
    }
    Err(cannot_be_handled(ty, &format!("strict decoding error: {}", found.join(", "))))
}

/// 400 in the words of `k8s.io/apiserver/pkg/endpoints/handlers`.
fn cannot_be_handled(ty: &Type, why: &str) -> StatusError {
    let (version, kind) = ty.go.split_once('.').unwrap_or(("", ty.go));
    StatusError::bad_request(format!("{kind} in version {} cannot be handled as a {kind}: {why}", quoted(version)))
}

#[cfg(test)]
mod tests;
