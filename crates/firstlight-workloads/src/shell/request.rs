//! One request for each act.

use super::Word;
use super::recorder::Recorder;
use crate::act::{Act, Policy, Told};
use crate::desk::Question;
use crate::world::{Change, deleting, name, uid};
use firstlight_api::object::{Key, Resource, resources};
use firstlight_api::schema::{Kind, by_gvk, group_version};
use firstlight_api::view::View;
use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

/// Does the acts in their order, telling the loop of every answer. The first that fails ends it; the answer says whether
/// all went well.
pub(super) async fn perform(
    client: Client,
    recorder: Recorder,
    tell: Sender<Word>,
    question: Question,
    acts: Vec<Act>,
) -> (Question, bool) {
    for act in acts {
        match one(&client, &recorder, act).await {
            Ok(changes) => {
                for change in changes {
                    // Nobody listens any more only when everything ends.
                    let _ = tell.send(Word::Change(change)).await;
                }
            }
            Err(error) => {
                tracing::warn!(desk = ?question.0, namespace = question.1.namespace, name = question.1.name, %error, "asked again later");
                return (question, false);
            }
        }
    }
    (question, true)
}

async fn one(client: &Client, recorder: &Recorder, act: Act) -> Result<Vec<Change>, kube::Error> {
    match act {
        Act::Create { resource, object, told } => {
            let namespace = object.object("metadata").text("namespace").to_owned();
            let key = Key::new(resource, namespace, name(&object));
            let answer =
                send(client, Method::POST, &path(&Key { name: String::new(), ..key.clone() }, ""), Some(&object)).await;
            recorder.outcome(told, &answer).await;
            Ok(put(key, lenient(answer)?))
        }
        Act::Replace { key, object } => {
            Ok(put(key.clone(), lenient(send(client, Method::PUT, &path(&key, ""), Some(&object)).await)?))
        }
        Act::Status { key, object } => {
            Ok(put(key.clone(), lenient(send(client, Method::PUT, &path(&key, "/status"), Some(&object)).await)?))
        }
        Act::Patch { key, patch } => patch_object(client, key, &patch).await,
        Act::Delete { key, uid, policy, told } => delete(client, recorder, key, &uid, policy, told).await,
        Act::DeleteAll { resource, namespace } => {
            let path = path(&Key::new(resource, namespace, ""), "");
            lenient(send(client, Method::DELETE, &path, None).await)?;
            Ok(Vec::new())
        }
        Act::Finalize { namespace } => {
            let key = Key::new(resources::NAMESPACES, "", name(&namespace));
            lenient(send(client, Method::PUT, &path(&key, "/finalize"), Some(&namespace)).await)?;
            Ok(Vec::new())
        }
        Act::Collect { key, uid, gone, keep } => collect(client, recorder, key, uid, &gone, keep).await,
        Act::Tell(event) => {
            recorder.once(event).await;
            Ok(Vec::new())
        }
    }
}

async fn patch_object(client: &Client, key: Key, patch: &Value) -> Result<Vec<Change>, kube::Error> {
    Ok(put(key.clone(), lenient(send(client, Method::PATCH, &path(&key, ""), Some(patch)).await)?))
}

async fn delete(
    client: &Client,
    recorder: &Recorder,
    key: Key,
    uid: &str,
    policy: Policy,
    told: Option<Told>,
) -> Result<Vec<Change>, kube::Error> {
    let options = json!({
        "apiVersion": "v1", "kind": "DeleteOptions",
        "preconditions": { "uid": uid }, "propagationPolicy": policy.as_str(),
    });
    let answer = send(client, Method::DELETE, &path(&key, ""), Some(&options)).await;
    recorder.outcome(told, &answer).await;
    Ok(match lenient(answer)? {
        Some(object) if object.text("kind") != "Status" && deleting(&object) => vec![Change::Put(key, object)],
        Some(_) => vec![Change::Gone(key)],
        None => Vec::new(),
    })
}

/// Asks for each owner; if all are really gone, deletes the object or takes the references to them away.
async fn collect(
    client: &Client,
    recorder: &Recorder,
    key: Key,
    uid: String,
    gone: &[Value],
    keep: Option<Vec<Value>>,
) -> Result<Vec<Change>, kube::Error> {
    for owner in gone {
        if stands(client, &key.namespace, owner).await? {
            return Ok(Vec::new());
        }
    }
    match keep {
        None => delete(client, recorder, key, &uid, Policy::Background, None).await,
        Some(owners) => {
            patch_object(client, key, &json!({ "metadata": { "uid": uid, "ownerReferences": owners } })).await
        }
    }
}

async fn stands(client: &Client, namespace: &str, owner: &Value) -> Result<bool, kube::Error> {
    let (group, version) = group_version(owner.text("apiVersion"));
    let Some(kind) = by_gvk(group, version, owner.text("kind")) else { return Ok(true) };
    let namespace = if kind.namespaced { namespace } else { "" };
    let key = Key::new(kind.resource, namespace, owner.text("name"));
    let found = lenient(send(client, Method::GET, &path(&key, ""), None).await)?;
    Ok(found.is_some_and(|found| uid(&found) == owner.text("uid")))
}

fn put(key: Key, answer: Option<Value>) -> Vec<Change> {
    answer.filter(|object| !uid(object).is_empty()).map(|object| Change::Put(key, object)).into_iter().collect()
}

/// `/apis/apps/v1/namespaces/a/statefulsets/b/status`
fn path(key: &Key, subresource: &str) -> String {
    let Key { resource, namespace, name } = key;
    let Resource { group, plural } = resource;
    let version = Kind::of(*resource).map_or("v1", |kind| kind.version);
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let place = if namespace.is_empty() { String::new() } else { format!("/namespaces/{namespace}") };
    let item = if name.is_empty() { String::new() } else { format!("/{name}") };
    format!("{root}{place}/{plural}{item}{subresource}")
}

async fn send(client: &Client, method: Method, path: &str, body: Option<&Value>) -> Result<Value, kube::Error> {
    let content = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let request = Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, content);
    let bytes = body.map_or(Vec::new(), |body| body.to_string().into_bytes());
    client.request(request.body(bytes).map_err(kube::Error::HttpError)?).await
}

/// What somebody else was quicker to do, or undid, is not a failure: that is already told, or soon will be.
fn lenient(answer: Result<Value, kube::Error>) -> Result<Option<Value>, kube::Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
        Err(kube::Error::Api(status)) if leaving(&status) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it was refused because its namespace is going away.
fn leaving(status: &kube::core::Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 403 && causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}
