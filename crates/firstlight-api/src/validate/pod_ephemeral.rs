//! Which ephemeral containers may a pod get? They only ever grow (upstream `ValidatePodEphemeralContainersUpdate`).

use crate::refuse::Refusals;
use crate::view::View;
use serde_json::Value;

pub(super) fn check(old: &Value, new: &Value, refused: &mut Refusals) {
    let list = |pod: &Value| pod.object("spec").list("ephemeralContainers").to_vec();
    let (old, new) = (list(old), list(new));
    for known in &old {
        let name = known.text("name");
        let words = match new.iter().find(|container| container.text("name") == name) {
            None => "removed",
            Some(container) if container != known => "changed",
            Some(_) => continue,
        };
        let words = format!("existing ephemeral containers \"{name}\" may not be {words}");
        refused.forbidden("spec.ephemeralContainers", &words);
    }
}
