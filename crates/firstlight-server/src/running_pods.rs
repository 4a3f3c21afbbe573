//! What does the node have, whatever the API says: `GET /api/v1/nodes/NODE/proxy/runningpods/`.
//!
//! A pod whose object went at once (TRM-15, or a pod that was over) has containers, volumes or directories for a moment
//! longer; who must know when nothing is left asks here. The kubelet answers the same path with the same list
//! (`pkg/kubelet/server`), which there names containers too.

use crate::api::Api;
use crate::body::Body;
use crate::console::PodRef;
use crate::failure::Failure;
use crate::representation::respond;
use bytes::Bytes;
use firstlight_api::object::resources;
use firstlight_api::status_error::StatusError;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

/// The answer, if the path asks for it.
pub(crate) fn answer(api: &Api, parts: &Parts) -> Option<Result<Response<Body>, Failure>> {
    let rest = parts.uri.path().strip_prefix("/api/v1/nodes/")?;
    let node = rest.strip_suffix('/').unwrap_or(rest).strip_suffix("/proxy/runningpods")?;
    if parts.method != Method::GET {
        return None;
    }
    if node != &*api.node {
        return Some(Err(StatusError::not_found(resources::NODES, node).into()));
    }
    let list = list(api.console.pods());
    Some(Ok(respond(StatusCode::OK, Bytes::from(list.to_string()), &[], &parts.headers)))
}

fn list(pods: Vec<PodRef>) -> Value {
    let item = |PodRef { namespace, name, uid }| {
        json!({
            "metadata": {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": null},
            "spec": {"containers": []}, "status": {},
        })
    };
    json!({
        "kind": "PodList", "apiVersion": "v1", "metadata": {},
        "items": pods.into_iter().map(item).collect::<Vec<_>>(),
    })
}
