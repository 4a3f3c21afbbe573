//! Writes `openapi/*.json` of `firstlight-api`: the published OpenAPI v3 documents, reduced to what is served.
//!
//! `kubectl apply` finds a kind's PATCH operation in them and how to merge; `kubectl explain` finds its fields.

use crate::schema::Output;
use crate::schema::served::{MEDIA_TYPES, PARAMETERS, RESOURCES};
use anyhow::Context;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const GROUP_VERSION_KIND: &str = "x-kubernetes-group-version-kind";

/// Adds the reduced documents.
pub(crate) fn generate(documents: &BTreeMap<&'static str, Value>, output: &mut Output) -> anyhow::Result<()> {
    let served: BTreeSet<&str> = RESOURCES.iter().map(|r| r.document).collect();
    for document in served {
        let source = documents.get(document).with_context(|| format!("no document {document}"))?;
        output.insert(format!("openapi/{document}.json").into(), reduce(document, source)?.into_bytes());
    }
    Ok(())
}

fn reduce(document: &str, source: &Value) -> anyhow::Result<String> {
    let prefix = format!("/{}/", document.replace("__", "/"));
    let paths = source["paths"].as_object().context("paths")?;
    let mut kept = Map::new();
    for (path, item) in paths {
        if path.strip_prefix(&prefix).is_some_and(|rest| is_served(document, rest)) {
            kept.insert(path.clone(), reduce_item(item));
        }
    }
    let schemas = reduce_schemas(source["components"]["schemas"].as_object().context("schemas")?, &kept);
    Ok(one_line_each(source, &kept, &schemas))
}

/// `[namespaces/{namespace}/]PLURAL[/{name}[/SUBRESOURCE]]`
fn is_served(document: &str, path: &str) -> bool {
    let path = path.strip_prefix("namespaces/{namespace}/").unwrap_or(path);
    let mut parts = path.split('/');
    let (plural, _name, subresource) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let found = RESOURCES.iter().find(|r| r.document == document && r.plural == plural);
    found.is_some_and(|r| parts.next().is_none() && subresource.is_none_or(|name| r.subresources.contains(&name)))
}

fn reduce_item(item: &Value) -> Value {
    let mut item = item.clone();
    for (method, operation) in item.as_object_mut().into_iter().flatten() {
        if method == "parameters" {
            reduce_parameters(operation);
        } else {
            reduce_operation(operation);
        }
    }
    item
}

fn reduce_operation(operation: &mut Value) {
    if let Some(parameters) = operation.get_mut("parameters") {
        reduce_parameters(parameters);
    }
    if let Some(body) = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut) {
        body.retain(|media, _| MEDIA_TYPES.contains(&media.as_str()));
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        responses.retain(|code, _| code == "200");
        for content in responses.values_mut().filter_map(|r| r.get_mut("content")).filter_map(Value::as_object_mut) {
            content.retain(|media, _| MEDIA_TYPES.contains(&media.as_str()));
        }
    }
}

fn reduce_parameters(parameters: &mut Value) {
    let known = |p: &Value| p["name"].as_str().is_some_and(|name| PARAMETERS.contains(&name));
    if let Some(list) = parameters.as_array_mut() {
        list.retain(known);
    }
}

/// The schemas the paths lead to, and those of their schemas.
fn reduce_schemas(all: &Map<String, Value>, paths: &Map<String, Value>) -> Map<String, Value> {
    let mut open = references(&Value::Object(paths.clone()));
    let mut kept = Map::new();
    while let Some(name) = open.pop() {
        if let (Some(schema), false) = (all.get(&name), kept.contains_key(&name)) {
            open.extend(references(schema));
            let mut schema = schema.clone();
            // Options belong to every group; only the served ones say something here.
            if let Some(kinds) = schema.get_mut(GROUP_VERSION_KIND).and_then(Value::as_array_mut) {
                kinds.retain(|kind| RESOURCES.iter().any(|r| kind["group"] == r.group()) && kind["version"] == "v1");
            }
            kept.insert(name, schema);
        }
    }
    kept
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(target)) => target.rsplit('/').next().map(str::to_owned).into_iter().collect(),
                (_, value) => references(value),
            })
            .collect(),
        Value::Array(list) => list.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// One line per path and per schema, so that a difference between versions can be read.
fn one_line_each(source: &Value, paths: &Map<String, Value>, schemas: &Map<String, Value>) -> String {
    let lines = |map: &Map<String, Value>| {
        let lines: Vec<String> = map.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        lines.join(",\n")
    };
    format!(
        "{{\"openapi\":{},\"info\":{},\"paths\":{{\n{}\n}},\"components\":{{\"schemas\":{{\n{}\n}}}}}}\n",
        source["openapi"],
        source["info"],
        lines(paths),
        lines(schemas)
    )
}
