//! An API in memory, spoken to in HTTP messages: list, watch, create, replace, patch, delete. As much as the shell needs.

use bytes::Bytes;
use firstlight_api::view::View;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// How long a test waits for what must happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A body of an answer, whole or streamed.
type Answer = UnsyncBoxBody<Bytes, std::io::Error>;
/// `pods`, namespace, name
type Place = (String, String, String);

#[derive(Clone)]
pub(crate) struct Api {
    state: Arc<Mutex<State>>,
    moved: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Place, Value>,
    unseen: BTreeMap<Place, Value>,
    /// Resource, kind of event, object; its index is the version it made, less one.
    history: Vec<(String, &'static str, Value)>,
    requests: Vec<String>,
    /// Answers to give once instead of doing what is asked: `POST pods`.
    refusals: Vec<(String, u16, Value)>,
    uids: u64,
}

impl Api {
    pub(crate) fn new() -> Api {
        Api { state: Arc::default(), moved: watch::Sender::new(0) }
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, std::convert::Infallible>(api.answer(request).await) }
        });
        Client::new(service, "default")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Answers the next request of this kind with a failure.
    pub(crate) fn refuse(&self, what: &str, code: u16, message: &str) {
        let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": "Refused" });
        self.state().refusals.push((what.to_owned(), code, status));
    }

    /// All requests so far: `DELETE pods a/web-0 {body}`.
    pub(crate) fn requests(&self, prefix: &str) -> Vec<String> {
        self.state().requests.iter().filter(|r| r.starts_with(prefix)).cloned().collect()
    }

    pub(crate) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let place = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let state = self.state();
        state.objects.get(&place).or_else(|| state.unseen.get(&place)).cloned()
    }

    pub(crate) fn list(&self, plural: &str) -> Vec<Value> {
        self.state().objects.iter().filter(|((p, _, _), _)| p == plural).map(|(_, o)| o.clone()).collect()
    }

    /// Waits until it is so.
    pub(crate) async fn until<T>(&self, what: &str, mut holds: impl FnMut(&Api) -> Option<T>) -> T {
        let mut moved = self.moved.subscribe();
        let wait = async {
            loop {
                moved.borrow_and_update();
                if let Some(found) = holds(self) {
                    return found;
                }
                moved.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("never: {what}\n{}", self.state().requests.join("\n")))
    }

    /// Stores an object that no list or watch tells of: one whose news is still on its way.
    pub(crate) fn store_unseen(&self, plural: &str, object: Value) {
        let metadata = object.object("metadata").clone();
        let place = (plural.to_owned(), metadata.text("namespace").to_owned(), metadata.text("name").to_owned());
        self.state().unseen.insert(place, object);
    }

    /// Stores an object, as a create or a write by somebody else.
    pub(crate) fn store(&self, plural: &str, mut object: Value) -> Value {
        let mut state = self.state();
        let metadata = object.object("metadata").clone();
        let place = (plural.to_owned(), metadata.text("namespace").to_owned(), metadata.text("name").to_owned());
        if metadata.text("uid").is_empty() {
            state.uids += 1;
            object["metadata"]["uid"] = json!(format!("u{}", state.uids));
        }
        let version = state.history.len() + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let event = if state.objects.insert(place, object.clone()).is_some() { "MODIFIED" } else { "ADDED" };
        state.history.push((plural.to_owned(), event, object.clone()));
        drop(state);
        self.moved.send_modify(|count| *count += 1);
        object
    }

    pub(crate) fn remove(&self, plural: &str, namespace: &str, name: &str) {
        let mut state = self.state();
        let Some(mut object) = state.objects.remove(&(plural.to_owned(), namespace.to_owned(), name.to_owned())) else {
            return;
        };
        let version = state.history.len() + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        state.history.push((plural.to_owned(), "DELETED", object));
        drop(state);
        self.moved.send_modify(|count| *count += 1);
    }

    async fn answer(&self, request: Request<Body>) -> Response<Answer> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let mut parts: Vec<&str> = head.uri.path().split('/').filter(|p| !p.is_empty()).collect();
        parts.drain(..if parts[0] == "api" { 2 } else { 3 });
        let namespace = match parts.as_slice() {
            ["namespaces", namespace, _, ..] if !matches!(parts.get(2), Some(&"status" | &"finalize")) => {
                let namespace = (*namespace).to_owned();
                parts.drain(..2);
                namespace
            }
            _ => String::new(),
        };
        let (plural, name) = (parts[0].to_owned(), parts.get(1).map_or(String::new(), |name| (*name).to_owned()));
        let slash = if namespace.is_empty() { "" } else { "/" };
        if head.method != Method::GET {
            let line = format!("{} {plural} {namespace}{slash}{} {body}", head.method, parts[1..].join("/"));
            self.state().requests.push(line);
        }
        let refusal = {
            let mut state = self.state();
            let at = state.refusals.iter().position(|(what, _, _)| *what == format!("{} {plural}", head.method));
            at.map(|at| state.refusals.remove(at))
        };
        if let Some((_, code, status)) = refusal {
            return reply(code, &status);
        }
        match (head.method, name.is_empty()) {
            (Method::GET, true) if head.uri.query().unwrap_or("").contains("watch=") => {
                self.watch(plural, head.uri.query())
            }
            (Method::GET, true) => {
                let items = self.list(&plural);
                let version = self.state().history.len().to_string();
                reply(
                    200,
                    &json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": version }, "items": items }),
                )
            }
            (Method::GET, false) => self.found(&plural, &namespace, &name, |object| object),
            (Method::POST, _) => {
                if self.get(&plural, &namespace, body["metadata"]["name"].as_str().unwrap()).is_some() {
                    return reply(
                        409,
                        &json!({ "kind": "Status", "code": 409, "reason": "AlreadyExists", "message": "exists" }),
                    );
                }
                reply(201, &self.store(&plural, body))
            }
            (Method::PUT, _) if parts.get(2) == Some(&"finalize") => {
                self.remove("namespaces", "", &name);
                reply(200, &body)
            }
            (Method::PUT, _) => self.found(&plural, &namespace, &name, |_| self.store(&plural, body)),
            (Method::PATCH, _) => self.found(&plural, &namespace, &name, |mut object| {
                json_patch::merge(&mut object, &body);
                self.store(&plural, object)
            }),
            (Method::DELETE, true) => {
                for object in self.list(&plural) {
                    if object["metadata"].text("namespace") == namespace {
                        self.remove(&plural, &namespace, object["metadata"].text("name"));
                    }
                }
                reply(200, &json!({ "kind": "Status", "status": "Success" }))
            }
            (_, _) => self.found(&plural, &namespace, &name, |object| {
                self.remove(&plural, &namespace, &name);
                object
            }),
        }
    }

    fn found(&self, plural: &str, namespace: &str, name: &str, then: impl FnOnce(Value) -> Value) -> Response<Answer> {
        match self.get(plural, namespace, name) {
            Some(object) => reply(200, &then(object)),
            None => reply(
                404,
                &json!({ "kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "none" }),
            ),
        }
    }

    fn watch(&self, plural: String, query: Option<&str>) -> Response<Answer> {
        let from = query.unwrap_or("").split('&').find_map(|p| p.strip_prefix("resourceVersion=")).unwrap_or("0");
        let start = (self.clone(), self.moved.subscribe(), from.parse::<usize>().unwrap(), plural);
        let frames = futures::stream::unfold(start, |(api, mut moved, mut at, plural)| async move {
            loop {
                moved.borrow_and_update();
                let next = api.state().history.get(at).cloned();
                match next {
                    Some((of, kind, object)) => {
                        at += 1;
                        if of == plural {
                            let line = format!("{}\n", json!({ "type": kind, "object": object }));
                            let frame = Ok::<_, std::io::Error>(Frame::data(Bytes::from(line)));
                            return Some((frame, (api, moved, at, plural)));
                        }
                    }
                    None => moved.changed().await.ok()?,
                }
            }
        });
        Response::new(StreamBody::new(frames).boxed_unsync())
    }
}

fn reply(code: u16, body: &Value) -> Response<Answer> {
    let mut response = Response::new(Full::from(body.to_string()).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}
