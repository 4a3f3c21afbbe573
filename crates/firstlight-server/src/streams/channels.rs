//! A WebSocket whose messages begin with the number of a channel: `v4.channel.k8s.io` and `v5.channel.k8s.io`.
//!
//! The fifth version adds one thing: a message on channel 255 names a channel the client writes no more to.
//! Source: Kubernetes, `k8s.io/apimachinery/pkg/util/remotecommand` and `k8s.io/streaming/pkg/wsstream`.

use super::flow::{Gone, Inflow};
use super::websocket::Socket;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use std::collections::HashMap;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_util::sync::CancellationToken;

/// The channel that closes others, in version 5.
const CLOSE: u8 = 255;

/// Messages a channel may be ahead of whoever serves it.
const QUEUE: usize = 4;

/// A peer that vanished without a word is found by a ping this often.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long the peer may take to answer our close.
const GOODBYE: Duration = Duration::from_secs(5);

/// The connection.
pub(super) struct Channels {
    out: mpsc::Sender<Message>,
    reading: JoinHandle<()>,
    writing: JoinHandle<()>,
}

/// Our half of a channel.
pub(super) struct ChannelWriter {
    channel: u8,
    out: mpsc::Sender<Message>,
}

impl Channels {
    /// Begins to speak. The client may write to `open` channels, whose bytes come out in the same order; what it
    /// writes elsewhere is dropped, as upstream does. `gone` is cancelled when it hangs up.
    pub(super) fn start<const N: usize>(
        socket: Socket,
        open: [u8; N],
        closing: bool,
        gone: &CancellationToken,
    ) -> (Channels, [Inflow; N]) {
        let mut routes = HashMap::new();
        let inflows = open.map(|channel| {
            let (sender, inflow) = mpsc::channel(QUEUE);
            routes.insert(channel, sender);
            inflow
        });
        (Channels::over(socket, routes, closing, gone), inflows)
    }

    /// As [`Channels::start`], with the routes made by the caller.
    pub(super) fn over(
        socket: Socket,
        routes: HashMap<u8, mpsc::Sender<io::Result<Bytes>>>,
        closing: bool,
        gone: &CancellationToken,
    ) -> Channels {
        let (sink, stream) = socket.split();
        let (out, outgoing) = mpsc::channel(QUEUE);
        let (read_gone, write_gone) = (gone.clone().drop_guard(), gone.clone().drop_guard());
        let reading = tokio::spawn(async move {
            let _gone = read_gone;
            read(stream, routes, closing).await;
        });
        let writing = tokio::spawn(async move {
            let _gone = write_gone;
            // A peer that cannot be written to is gone: there is nobody to tell.
            let _ = write(sink, outgoing).await;
        });
        Channels { out, reading, writing }
    }

    /// Our half of a channel.
    pub(super) fn writer(&self, channel: u8) -> ChannelWriter {
        ChannelWriter { channel, out: self.out.clone() }
    }

    /// Closes with 1000 after everything sent so far: clients take anything else for a failure.
    pub(super) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = self.out.send(Message::Close(Some(frame))).await;
        let _ = timeout(GOODBYE, async { (&mut self.writing).await.ok().and((&mut self.reading).await.ok()) }).await;
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        self.reading.abort();
        self.writing.abort();
    }
}

impl ChannelWriter {
    pub(super) async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        let mut message = BytesMut::with_capacity(1 + bytes.len());
        message.put_u8(self.channel);
        message.put_slice(&bytes);
        self.out.send(Message::Binary(message.freeze())).await.map_err(|_| Gone)
    }
}

async fn read(
    mut stream: SplitStream<Socket>,
    mut routes: HashMap<u8, mpsc::Sender<io::Result<Bytes>>>,
    closing: bool,
) {
    while let Some(Ok(message)) = stream.next().await {
        // Clients in languages without bytes send text.
        let mut bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::from(text),
            // Answered by the library; after a close the stream ends by itself.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => continue,
        };
        let Some(channel) = bytes.first().copied() else { continue };
        let payload = bytes.split_off(1);
        if closing && channel == CLOSE {
            if let Some(closed) = payload.first() {
                routes.remove(closed);
            }
        } else if let Some(route) = routes.get(&channel)
            && !payload.is_empty()
        {
            // Whoever serves the channel may not want more of it; that is no fault of the client's.
            let _ = route.send(Ok(payload)).await;
        }
    }
}

async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut outgoing: mpsc::Receiver<Message>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut pings = interval(PING_EVERY);
    pings.reset();
    loop {
        let message = tokio::select! {
            message = outgoing.recv() => match message {
                Some(message) => message,
                None => return Ok(()),
            },
            _ = pings.tick() => Message::Ping(Bytes::new()),
        };
        let last = message.is_close();
        sink.send(message).await?;
        if last {
            return Ok(());
        }
    }
}
