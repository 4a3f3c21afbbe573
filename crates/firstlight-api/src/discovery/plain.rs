//! Discovery as every client understands it: versions, groups, and one list of resources per group and version.

use super::{group_names, kinds_of, versions_of};
use crate::schema::{Kind, Subresource, Verb};
use serde_json::{Map, Value, json};

/// `/api`
pub(super) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": versions_of(""), "serverAddressByClientCIDRs": []})
}

/// `/apis`
pub(super) fn groups() -> Value {
    let groups: Vec<Value> = group_names().into_iter().filter(|g| !g.is_empty()).map(group_body).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`
pub(super) fn group(name: &str) -> Option<Value> {
    let name = group_names().into_iter().find(|g| !g.is_empty() && *g == name)?;
    let mut body = group_body(name);
    body["kind"] = "APIGroup".into();
    body["apiVersion"] = "v1".into();
    Some(body)
}

fn group_body(name: &str) -> Value {
    let versions: Vec<Value> = versions_of(name)
        .into_iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    let preferred = versions.first().cloned();
    json!({"name": name, "versions": versions, "preferredVersion": preferred})
}

/// `/api/VERSION` and `/apis/GROUP/VERSION`
pub(super) fn resources(group: &str, version: &str) -> Option<Value> {
    let rows: Vec<Value> = kinds_of(group, version).flat_map(rows).collect();
    let group_version = kinds_of(group, version).next()?.api_version();
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": rows}))
}

/// A kind and its subresources.
fn rows(kind: &'static Kind) -> impl Iterator<Item = Value> {
    let mut row = json!({
        "name": kind.resource.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": verbs(kind.verbs),
    });
    for (key, names) in [("shortNames", kind.short_names), ("categories", kind.categories)] {
        if !names.is_empty() {
            row[key] = names.into();
        }
    }
    std::iter::once(row).chain(kind.subresources.iter().map(move |below| subresource(kind, below)))
}

fn subresource(kind: &Kind, below: &Subresource) -> Value {
    let mut row = Map::new();
    row.insert("name".to_owned(), format!("{}/{}", kind.resource.plural, below.name).into());
    row.insert("singularName".to_owned(), "".into());
    row.insert("namespaced".to_owned(), kind.namespaced.into());
    // Only where it differs from the list's own.
    if below.group != kind.group {
        row.insert("group".to_owned(), below.group.into());
        row.insert("version".to_owned(), below.version.into());
    }
    row.insert("kind".to_owned(), below.kind.into());
    row.insert("verbs".to_owned(), verbs(below.verbs));
    Value::Object(row)
}

/// The words of the verbs.
pub(super) fn verbs(verbs: &[Verb]) -> Value {
    verbs.iter().map(|verb| verb.name()).collect()
}
