//! What is accepted and probably not meant (DEF-5)? Told to the client in a `Warning` header.
//!
//! Sources: `pkg/api/pod/warnings.go`, `pkg/registry/core/pod/strategy.go`; wordings are upstream's.

use super::text;
use crate::view::View;
use serde_json::Value;
use std::collections::BTreeSet;

/// What of a new pod is worth a warning.
pub(super) fn pod(pod: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let problems = text::dns_label(pod.object("metadata").text("name"));
    if !pod.object("metadata").text("name").is_empty() && !problems.is_empty() {
        warnings.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is \
             recommended: [{}]",
            problems.join(" ")
        ));
    }
    let spec = pod.object("spec");
    if spec.int("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        warnings.push(
            "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
                .to_owned(),
        );
    }
    for list in ["initContainers", "containers"] {
        for (i, container) in spec.list(list).iter().enumerate() {
            let mut seen = BTreeSet::new();
            for (j, variable) in container.list("env").iter().enumerate() {
                let name = variable.text("name");
                if !seen.insert(name) {
                    warnings.push(format!(
                        "spec.{list}[{i}].env[{j}]: hides previous definition of \"{name}\", which may be dropped when \
                         using apply"
                    ));
                }
            }
        }
    }
    warnings
}
