//! Makes the API hold what the manifests say: create what is missing, patch what differs.
//!
//! Like `kubectl apply`, the manifest last applied is kept in an annotation, so that a field taken out of the
//! manifest is taken out of the object, while fields that others own stay.

use crate::exit::{Exit, Failure, Outcome};
use crate::manifest::{Manifest, text};
use kube::api::{Api, DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope};
use kube::{Client, discovery};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// kubectl's annotation, so that `kubectl apply` and `firstlight up` can take turns.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What applying one manifest came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was not there.
    Created,
    /// It was there and differed.
    Configured,
    /// It was there as asked.
    Unchanged,
}

impl Applied {
    /// As kubectl says it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Applied::Created => "created",
            Applied::Configured => "configured",
            Applied::Unchanged => "unchanged",
        }
    }
}

/// Finds the endpoint of each kind once.
pub(crate) struct Applier {
    client: Client,
    namespace: String,
    kinds: BTreeMap<(String, String), (ApiResource, ApiCapabilities)>,
}

impl Applier {
    /// For objects that name no namespace: `namespace`.
    pub(crate) fn new(client: Client, namespace: &str) -> Applier {
        Applier { client, namespace: namespace.to_owned(), kinds: BTreeMap::new() }
    }

    /// Creates or patches; returns the object as the API holds it now.
    pub(crate) async fn apply(&mut self, manifest: &Manifest) -> Outcome<(Applied, Value)> {
        let api = self.api(manifest).await?;
        let name = text(&manifest.value, "/metadata/name");
        let wanted = annotated(&manifest.value)?;
        let refused = |error: kube::Error| refusal(manifest, &error);
        let Some(live) = api.get_opt(name).await.map_err(refused)? else {
            let request = strict_post(api.resource_url(), &wanted)?;
            let made: Value = self.client.request(request).await.map_err(refused)?;
            return Ok((Applied::Created, made));
        };
        let before = live.metadata.resource_version.clone();
        let last = live.metadata.annotations.as_ref().and_then(|a| a.get(LAST_APPLIED));
        let last = last.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let patch = with_removals(&last, wanted);
        let now = api.patch(name, &strict_patch(), &Patch::Strategic(patch)).await.map_err(refused)?;
        let applied = if now.metadata.resource_version == before { Applied::Unchanged } else { Applied::Configured };
        Ok((applied, serde_json::to_value(now)?))
    }

    /// The endpoint for an object: its kind's, in its namespace.
    pub(crate) async fn api(&mut self, manifest: &Manifest) -> Outcome<Api<DynamicObject>> {
        let (resource, capabilities) = self.kind(manifest).await?;
        let namespace = match text(&manifest.value, "/metadata/namespace") {
            "" => self.namespace.clone(),
            own => own.to_owned(),
        };
        Ok(match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), &namespace, &resource),
        })
    }

    async fn kind(&mut self, manifest: &Manifest) -> Outcome<(ApiResource, ApiCapabilities)> {
        let (version, kind) = (text(&manifest.value, "/apiVersion"), text(&manifest.value, "/kind"));
        let key = (version.to_owned(), kind.to_owned());
        if let Some(found) = self.kinds.get(&key) {
            return Ok(found.clone());
        }
        let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let found = discovery::pinned_kind(&self.client, &gvk).await.map_err(|_| {
            Failure::refused(format!(
                "{}: kind: no kind {kind:?} in {:?} here; `kubectl api-resources` lists what is served",
                manifest.origin, key.0
            ))
        })?;
        self.kinds.insert(key, found.clone());
        Ok(found)
    }
}

/// A field that the API does not know is an error, not something to drop.
fn strict_patch() -> PatchParams {
    PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::default() }
}

/// The same for a creation; the client's own parameters know it for patches only.
fn strict_post(collection: &str, object: &Value) -> Outcome<http::Request<Vec<u8>>> {
    let request = http::Request::post(format!("{collection}?fieldValidation=Strict"));
    Ok(request.header(http::header::CONTENT_TYPE, "application/json").body(serde_json::to_vec(object)?)?)
}

/// The manifest, carrying itself as the annotation.
fn annotated(manifest: &Value) -> Outcome<Value> {
    let mut wanted = manifest.clone();
    let own = serde_json::to_string(manifest)?;
    let metadata = wanted.get_mut("metadata").and_then(Value::as_object_mut);
    let Some(metadata) = metadata else { return Ok(wanted) };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(LAST_APPLIED.to_owned(), Value::String(own));
    }
    Ok(wanted)
}

/// The manifest as a strategic merge patch that also removes what was applied before and is no longer asked for.
fn with_removals(last: &Value, wanted: Value) -> Value {
    match (last, wanted) {
        (Value::Object(last), Value::Object(mut wanted)) => {
            for (key, before) in last {
                match wanted.remove(key) {
                    Some(now) => wanted.insert(key.clone(), with_removals(before, now)),
                    None => wanted.insert(key.clone(), Value::Null),
                };
            }
            Value::Object(wanted)
        }
        (Value::Array(last), Value::Array(wanted)) => Value::Array(list_with_removals(last, wanted)),
        (_, wanted) => wanted,
    }
}

/// Lists of named things (containers, volumes, env, ports) merge by name; what is gone is deleted by name.
fn list_with_removals(last: &[Value], wanted: Vec<Value>) -> Vec<Value> {
    let name = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    let named = |items: &[Value]| items.iter().all(|item| name(item).is_some());
    if !named(last) || !named(&wanted) {
        return wanted;
    }
    let kept: Vec<Option<String>> = wanted.iter().map(name).collect();
    let gone: Vec<Value> = last.iter().map(name).filter(|n| !kept.contains(n)).map(deletion).collect();
    let merged = wanted.into_iter().map(|item| {
        let before = last.iter().find(|old| name(old) == name(&item)).cloned().unwrap_or(Value::Null);
        with_removals(&before, item)
    });
    merged.chain(gone).collect()
}

fn deletion(name: Option<String>) -> Value {
    let mut item = Map::new();
    item.insert("name".to_owned(), json!(name));
    item.insert("$patch".to_owned(), json!("delete"));
    Value::Object(item)
}

/// The API's own words, with the place in the user's files.
pub(crate) fn refusal(manifest: &Manifest, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if (400..500).contains(&status.code) => {
            let message = format!("{}: {}: {}", manifest.origin, manifest.title(), status.message);
            // A pod cannot be changed in place, on any cluster; who edits and brings up again wants to know what can.
            let fixed =
                text(&manifest.value, "/kind") == "Pod" && message.contains("pod updates may not change fields");
            let way_out =
                if fixed { "\n`firstlight down` with this manifest, then `up`, makes the pod anew" } else { "" };
            Failure::new(Exit::Refused, format!("{message}{way_out}"))
        }
        other => Failure::new(Exit::Failed, format!("{}: {other}", manifest.title())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_the_manifest_is_removed_and_what_others_own_stays() {
        let last = json!({"spec": {"replicas": 3, "containers": [{"name": "a", "tty": true}, {"name": "b"}]}});
        let wanted = json!({"spec": {"containers": [{"name": "a"}]}});
        assert_eq!(
            with_removals(&last, wanted),
            json!({"spec": {"replicas": null,
                            "containers": [{"name": "a", "tty": null}, {"name": "b", "$patch": "delete"}]}})
        );
    }
}
