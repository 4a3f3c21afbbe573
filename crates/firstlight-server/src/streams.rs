//! Logs, exec, attach and port-forward: the requests that reach into a pod.
//!
//! ```text
//!  request ──► (the API has found the pod and authorised the caller) ──► container ──► protocol ──► a place
//!          ──► the console ──► 101, and a task of its own until either side ends
//! ```
//!
//! Everything that can go wrong is said as a `Status` before the switch of protocols, so that every client prints it.

mod channels;
mod container;
mod exec;
mod flow;
mod log;
mod portforward;
mod spdy;
mod upgrade;
mod websocket;

use crate::body::{Body, empty};
use crate::console::{Console, ConsoleError, ContainerRef};
use crate::failure::Failure;
use crate::query::Query;
use exec::Verdict;
use firstlight_api::object::text;
use firstlight_api::status_error::StatusError;
use http::{Request, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use portforward::Pod;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use upgrade::{Carrier, EXEC, PORT_FORWARD, log_over_websocket, negotiate};
use websocket::{socket, tunnel};

/// Logs and sessions at once (E8). A session costs tens of kilobytes, and at most a message of [`websocket::MESSAGE_LIMIT`].
const PLACES: usize = 1024;

/// The subresources of a pod that stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subresource {
    /// `log`
    Log,
    /// `exec`
    Exec,
    /// `attach`
    Attach,
    /// `portforward`
    PortForward,
}

impl Subresource {
    /// The subresource of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Subresource> {
        match name {
            "log" => Some(Subresource::Log),
            "exec" => Some(Subresource::Exec),
            "attach" => Some(Subresource::Attach),
            "portforward" => Some(Subresource::PortForward),
            _ => None,
        }
    }
}

/// Serves the streaming subresources of pods. Cheap to clone.
#[derive(Clone)]
pub struct Streams {
    console: Arc<dyn Console>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("free", &self.places.available_permits()).finish_non_exhaustive()
    }
}

impl Streams {
    /// Reaches containers by `console`. On `stop` every session and followed log ends.
    #[must_use]
    pub fn new(console: Arc<dyn Console>, stop: CancellationToken) -> Streams {
        Streams { console, places: Arc::new(Semaphore::new(PLACES)), stop }
    }

    /// Answers a request for a subresource of `pod`, whose caller may do so: whoever may not must have been refused
    /// before this (S18).
    pub async fn serve<B>(&self, pod: &Value, subresource: Subresource, request: Request<B>) -> Response<Body> {
        let served = match subresource {
            Subresource::Log => self.log(pod, request).await,
            Subresource::Exec => self.exec(pod, request, Verdict::Exit).await,
            Subresource::Attach => self.exec(pod, request, Verdict::End).await,
            Subresource::PortForward => self.port_forward(pod, request),
        };
        served.unwrap_or_else(|refusal| Failure::from(refusal).response())
    }

    async fn log<B>(&self, pod: &Value, mut request: Request<B>) -> Result<Response<Body>, StatusError> {
        let query = Query::parse(request.uri().query());
        let container = container::choose(pod, query.text("container"))?;
        if text(pod, &["spec", "nodeName"]).is_empty() {
            // Nobody runs it yet, so nothing was written: upstream answers so, too.
            let mut nothing = Response::new(empty());
            *nothing.status_mut() = StatusCode::NO_CONTENT;
            return Ok(nothing);
        }
        let options = log::options(&query, pod, &container, jiff::Timestamp::now())?;
        let switched = log_over_websocket(request.headers())?;
        let place = self.place()?;
        let of = reference(pod, container);
        let log = self.console.logs(&of, options).await.map_err(refusal)?;
        let Some(answer) = switched else { return Ok(log::answer(log, place, self.stop.clone())) };
        self.switch(&mut request, place, async move |upgraded, gone| {
            log::over_websocket(log, socket(upgraded).await, &gone).await;
        });
        Ok(answer)
    }

    async fn exec<B>(
        &self,
        pod: &Value,
        mut request: Request<B>,
        verdict: Verdict,
    ) -> Result<Response<Body>, StatusError> {
        let query = Query::parse(request.uri().query());
        let container = container::choose(pod, query.text("container"))?;
        hosted(pod)?;
        let options = exec::options(&query, verdict)?;
        let (carrier, answer) = negotiate(request.headers(), &EXEC)?;
        let place = self.place()?;
        let of = reference(pod, container);
        let session = match verdict {
            Verdict::Exit => self.console.exec(&of, options.clone()).await,
            Verdict::End => self.console.attach(&of, options.clone()).await,
        };
        let session = session.map_err(refusal)?;
        self.switch(&mut request, place, async move |upgraded, gone| match carrier {
            Carrier::Channels { closing } => {
                exec::over_channels(session, &options, verdict, socket(upgraded).await, closing, &gone).await;
            }
            Carrier::Spdy | Carrier::Tunnel => {
                let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
                let connection = spdy::session::Session::start(reader, writer, &gone);
                exec::over_spdy(session, &options, verdict, connection, &gone).await;
            }
        });
        Ok(answer)
    }

    fn port_forward<B>(&self, pod: &Value, mut request: Request<B>) -> Result<Response<Body>, StatusError> {
        hosted(pod)?;
        let (carrier, answer) = negotiate(request.headers(), &PORT_FORWARD)?;
        let ports = match carrier {
            Carrier::Channels { .. } => portforward::ports(&Query::parse(request.uri().query()))?,
            Carrier::Tunnel | Carrier::Spdy => Vec::new(),
        };
        let place = self.place()?;
        let pod = Pod { console: Arc::clone(&self.console), of: reference(pod, String::new()) };
        self.switch(&mut request, place, async move |upgraded, gone| match carrier {
            Carrier::Channels { .. } => {
                portforward::over_channels(pod, ports, socket(upgraded).await, &gone).await;
            }
            Carrier::Tunnel => {
                let (reader, writer) = tunnel(socket(upgraded).await);
                let connection = spdy::session::Session::start(reader, writer, &gone);
                portforward::over_spdy(pod, connection, &gone).await;
            }
            Carrier::Spdy => {
                let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
                let connection = spdy::session::Session::start(reader, writer, &gone);
                portforward::over_spdy(pod, connection, &gone).await;
            }
        });
        Ok(answer)
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, StatusError> {
        let full = || {
            StatusError::too_many_requests(format!("{PLACES} logs and sessions are open; close some or try again"), 1)
        };
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| full())
    }

    /// Serves the session in a task of its own, once the connection has switched.
    fn switch<B, S, F>(&self, request: &mut Request<B>, place: OwnedSemaphorePermit, serve: S)
    where
        S: FnOnce(Upgraded, CancellationToken) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let upgrading: OnUpgrade = hyper::upgrade::on(request);
        let gone = self.stop.child_token();
        tokio::spawn(async move {
            let _place = place;
            match upgrading.await {
                Ok(upgraded) => serve(upgraded, gone).await,
                Err(error) => tracing::debug!(%error, "a client went away before its session began"),
            }
        });
    }
}

fn hosted(pod: &Value) -> Result<(), StatusError> {
    if !text(pod, &["spec", "nodeName"]).is_empty() {
        return Ok(());
    }
    Err(StatusError::bad_request(format!("pod {} does not have a host assigned", text(pod, &["metadata", "name"]))))
}

fn reference(pod: &Value, container: String) -> ContainerRef {
    let metadata = |field| text(pod, &["metadata", field]).to_owned();
    ContainerRef { namespace: metadata("namespace"), pod: metadata("name"), uid: metadata("uid"), container }
}

fn refusal(error: ConsoleError) -> StatusError {
    match error {
        ConsoleError::NotFound(message) => {
            StatusError { code: 404, reason: "NotFound", message, details: Box::default() }
        }
        ConsoleError::BadState(what) => StatusError::bad_request(what),
        ConsoleError::Failed(what) => StatusError::internal(what),
    }
}

#[cfg(test)]
mod tests;
