//! Which handler answers a request.

use crate::api::Api;
use crate::body::Body;
use crate::caller::Caller;
use crate::failure::Failure;
use crate::path::Target;
use crate::payload::{self, Payload};
use crate::query::Query;
use crate::representation::{Face, respond};
use crate::streams;
use crate::subresources::{binding, eviction};
use crate::verbs::{create, delete, delete_collection, get, list, patch, update, watch};
use crate::{discovery, health, part::Part, request, reviews, running_pods};
use bytes::Bytes;
use firstlight_api::schema::Verb;
use firstlight_api::status_error::StatusError;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;
use std::error::Error;

/// One request about a resource, while it is answered.
pub(crate) struct Ask<'a> {
    pub(crate) api: &'a Api,
    pub(crate) caller: &'a Caller,
    pub(crate) target: &'a Target,
    pub(crate) query: &'a Query,
    pub(crate) headers: &'a HeaderMap,
    /// When it came: one instant for everything it writes.
    pub(crate) now: Timestamp,
    /// How the client wants to see objects.
    pub(crate) face: Face,
    /// What the client is told beside the answer.
    pub(crate) warnings: Vec<String>,
}

impl Ask<'_> {
    /// An answer of JSON text.
    pub(crate) fn respond(&self, code: StatusCode, text: Bytes) -> Response<Body> {
        respond(code, text, &self.warnings, self.headers)
    }

    /// An answer that is no object of the asked kind.
    pub(crate) fn respond_value(&self, code: StatusCode, value: &Value) -> Response<Body> {
        self.respond(code, Bytes::from(value.to_string()))
    }
}

/// Answers a request.
pub(crate) async fn answer<B>(api: &Api, caller: &Caller, request: Request<B>) -> Result<Response<Body>, Failure>
where
    B: hyper::body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let now = (api.clock)();
    let Some(target) = Target::of(parts.uri.path()) else {
        let found = health::answer(&parts).or_else(|| discovery::answer(&parts, now));
        let found = found.or_else(|| running_pods::answer(api, &parts));
        return found.unwrap_or_else(|| Err(StatusError::no_such_path().into()));
    };
    let query = Query::parse(parts.uri.query());
    let verb = request::verb(&parts.method, &target, &query)?;
    if let Some(stream) = target.subresource.and_then(|subresource| streams::Subresource::named(subresource.name)) {
        let pod = get::find(api, &target)?;
        return Ok(api.streams.serve(&pod.value, stream, Request::from_parts(parts, ())).await);
    }
    let payload = match verb {
        Verb::Get | Verb::List | Verb::Watch => Payload { content_type: String::new(), bytes: Bytes::new() },
        Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection => {
            Payload { content_type: content_type(&parts), bytes: payload::read(body).await? }
        }
    };
    let headers = &parts.headers;
    let face = Face::negotiate(target.kind, headers, &query, now)?;
    let warnings = query.warnings();
    let mut ask = Ask { api, caller, target: &target, query: &query, headers, now, face, warnings };
    dispatch(&mut ask, verb, &payload).await
}

async fn dispatch(ask: &mut Ask<'_>, verb: Verb, payload: &Payload) -> Result<Response<Body>, Failure> {
    let below = ask.target.subresource.map_or("", |subresource| subresource.name);
    match (below, verb) {
        ("", Verb::Create) if !ask.target.kind.stored() => reviews::answer(ask, payload),
        ("", Verb::Create) => create::create(ask, payload).await,
        ("", Verb::Get) => get::get(ask, Part::Whole),
        ("", Verb::List) => list::list(ask),
        ("", Verb::Watch) => watch::watch(ask),
        ("", Verb::Update) => update::update(ask, Part::Whole, payload).await,
        ("", Verb::Patch) => patch::patch(ask, Part::Whole, payload).await,
        ("", Verb::Delete) => delete::delete(ask, payload).await,
        ("", Verb::DeleteCollection) => delete_collection::delete_collection(ask, payload).await,
        ("binding", Verb::Create) => binding::bind(ask, payload).await,
        ("eviction", Verb::Create) => eviction::evict(ask, payload).await,
        (part, verb) => {
            let unserved = || StatusError::method_not_allowed(ask.target.kind.resource, verb.name());
            let part = Part::named(part).ok_or_else(unserved)?;
            match verb {
                Verb::Get => get::get(ask, part),
                Verb::Update => update::update(ask, part, payload).await,
                Verb::Patch => patch::patch(ask, part, payload).await,
                Verb::Create | Verb::Delete | Verb::DeleteCollection | Verb::List | Verb::Watch => {
                    Err(unserved().into())
                }
            }
        }
    }
}

fn content_type(parts: &Parts) -> String {
    let value = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("").to_owned()
}
