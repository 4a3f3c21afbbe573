//! Label selectors inside objects: whether they are well formed. What they match is [`crate::select`]'s.

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
