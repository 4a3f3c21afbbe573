//! Shows: what discovery answers to kubectl, to older clients, and for what is not served.

use super::*;
use crate::schema::Verb;
use serde_json::Map;

const KUBECTL: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

fn body(path: &str) -> Value {
    answer(path, "application/json").expect(path).body
}

#[test]
fn older_clients_are_told_of_every_group_but_the_core_which_has_no_name() {
    let groups = body("/apis")["groups"].clone();
    let names: Vec<_> = groups.as_array().expect("groups").iter().map(|group| group["name"].clone()).collect();
    assert!(names.contains(&json!("apps")) && !names.contains(&json!("")), "{names:?}");
}

#[test]
fn kubectl_gets_everything_in_two_answers_of_the_type_it_asked_for() {
    let core = answer("/api", KUBECTL).expect("discovery");
    assert_eq!(core.content_type, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    assert_eq!(core.body["apiVersion"], "apidiscovery.k8s.io/v2");
    assert_eq!(core.body["items"][0]["metadata"], json!({}));
    let groups = answer("/apis", KUBECTL).expect("discovery").body;
    let names: Vec<_> = groups["items"].as_array().expect("items").iter().map(|g| &g["metadata"]["name"]).collect();
    assert_eq!(
        names,
        [
            "apps",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "coordination.k8s.io",
            "discovery.k8s.io",
            "events.k8s.io"
        ]
    );
    let sets = &groups["items"][0]["versions"][0]["resources"][1];
    assert_eq!(sets["responseKind"], json!({"group": "apps", "version": "v1", "kind": "StatefulSet"}));
    assert_eq!(sets["scope"], "Namespaced");
    assert_eq!(sets["shortNames"], json!(["sts"]));
    assert_eq!(
        sets["subresources"][0],
        json!({"subresource": "scale", "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "verbs": ["get", "patch", "update"]})
    );
}

#[test]
fn older_clients_get_the_beta_or_the_plain_form() {
    let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    let beta = answer("/apis", beta).expect("discovery");
    assert_eq!(beta.content_type, "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList");
    assert_eq!(beta.body["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    assert_eq!(answer("/apis", "").expect("discovery").body["kind"], "APIGroupList");
    assert_eq!(body("/api")["versions"], json!(["v1"]));
    assert_eq!(body("/apis/apps")["preferredVersion"], json!({"groupVersion": "apps/v1", "version": "v1"}));
    assert_eq!(body("/apis/apps")["kind"], "APIGroup");
    let list = body("/api/v1");
    assert_eq!(list["groupVersion"], "v1");
    let row = |name: &str| list["resources"].as_array().and_then(|r| r.iter().find(|r| r["name"] == name)).cloned();
    assert_eq!(row("pods").expect("pods")["shortNames"], json!(["po"]));
    assert_eq!(
        row("pods/eviction"),
        Some(json!({"name": "pods/eviction", "singularName": "", "namespaced": true, "group": "policy",
            "version": "v1", "kind": "Eviction", "verbs": ["create"]}))
    );
    assert_eq!(row("nodes").expect("nodes")["namespaced"], json!(false));
}

#[test]
fn what_is_not_served_is_not_answered() {
    for path in ["/", "/api/v2", "/apis/batch", "/apis/apps/v2", "/api/v1/pods", "/openapi/v2", "/apis/apps/v1/x"] {
        assert_eq!(answer(path, KUBECTL), None, "{path}");
    }
}

#[test]
fn the_version_is_one_that_kubectl_1_32_and_kube_rs_accept() {
    let version = body("/version");
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("33")));
    assert_eq!(version["gitVersion"], "v1.33.0+firstlight");
}

fn openapi(path: &str) -> Value {
    serde_json::from_slice(&document(path).expect(path).json().expect("whole")).expect("JSON")
}

#[test]
fn the_openapi_index_names_every_group_with_its_hash() {
    let index = body("/openapi/v3");
    let paths = index["paths"].as_object().expect("paths");
    let served = group_names().into_iter().flat_map(|g| versions_of(g).into_iter().map(move |v| (g, v)));
    let served: Vec<_> =
        served.map(|(g, v)| if g.is_empty() { format!("api/{v}") } else { format!("apis/{g}/{v}") }).collect();
    assert_eq!(paths.keys().cloned().collect::<Vec<_>>(), served);
    for (path, entry) in paths {
        let hash = document(path).expect("a document").hash;
        assert_eq!(entry["serverRelativeURL"], format!("/openapi/v3/{path}?hash={hash}"));
    }
}

/// What `kubectl apply` looks for before it sends a patch, for every kind that can be patched.
#[test]
fn every_kind_has_the_operations_kubectl_looks_for() {
    for kind in kinds() {
        let home = if kind.group.is_empty() { "api/v1".to_owned() } else { format!("apis/{}/v1", kind.group) };
        let document = openapi(&home);
        let namespace = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
        let collection = format!("/{home}/{namespace}{}", kind.resource.plural);
        let paths = document["paths"].as_object().expect("paths");
        let method = |path: &str, method: &str| paths.get(path).and_then(|p| p.get(method));
        assert!(method(&collection, "post").is_some(), "{collection}");
        if kind.verbs.contains(&Verb::Patch) {
            let patch = method(&format!("{collection}/{{name}}"), "patch").expect("a PATCH operation");
            let own = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
            assert_eq!(patch["x-kubernetes-group-version-kind"], own);
            let parameters = patch["parameters"].as_array().expect("parameters");
            assert!(parameters.iter().any(|p| p["name"] == "fieldValidation"), "{collection}");
            let bodies = patch["requestBody"]["content"].as_object().expect("bodies");
            assert!(bodies.contains_key("application/strategic-merge-patch+json"), "{collection}");
        }
        for below in kind.subresources {
            let path = format!("{collection}/{{name}}/{}", below.name);
            for verb in below.verbs {
                let word = match verb {
                    Verb::Create => "post",
                    Verb::Get => "get",
                    Verb::Patch => "patch",
                    Verb::Update => "put",
                    Verb::Delete | Verb::DeleteCollection | Verb::List | Verb::Watch => "delete",
                };
                assert!(method(&path, word).is_some(), "{word} {path}");
            }
        }
    }
}

#[test]
fn every_reference_in_a_document_leads_somewhere() {
    fn visit(value: &Value, schemas: &Map<String, Value>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    let name = target.strip_prefix("#/components/schemas/").expect("a schema");
                    assert!(schemas.contains_key(name), "{name}");
                }
                map.values().for_each(|v| visit(v, schemas));
            }
            Value::Array(list) => list.iter().for_each(|v| visit(v, schemas)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    for document in body("/openapi/v3")["paths"].as_object().expect("paths").keys() {
        let document = openapi(document);
        visit(&document, document["components"]["schemas"].as_object().expect("schemas"));
    }
}
