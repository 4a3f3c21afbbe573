//! Bytes between a client and a container, whatever carries them: a WebSocket's channels or SPDY's streams.

use super::channels::ChannelWriter;
use super::spdy::session::StreamWriter;
use bytes::{Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// How many bytes are moved at once: what `kubectl` moves at once.
const PIECE: usize = 32 << 10;

/// Bytes from the client. The end of the channel is the end of the bytes; an error is a reset.
pub(super) type Inflow = mpsc::Receiver<io::Result<Bytes>>;

/// The client does not listen any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Bytes to the client.
pub(super) enum Outflow {
    /// A channel of a WebSocket.
    Channel(ChannelWriter),
    /// A stream of a SPDY connection.
    Stream(StreamWriter),
}

impl Outflow {
    /// Sends bytes; waits while the client is slow.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), Gone> {
        match self {
            Outflow::Channel(writer) => writer.send(bytes).await,
            Outflow::Stream(writer) => writer.send(bytes).await,
        }
    }

    /// Says that no more comes, where the protocol can say so: a channel cannot.
    pub(super) async fn finish(self) -> Result<(), Gone> {
        match self {
            Outflow::Channel(_) => Ok(()),
            Outflow::Stream(writer) => writer.finish().await,
        }
    }
}

/// Moves everything `from` a container to the client, then says that no more comes. A read error is the end: a
/// terminal whose process is gone answers with one.
pub(super) async fn pump_out(mut from: impl AsyncRead + Unpin, mut to: Outflow) -> Result<(), Gone> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(PIECE);
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return to.finish().await,
            Ok(_) => to.send(buffer.split().freeze()).await?,
        }
    }
}

/// Moves everything from the client to `to`, then closes it. What the container does not take any more is dropped.
pub(super) async fn pump_in(mut from: Inflow, mut to: impl AsyncWrite + Unpin) -> Result<(), Gone> {
    while let Some(bytes) = from.recv().await {
        let bytes = bytes.map_err(|_| Gone)?;
        if to.write_all(&bytes).await.is_err() || to.flush().await.is_err() {
            return Ok(());
        }
    }
    // A container that has closed its end already has what it wants.
    let _ = to.shutdown().await;
    Ok(())
}
