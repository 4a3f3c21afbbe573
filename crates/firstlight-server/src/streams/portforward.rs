//! Connections of a client's to a pod's ports.
//!
//! | carrier | how a connection looks |
//! | --- | --- |
//! | SPDY, bare or inside a WebSocket | an `error` and a `data` stream with the same `requestid` and `port` |
//! | WebSocket channels, for kube-rs | for the n-th of `?ports=`: data on channel 2n, errors on 2n + 1, each beginning with the port in two bytes, the low one first |
//!
//! Source: Kubernetes, `k8s.io/kubelet/pkg/cri/streaming/portforward`.

use super::channels::Channels;
use super::flow::{Gone, Inflow, Outflow, pump_in, pump_out};
use super::spdy::Reset;
use super::spdy::session::{Session, Stream};
use super::websocket::Socket;
use crate::console::{Console, ContainerRef};
use crate::query::Query;
use bytes::Bytes;
use firstlight_api::status_error::StatusError;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at once in one session, and halves of connections whose other half has not come.
const FORWARD_LIMIT: usize = 256;

/// Messages a connection may be ahead of the pod.
const QUEUE: usize = 4;

/// The longest list of `?ports=`: a channel's number is a byte, and a port takes two.
const PORTS: usize = 128;

/// The pod whose ports are meant.
#[derive(Clone)]
pub(super) struct Pod {
    pub(super) console: Arc<dyn Console>,
    pub(super) of: ContainerRef,
}

/// Whether the client can say that it writes no more, and go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halves {
    Both,
    /// It cannot: when the pod has no more to say, the connection is over.
    One,
}

/// `?ports=80,8080` or `?ports=80&ports=8080`.
pub(super) fn ports(query: &Query) -> Result<Vec<u16>, StatusError> {
    let texts: Vec<&str> = query.all("ports").flat_map(|list| list.split(',')).collect();
    let parse = |text: &&str| text.parse().ok().filter(|port| *port > 0);
    let ports: Option<Vec<u16>> = texts.iter().map(parse).collect();
    match ports {
        Some(ports) if !ports.is_empty() && ports.len() <= PORTS => Ok(ports),
        _ => Err(StatusError::bad_request(format!(
            "ports: {:?} are not 1 to {PORTS} port numbers from 1 to 65535",
            texts.join(",")
        ))),
    }
}

/// Serves connections over SPDY until the client is `gone`.
pub(super) async fn over_spdy(pod: Pod, mut session: Session, gone: &CancellationToken) {
    let mut halves: HashMap<String, Half> = HashMap::new();
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            stream = session.accept() => match stream {
                Some(stream) => stream,
                None => break,
            },
            Some(_) = connections.join_next() => continue,
            () = gone.cancelled() => return,
        };
        let Some((id, port)) = identify(&stream) else {
            stream.outflow.refuse(Reset::ProtocolError).await;
            continue;
        };
        if halves.len() + connections.len() >= FORWARD_LIMIT {
            stream.outflow.refuse(Reset::RefusedStream).await;
            continue;
        }
        let half = halves.entry(id.clone()).or_insert_with(|| Half { port, error: None, data: None });
        let place = if stream.header("streamtype") == Some("error") { &mut half.error } else { &mut half.data };
        if place.is_some() || half.port != port {
            stream.outflow.refuse(Reset::ProtocolError).await;
            continue;
        }
        *place = Some(stream);
        match halves.remove(&id) {
            Some(Half { port, error: Some(error), data: Some(data) }) => {
                let (errors, outflow) = (Outflow::Stream(error.outflow), Outflow::Stream(data.outflow));
                connections.spawn(forward(pod.clone(), port, data.inflow, outflow, errors, Halves::Both));
            }
            Some(half) => {
                halves.insert(id, half);
            }
            None => {}
        }
    }
    // The client opens no more, but what is open goes on.
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => session.close().await,
        () = gone.cancelled() => {}
    }
}

/// A connection whose two streams have not both come.
struct Half {
    port: u16,
    error: Option<Stream>,
    data: Option<Stream>,
}

/// The connection and the port a stream belongs to.
fn identify(stream: &Stream) -> Option<(String, u16)> {
    let known = matches!(stream.header("streamtype")?, "error" | "data");
    let port = stream.header("port")?.parse().ok().filter(|port| *port > 0 && known)?;
    Some((stream.header("requestid")?.to_owned(), port))
}

/// Serves one connection to each of `ports` over channels, until all have ended or the client is `gone`.
pub(super) async fn over_channels(pod: Pod, ports: Vec<u16>, socket: Socket, gone: &CancellationToken) {
    let mut routes = HashMap::new();
    let mut inflows = Vec::new();
    for (channel, port) in (0_u8..).step_by(2).zip(&ports) {
        let (sender, inflow) = mpsc::channel(QUEUE);
        routes.insert(channel, sender);
        inflows.push((channel, *port, inflow));
    }
    let channels = Channels::over(socket, routes, false, gone);
    let mut connections = JoinSet::new();
    for (channel, port, inflow) in inflows {
        let mut outflow = Outflow::Channel(channels.writer(channel));
        let mut errors = Outflow::Channel(channels.writer(channel + 1));
        let pod = pod.clone();
        connections.spawn(async move {
            let prefix = Bytes::copy_from_slice(&port.to_le_bytes());
            outflow.send(prefix.clone()).await?;
            errors.send(prefix).await?;
            forward(pod, port, inflow, outflow, errors, Halves::One).await
        });
    }
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => channels.close().await,
        () = gone.cancelled() => {}
    }
}

/// One connection: until both sides have said their last, or one broke.
async fn forward(
    pod: Pod,
    port: u16,
    inflow: Inflow,
    outflow: Outflow,
    mut errors: Outflow,
    halves: Halves,
) -> Result<(), Gone> {
    let Pod { console, of } = pod;
    let stream = match console.dial(&of, port).await {
        Ok(stream) => stream,
        Err(error) => {
            let said = format!("error forwarding port {port} to pod {}, uid {}: {error}", of.pod, of.uid);
            errors.send(Bytes::from(said)).await?;
            outflow.finish().await?;
            return errors.finish().await;
        }
    };
    let (from_pod, to_pod) = tokio::io::split(stream);
    let (inward, outward) = (pump_in(inflow, to_pod), pump_out(from_pod, outflow));
    let moved = match halves {
        Halves::Both => tokio::try_join!(inward, outward).map(|_| ()),
        Halves::One => tokio::select! {
            sent = outward => sent,
            Err(gone) = inward => Err(gone),
        },
    };
    // `kubectl` resets the data stream when the pod hangs up, and then waits for the end of the errors.
    errors.finish().await.and(moved)
}

#[cfg(test)]
mod tests;
