//! `firstlight render`: what a recipe comes to, as manifests or as a line-up.

use crate::args::Render;
use crate::exit::Outcome;
use crate::manifest::{self, Manifest, text};
use crate::say;
use serde_json::Value;

/// Prints the manifests as YAML, or the line-up alone.
pub(crate) fn run(args: Render) -> Outcome {
    let manifests = manifest::load(&args.manifests)?;
    if args.line_up {
        for line in manifests.iter().filter_map(line_up) {
            say::line(line);
        }
        return Ok(());
    }
    for line in manifests.iter().filter_map(line_up) {
        say::line(format_args!("# {line}"));
    }
    for manifest in &manifests {
        say::line(format_args!("---\n{}", serde_saphyr::to_string(&manifest.value)?));
    }
    Ok(())
}

/// `StatefulSet leader: init-genesis -> init-config => node + exposer`, for what runs pods.
pub(crate) fn line_up(manifest: &Manifest) -> Option<String> {
    let pod = ["/spec/template/spec", "/spec"]
        .into_iter()
        .filter_map(|pointer| manifest.value.pointer(pointer))
        .find(|spec| spec.get("containers").is_some())?;
    let names = |field: &str| -> Vec<&str> {
        pod.get(field).and_then(Value::as_array).into_iter().flatten().map(|c| text(c, "/name")).collect()
    };
    let mut line = format!("{} {}: ", text(&manifest.value, "/kind"), text(&manifest.value, "/metadata/name"));
    let inits = names("initContainers");
    if !inits.is_empty() {
        line.push_str(&inits.join(" -> "));
        line.push_str(" => ");
    }
    line.push_str(&names("containers").join(" + "));
    if let Some(replicas) = manifest.value.pointer("/spec/replicas").and_then(Value::as_u64) {
        line.push_str(&format!("  (x{replicas})"));
    }
    Some(line)
}
