//! Discovery in one answer: `APIGroupDiscoveryList` (`k8s.io/api/apidiscovery`).

use super::plain::verbs;
use super::{Answer, group_names, kinds_of, versions_of};
use crate::schema::{Kind, Subresource};
use serde_json::{Value, json};

/// The version of the list. Older clients know the beta only; the content is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V2,
    V2Beta1,
}

impl Version {
    /// The first version that `Accept` names, if it names one before plain JSON or after it.
    pub(super) fn accepted(accept: &str) -> Option<Version> {
        accept.split(',').find_map(|range| {
            let mut parameters = range.split(';').map(str::trim);
            let json = parameters.next() == Some("application/json");
            let has = |wanted: &str| range.split(';').any(|p| p.trim() == wanted);
            if !json || !has("as=APIGroupDiscoveryList") || !has("g=apidiscovery.k8s.io") {
                return None;
            }
            [Version::V2, Version::V2Beta1].into_iter().find(|v| has(&format!("v={}", v.name())))
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Version::V2 => "v2",
            Version::V2Beta1 => "v2beta1",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Version::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Version::V2Beta1 => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        }
    }

    /// The list of the groups meant.
    pub(super) fn answer(self, meant: impl Fn(&str) -> bool) -> Answer {
        let items: Vec<Value> = group_names().into_iter().filter(|group| meant(group)).map(group).collect();
        let body = json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{}", self.name()),
            "metadata": {}, "items": items,
        });
        Answer { content_type: self.content_type(), body }
    }
}

fn group(name: &'static str) -> Value {
    let versions: Vec<Value> = versions_of(name)
        .into_iter()
        .map(|version| {
            let resources: Vec<Value> = kinds_of(name, version).map(resource).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let metadata = if name.is_empty() { json!({}) } else { json!({"name": name}) };
    json!({"metadata": metadata, "versions": versions})
}

fn resource(kind: &Kind) -> Value {
    let mut resource = json!({
        "resource": kind.resource.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": verbs(kind.verbs),
    });
    for (key, names) in [("shortNames", kind.short_names), ("categories", kind.categories)] {
        if !names.is_empty() {
            resource[key] = names.into();
        }
    }
    if !kind.subresources.is_empty() {
        resource["subresources"] = kind.subresources.iter().map(subresource).collect();
    }
    resource
}

fn subresource(below: &Subresource) -> Value {
    json!({
        "subresource": below.name,
        "responseKind": {"group": below.group, "version": below.version, "kind": below.kind},
        "verbs": verbs(below.verbs),
    })
}
