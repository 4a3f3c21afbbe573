//! One field that breaks a rule, named by its path.

use super::Cause;
use serde_json::Value;
use std::fmt;

/// One field that breaks a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// Which sort of rule.
    pub kind: FieldErrorKind,
    /// The path: `spec.containers[0].image`.
    pub field: String,
    /// What stood there; not shown for kinds whose value says nothing.
    pub value: Option<Value>,
    /// What would be right; may be empty.
    pub detail: String,
}

/// Which sort of rule a field breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// Refers to what is not there.
    NotFound,
    /// Must be given.
    Required,
    /// Given twice.
    Duplicate,
    /// Malformed or out of range.
    Invalid,
    /// Not one of the known values.
    NotSupported,
    /// Well formed, but not allowed here.
    Forbidden,
    /// Too many bytes.
    TooLong,
    /// Too many elements.
    TooMany,
    /// Of the wrong type.
    TypeInvalid,
    /// Our fault.
    Internal,
}

impl FieldErrorKind {
    /// The word programs match on.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            FieldErrorKind::NotFound => "FieldValueNotFound",
            FieldErrorKind::Required => "FieldValueRequired",
            FieldErrorKind::Duplicate => "FieldValueDuplicate",
            FieldErrorKind::Invalid => "FieldValueInvalid",
            FieldErrorKind::NotSupported => "FieldValueNotSupported",
            FieldErrorKind::Forbidden => "FieldValueForbidden",
            FieldErrorKind::TooLong => "FieldValueTooLong",
            FieldErrorKind::TooMany => "FieldValueTooMany",
            FieldErrorKind::TypeInvalid => "FieldValueTypeInvalid",
            FieldErrorKind::Internal => "InternalError",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            FieldErrorKind::NotFound => "Not found",
            FieldErrorKind::Required => "Required value",
            FieldErrorKind::Duplicate => "Duplicate value",
            FieldErrorKind::Invalid | FieldErrorKind::TypeInvalid => "Invalid value",
            FieldErrorKind::NotSupported => "Unsupported value",
            FieldErrorKind::Forbidden => "Forbidden",
            FieldErrorKind::TooLong => "Too long",
            FieldErrorKind::TooMany => "Too many",
            FieldErrorKind::Internal => "Internal error",
        }
    }

    /// Whether the message shows the value that stood there.
    const fn shows_value(self) -> bool {
        match self {
            FieldErrorKind::Required
            | FieldErrorKind::Forbidden
            | FieldErrorKind::TooLong
            | FieldErrorKind::Internal => false,
            FieldErrorKind::NotFound
            | FieldErrorKind::Duplicate
            | FieldErrorKind::Invalid
            | FieldErrorKind::NotSupported
            | FieldErrorKind::TooMany
            | FieldErrorKind::TypeInvalid => true,
        }
    }
}

impl FieldError {
    fn new(kind: FieldErrorKind, field: impl Into<String>, value: Option<Value>, detail: impl Into<String>) -> Self {
        FieldError { kind, field: field.into(), value, detail: detail.into() }
    }

    /// `spec.x: Required value: detail`
    #[must_use]
    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        FieldError::new(FieldErrorKind::Required, field, None, detail)
    }

    /// `spec.x: Invalid value: "A": detail`
    #[must_use]
    pub fn invalid(field: impl Into<String>, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        FieldError::new(FieldErrorKind::Invalid, field, Some(value.into()), detail)
    }

    /// `spec.x: Unsupported value: "X": supported values: "A", "B"`
    #[must_use]
    pub fn not_supported(field: impl Into<String>, value: impl Into<Value>, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|s| quoted(s)).collect();
        let detail =
            if supported.is_empty() { String::new() } else { format!("supported values: {}", supported.join(", ")) };
        FieldError::new(FieldErrorKind::NotSupported, field, Some(value.into()), detail)
    }

    /// `spec.x: Duplicate value: "A"`
    #[must_use]
    pub fn duplicate(field: impl Into<String>, value: impl Into<Value>) -> Self {
        FieldError::new(FieldErrorKind::Duplicate, field, Some(value.into()), "")
    }

    /// `spec.x: Not found: "A"`
    #[must_use]
    pub fn not_found(field: impl Into<String>, value: impl Into<Value>) -> Self {
        FieldError::new(FieldErrorKind::NotFound, field, Some(value.into()), "")
    }

    /// `spec.x: Forbidden: detail`
    #[must_use]
    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        FieldError::new(FieldErrorKind::Forbidden, field, None, detail)
    }

    /// `spec.x: Too long: may not be more than 253 bytes`
    #[must_use]
    pub fn too_long(field: impl Into<String>, limit: usize) -> Self {
        FieldError::new(FieldErrorKind::TooLong, field, None, format!("may not be more than {limit} bytes"))
    }

    /// `spec.x: Too many: 5: must have at most 3 items`
    #[must_use]
    pub fn too_many(field: impl Into<String>, count: usize, limit: usize) -> Self {
        let items = if limit == 1 { "item" } else { "items" };
        let detail = format!("must have at most {limit} {items}");
        FieldError::new(FieldErrorKind::TooMany, field, Some(count.into()), detail)
    }

    /// What is wrong, without the path.
    #[must_use]
    pub fn body(&self) -> String {
        let FieldError { kind, field: _, value, detail } = self;
        let mut body = kind.words().to_owned();
        if kind.shows_value() {
            // A missing value is shown as Kubernetes shows it: quoted, as if it were text.
            let value = match value {
                None | Some(Value::Null) => "\"null\"".to_owned(),
                Some(Value::String(text)) => quoted(text),
                Some(other) => other.to_string(),
            };
            body.push_str(": ");
            body.push_str(&value);
        }
        if !detail.is_empty() {
            body.push_str(": ");
            body.push_str(detail);
        }
        body
    }

    /// The cause in the `Status`.
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause { reason: self.kind.reason().to_owned(), message: self.body(), field: self.field.clone() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// A text in double quotes, escaped as Kubernetes' messages do (Go's `%q`).
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
