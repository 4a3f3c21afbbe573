//! Shows: failures read as Kubernetes writes them.

use super::*;
use crate::object::resources;

#[test]
fn val_29_not_found_names_the_qualified_resource() {
    let error = StatusError::not_found(resources::STATEFULSETS, "x");
    assert_eq!(error.message, "statefulsets.apps \"x\" not found");
    assert_eq!(
        error.to_value(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "statefulsets.apps \"x\" not found", "reason": "NotFound", "code": 404,
            "details": {"name": "x", "group": "apps", "kind": "statefulsets"}})
    );
}

#[test]
fn invalid_lists_every_field_once_and_all_causes() {
    let kind = Kind::of(resources::PODS).expect("served");
    let one = vec![FieldError::required("spec.containers", "")];
    let error = StatusError::invalid(kind, "p", one);
    assert_eq!(error.message, "Pod \"p\" is invalid: spec.containers: Required value");
    let two = vec![FieldError::required("a", ""), FieldError::required("a", ""), FieldError::forbidden("b", "no")];
    let error = StatusError::invalid(kind, "p", two);
    assert_eq!(error.message, "Pod \"p\" is invalid: [a: Required value, b: Forbidden: no]");
    assert_eq!(error.details.causes.len(), 3);
    assert_eq!(error.details.causes[2].reason, "FieldValueForbidden");
}

#[test]
fn field_errors_read_as_upstream_writes_them() {
    let cases = [
        (FieldError::required("spec.x", ""), "spec.x: Required value"),
        (FieldError::invalid("spec.x", "A", "must be b"), "spec.x: Invalid value: \"A\": must be b"),
        (FieldError::invalid("spec.x", 3, "too small"), "spec.x: Invalid value: 3: too small"),
        (FieldError::invalid("spec.x", Value::Null, ""), "spec.x: Invalid value: \"null\""),
        (
            FieldError::not_supported("spec.x", "X", &["A", "B"]),
            "spec.x: Unsupported value: \"X\": supported values: \"A\", \"B\"",
        ),
        (FieldError::duplicate("spec.x", "A"), "spec.x: Duplicate value: \"A\""),
        (FieldError::not_found("spec.x", "v"), "spec.x: Not found: \"v\""),
        (FieldError::forbidden("spec.x", "not here"), "spec.x: Forbidden: not here"),
        (FieldError::too_many("spec.x", 5, 3), "spec.x: Too many: 5: must have at most 3 items"),
        (FieldError::too_long("spec.x", 253), "spec.x: Too long: may not be more than 253 bytes"),
    ];
    for (error, words) in cases {
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn a_future_revision_is_a_timeout_with_its_cause() {
    let error = StatusError::too_large_resource_version(9, 4);
    assert_eq!((error.code, error.reason), (504, "Timeout"));
    assert_eq!(error.to_value()["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(error.to_value()["details"]["retryAfterSeconds"], 1);
}

#[test]
fn quotes_escape_what_go_escapes() {
    assert_eq!(quoted("a\"b\\\n\u{7}é"), "\"a\\\"b\\\\\\n\\x07é\"");
}
