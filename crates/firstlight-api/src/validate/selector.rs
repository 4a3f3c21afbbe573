//! Label selectors inside objects: well formed, and what they match.

use super::text;
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::Value;

/// Whether a selector of the `matchLabels` and `matchExpressions` form is well formed.
pub(super) fn check(selector: &Value, path: &str, refused: &mut Refusals) {
    super::meta::labels(selector.object("matchLabels"), &format!("{path}.matchLabels"), refused);
    for (i, expression) in selector.list("matchExpressions").iter().enumerate() {
        let at = format!("{path}.matchExpressions[{i}]");
        let key = expression.text("key");
        refused.each(&format!("{at}.key"), key, text::qualified_name(key));
        let values = expression.texts("values");
        match expression.text("operator") {
            "In" | "NotIn" if values.is_empty() => {
                let words = "must be specified when `operator` is 'In' or 'NotIn'";
                refused.required(&format!("{at}.values"), words);
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                refused.forbidden(&format!("{at}.values"), words);
            }
            "Exists" | "DoesNotExist" => {}
            operator => refused.invalid(&format!("{at}.operator"), operator, "not a valid selector operator"),
        }
        for (j, value) in values.iter().enumerate() {
            refused.each(&format!("{at}.values[{j}]"), value, text::label_value(value));
        }
    }
}

/// Whether a well-formed selector matches these labels.
pub(super) fn matches(selector: &Value, labels: &Value) -> bool {
    let value_of = |key: &str| labels.get_some(key).and_then(Value::as_str);
    let equal = selector.members("matchLabels").all(|(key, value)| value_of(key) == value.as_str());
    let expressed = selector.list("matchExpressions").iter().all(|expression| {
        let value = value_of(expression.text("key"));
        let listed = value.is_some_and(|value| expression.texts("values").iter().any(|v| v == value));
        match expression.text("operator") {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    });
    equal && expressed
}
