//! StatefulSets (STS-12, STS-13).

use super::pod::{self, Holder, one_of};
use super::{claim, meta, selector, text};
use crate::refuse::Refusals;
use crate::select::Labels;
use crate::view::View;
use serde_json::{Value, json};

/// What may change, in the order upstream names it.
const CHANGEABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(super) fn check(set: &Value, refused: &mut Refusals) {
    let spec = set.object("spec");
    let policies = ["OrderedReady", "Parallel"];
    exactly(spec.object("podManagementPolicy"), "spec.podManagementPolicy", &policies, refused);
    strategy(spec.object("updateStrategy"), refused);
    for key in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        not_negative(spec, key, "spec", refused);
    }
    not_negative(spec.object("ordinals"), "start", "spec.ordinals", refused);
    if let Some(name) = spec.text_some("serviceName") {
        refused.each("spec.serviceName", name, text::dns_subdomain(name));
    }
    selected(spec, refused);
    let template = spec.object("template");
    meta::labels_and_annotations(template.object("metadata"), "spec.template.metadata", refused);
    let pod = template.object("spec");
    for (i, claim) in spec.list("volumeClaimTemplates").iter().enumerate() {
        claim::check(claim, &format!("spec.volumeClaimTemplates[{i}]."), refused);
    }
    retention(spec.object("persistentVolumeClaimRetentionPolicy"), refused);
    pod::check(&with_claims(spec, pod), "spec.template.spec", Holder::Template, refused);
    if !matches!(pod.text("restartPolicy"), "Always" | "") {
        refused.unsupported("spec.template.spec.restartPolicy", pod.text("restartPolicy"), &["Always"]);
    }
    if pod.get_some("activeDeadlineSeconds").is_some() {
        let at = "spec.template.spec.activeDeadlineSeconds";
        refused.forbidden(at, "activeDeadlineSeconds in StatefulSet is not Supported");
    }
}

/// The pod's spec with the volumes that its claims become: containers may mount them (STS-2).
fn with_claims(spec: &Value, pod: &Value) -> Value {
    let mut pod = pod.clone();
    let names = spec.list("volumeClaimTemplates").iter().map(|claim| claim.object("metadata").text("name"));
    let own: Vec<&str> = pod.list("volumes").iter().map(|volume| volume.text("name")).collect();
    let claimed = names.filter(|name| !own.contains(name));
    let claimed: Vec<Value> =
        claimed.map(|name| json!({ "name": name, "persistentVolumeClaim": { "claimName": name } })).collect();
    if let Some(spec) = pod.as_object_mut().filter(|_| !claimed.is_empty()) {
        let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
        volumes.as_array_mut().into_iter().for_each(|volumes| volumes.extend(claimed.iter().cloned()));
    }
    pod
}

fn retention(policy: &Value, refused: &mut Refusals) {
    let at = "spec.persistentVolumeClaimRetentionPolicy";
    for key in ["whenDeleted", "whenScaled"] {
        one_of(policy, key, &["Delete", "Retain"], at, refused);
    }
}

fn selected(spec: &Value, refused: &mut Refusals) {
    let Some(selector) = spec.get_some("selector") else {
        refused.required("spec.selector", "");
        return;
    };
    selector::check(selector, "spec.selector", refused);
    if selector.members("matchLabels").next().is_none() && selector.list("matchExpressions").is_empty() {
        refused.invalid("spec.selector", selector.clone(), "empty selector is invalid for statefulset");
    }
    let labels = spec.object("template").object("metadata").object("labels");
    // A selector that cannot be read was refused above.
    if Labels::structured(selector).is_ok_and(|selector| !selector.matches_labels(labels.as_object())) {
        let words = "`selector` does not match template `labels`";
        refused.invalid("spec.template.metadata.labels", labels.clone(), words);
    }
}

fn strategy(strategy: &Value, refused: &mut Refusals) {
    let at = "spec.updateStrategy";
    exactly(strategy.object("type"), at, &["RollingUpdate", "OnDelete"], refused);
    match strategy.get_some("rollingUpdate") {
        Some(rolling) if strategy.text("type") == "OnDelete" => {
            let words = "only allowed for updateStrategy 'RollingUpdate'";
            refused.invalid(&format!("{at}.rollingUpdate"), rolling.clone(), words);
        }
        Some(rolling) => not_negative(rolling, "partition", &format!("{at}.rollingUpdate"), refused),
        None => {}
    }
}

/// A word that must be one of two, said the way upstream says it for this kind.
fn exactly(value: &Value, path: &str, words: &[&str; 2], refused: &mut Refusals) {
    match value.as_str().unwrap_or("") {
        "" => refused.required(path, ""),
        word if words.contains(&word) => {}
        word => refused.invalid(path, word, &format!("must be '{}' or '{}'", words[0], words[1])),
    }
}

fn not_negative(of: &Value, key: &str, path: &str, refused: &mut Refusals) {
    if let Some(number) = of.int(key).filter(|number| *number < 0) {
        refused.invalid(&format!("{path}.{key}"), number, text::NOT_NEGATIVE);
    }
}

/// STS-12.
pub(super) fn update(old: &Value, new: &Value, refused: &mut Refusals) {
    let fixed = |set: &Value| {
        let mut spec = set.object("spec").as_object().cloned().unwrap_or_default();
        spec.retain(|key, _| !CHANGEABLE.contains(&key.as_str()));
        spec
    };
    if fixed(old) != fixed(new) {
        let (last, others) = CHANGEABLE.split_last().unwrap_or((&"", &[]));
        let others: Vec<String> = others.iter().map(|key| format!("'{key}'")).collect();
        let others = others.join(", ");
        let words = format!("updates to statefulset spec for fields other than {others} and '{last}' are forbidden");
        refused.forbidden("spec", &words);
    }
}
