//! Which powers over the host may manifests ask for? All are off until somebody turns them on (S14), and what asks
//! for one that is off is refused with the flag that turns it on.

use crate::schema::Kind;
use crate::status_error::FieldError;
use crate::view::View;
use serde_json::Value;

/// The image that is this machine's own root file system.
const HOST_IMAGE: &str = "firstlight.local/host";

/// The powers that are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Powers {
    /// `hostPath` volumes.
    pub host_path: bool,
    /// `privileged: true`.
    pub privileged: bool,
    /// The image `firstlight.local/host`.
    pub host_image: bool,
}

/// Every place of an object that asks for a power that is off.
#[must_use]
pub fn refused(kind: &Kind, object: &Value, powers: Powers) -> Vec<FieldError> {
    let mut refused = Vec::new();
    match kind.kind {
        "Pod" => pod(object.object("spec"), "spec", powers, &mut refused),
        "StatefulSet" => {
            let template = object.object("spec").object("template").object("spec");
            pod(template, "spec.template.spec", powers, &mut refused);
        }
        _ => {}
    }
    refused
}

fn pod(spec: &Value, path: &str, powers: Powers, refused: &mut Vec<FieldError>) {
    for (index, volume) in spec.list("volumes").iter().enumerate() {
        if !powers.host_path && volume.get("hostPath").is_some() {
            let field = format!("{path}.volumes[{index}].hostPath");
            refused.push(FieldError::forbidden(field, "off by default; start the engine with --allow-host-path"));
        }
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for (index, container) in spec.list(list).iter().enumerate() {
            let field = |name: &str| format!("{path}.{list}[{index}].{name}");
            if !powers.privileged && container.object("securityContext").get("privileged") == Some(&Value::Bool(true)) {
                let field = field("securityContext.privileged");
                refused.push(FieldError::forbidden(field, "off by default; start the engine with --allow-privileged"));
            }
            if !powers.host_image && container.text("image").split(':').next() == Some(HOST_IMAGE) {
                let detail = "this machine's own files, off by default; start the engine with --allow-host-image";
                refused.push(FieldError::forbidden(field("image"), detail));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::resources;
    use serde_json::json;

    fn complaints(powers: Powers) -> Vec<String> {
        let pod = json!({"spec": {
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "h", "hostPath": {"path": "/etc"}}],
            "initContainers": [{"name": "i", "image": "firstlight.local/host"}],
            "containers": [{"name": "m", "image": "a", "securityContext": {"privileged": true}}]}});
        let kind = Kind::of(resources::PODS).unwrap();
        refused(kind, &pod, powers).iter().map(|error| error.field.clone()).collect()
    }

    #[test]
    fn s14_each_power_is_refused_where_it_is_asked_for_until_it_is_on() {
        assert_eq!(
            complaints(Powers::default()),
            [
                "spec.volumes[1].hostPath",
                "spec.initContainers[0].image",
                "spec.containers[0].securityContext.privileged"
            ]
        );
        assert!(complaints(Powers { host_path: true, privileged: true, host_image: true }).is_empty());
    }
}
