//! The API: one store, one console, one clock behind one face. Every client comes through here, over the network or
//! from inside the process.

use crate::body::Body;
use crate::caller::Caller;
use crate::console::Console;
use crate::failure::Failure;
use crate::paging::Pages;
use crate::router;
use crate::streams::Streams;
use bytes::Bytes;
use firstlight_api::object::{Key, resources};
use firstlight_api::powers::Powers;
use firstlight_api::schema::Kind;
use firstlight_api::status_error::StatusError;
use firstlight_api::{admit, defaults};
use firstlight_store::{Expect, Refused, Store, Write};
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::json;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// Watches at once (E8). One costs some kilobytes and no copy of what it shows.
const WATCHES: usize = 8192;

/// The namespaces every cluster has (`pkg/controlplane/controller/systemnamespaces`).
pub const SYSTEM_NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What an API is made of.
#[derive(Clone)]
pub struct Config {
    /// Where objects are kept.
    pub store: Store,
    /// Behind which containers are.
    pub console: Arc<dyn Console>,
    /// The one node: pods that name none are bound to it.
    pub node: String,
    /// Which powers over the host manifests may ask for.
    pub powers: Powers,
    /// Where the time comes from.
    pub clock: Clock,
    /// On this, watches, sessions and followed logs end.
    pub stop: CancellationToken,
}

/// The API. Cheap to clone; all clones are one API.
///
/// As a [`Service`] it takes the [`Caller`] from the request's extensions, where the listener puts it.
#[derive(Clone)]
pub struct Api {
    pub(crate) store: Store,
    pub(crate) console: Arc<dyn Console>,
    pub(crate) streams: Streams,
    pub(crate) node: Arc<str>,
    pub(crate) powers: Powers,
    pub(crate) clock: Clock,
    pub(crate) stop: CancellationToken,
    pub(crate) pages: Arc<Pages>,
    pub(crate) watches: Arc<Semaphore>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Api {
    /// An API over what `config` names.
    #[must_use]
    pub fn new(config: Config) -> Api {
        let Config { store, console, node, powers, clock, stop } = config;
        let streams = Streams::new(console.clone(), stop.clone());
        let watches = Arc::new(Semaphore::new(WATCHES));
        Api { store, console, streams, node: node.into(), powers, clock, stop, pages: Arc::default(), watches }
    }

    /// Makes the namespaces that every cluster has, if they are not there: before the first client comes.
    ///
    /// # Errors
    /// If the store refuses.
    pub async fn make_system_namespaces(&self) -> Result<(), Refused> {
        for name in SYSTEM_NAMESPACES {
            let key = Key::new(resources::NAMESPACES, "", name);
            if self.store.get(&key).is_some() {
                continue;
            }
            let mut namespace = json!({
                "kind": "Namespace", "apiVersion": "v1",
                "metadata": {
                    "name": name, "uid": crate::ids::uid(), "creationTimestamp": crate::metadata::instant((self.clock)()),
                },
            });
            if let Some(kind) = Kind::of(resources::NAMESPACES) {
                defaults::apply(kind, &mut namespace);
                admit::create(kind, &mut namespace);
            }
            match self.store.commit(Write { key, expect: Expect::Absent, value: Some(namespace) }).await {
                Ok(_) | Err(Refused::Exists(_)) => {}
                Err(refused) => return Err(refused),
            }
        }
        Ok(())
    }

    /// Answers one request of `caller`.
    pub async fn handle<B>(&self, caller: Caller, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        router::answer(self, &caller, request).await.unwrap_or_else(Failure::response)
    }

    /// The API for one caller inside this process: give it to `kube::Client::new`.
    #[must_use]
    pub fn local_service(&self, caller: Caller) -> LocalService {
        LocalService { api: self.clone(), caller }
    }
}

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<B> Service<Request<B>> for Api
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Answering {
        let api = self.clone();
        match request.extensions_mut().remove::<Caller>() {
            Some(caller) => Box::pin(async move { Ok(api.handle(caller, request).await) }),
            None => Box::pin(async { Ok(Failure::from(StatusError::unauthorized()).response()) }),
        }
    }
}

/// The API for one caller inside this process.
#[derive(Debug, Clone)]
pub struct LocalService {
    api: Api,
    caller: Caller,
}

impl<B> Service<Request<B>> for LocalService
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let LocalService { api, caller } = self.clone();
        Box::pin(async move { Ok(api.handle(caller, request).await) })
    }
}
