//! A pod's quality of service class (RES-6).

use crate::quantity::Quantity;
use crate::view::View;
use serde_json::Value;

/// The two resources the class is made from.
const COUNTED: [&str; 2] = ["cpu", "memory"];

/// `Guaranteed` if every container, inits included, has CPU and memory limits equal to its requests; `BestEffort` if
/// none has any of either; else `Burstable`.
pub(crate) fn class(spec: &Value) -> &'static str {
    let mut containers =
        spec.list("initContainers").iter().chain(spec.list("containers")).map(|c| c.object("resources"));
    if containers
        .clone()
        .all(|c| COUNTED.iter().all(|name| amount(c, "requests", name).or(amount(c, "limits", name)).is_none()))
    {
        "BestEffort"
    } else if containers.all(|c| COUNTED.iter().all(|name| guaranteed(c, name))) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn guaranteed(resources: &Value, name: &str) -> bool {
    let limit = amount(resources, "limits", name);
    limit.is_some() && amount(resources, "requests", name).is_none_or(|request| Some(request) == limit)
}

/// An amount that counts: zero is as good as none, as upstream treats it.
fn amount(resources: &Value, side: &str, name: &str) -> Option<i128> {
    let amount = Quantity::of(resources.object(side).get_some(name)?).ok()?.nano();
    Some(amount).filter(|amount| *amount > 0)
}
