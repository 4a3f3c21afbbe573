//! Requests and limits (VAL-24).

use super::text;
use crate::quantity::Quantity;
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::Value;

pub(super) fn check(resources: &Value, path: &str, refused: &mut Refusals) {
    for side in ["limits", "requests"] {
        for (name, value) in resources.members(side) {
            let at = format!("{path}.{side}[{name}]");
            resource_name(name, &at, refused);
            match Quantity::of(value) {
                Err(problem) => refused.invalid(&at, value.clone(), &problem.to_string()),
                Ok(quantity) if quantity.nano() < 0 => {
                    refused.invalid(&at, quantity.to_string(), text::NOT_NEGATIVE);
                }
                Ok(_) => {}
            }
        }
    }
    for (name, request) in resources.members("requests") {
        let limit = resources.object("limits").get_some(name).and_then(|limit| Quantity::of(limit).ok());
        if let (Some(limit), Ok(request)) = (limit, Quantity::of(request))
            && request.nano() > limit.nano()
        {
            let words = format!("must be less than or equal to {name} limit of {limit}");
            refused.invalid(&format!("{path}.requests"), request.to_string(), &words);
        }
    }
}

fn resource_name(name: &str, path: &str, refused: &mut Refusals) {
    refused.each(path, name, text::qualified_name(name));
    let standard = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if !standard && !name.contains('/') {
        refused.invalid(path, name, "must be a standard resource for containers");
    }
}
