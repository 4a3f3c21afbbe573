//! One SPDY connection of a client: the streams it opens, what comes and goes on them.
//!
//! ```text
//!  bytes ──► reading task ──► Stream { headers, inflow, outflow } ──► whoever serves it
//!                │ replies, pongs, windows          │ data
//!                └──────────────► writing task ◄────┘ ──► bytes
//! ```
//!
//! Flow control (2.6.8): a stream's window is given back as soon as its bytes have a place in the stream's bounded
//! queue. Kubernetes' clients (moby/spdystream) count no windows at all, neither way, so ours is held against the
//! peer only once it has shown, by a SETTINGS or a WINDOW_UPDATE frame, that it counts; and where it does not, a
//! full queue stops the reading of the whole connection, as it does upstream.

use super::{Decoder, Encoder, Frame, Headers, Reset};
use crate::streams::flow::{Gone, Inflow};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

/// Streams at once on one connection. A port-forward uses two for each connection it carries.
const STREAM_LIMIT: usize = 1024;

/// Pieces a stream may be ahead of whoever serves it; a piece is at most [`READ`] bytes.
const QUEUE: usize = 16;

/// Bytes read at once.
const READ: usize = 16 << 10;

/// Frames that may wait to be written.
const OUT_QUEUE: usize = 32;

/// The window before anything is said about it (2.6.8).
const WINDOW: u64 = 64 << 10;

/// A peer that vanished without a word is found by a ping this often.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long the peer may take to hang up after our goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// A stream the client opened.
pub(in crate::streams) struct Stream {
    /// What it is for.
    pub(in crate::streams) headers: Headers,
    /// Bytes from the client.
    pub(in crate::streams) inflow: Inflow,
    /// Bytes to the client.
    pub(in crate::streams) outflow: StreamWriter,
}

impl Stream {
    /// The value of a header.
    pub(in crate::streams) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Our half of a stream.
pub(in crate::streams) struct StreamWriter {
    id: u32,
    out: mpsc::Sender<Outgoing>,
    /// How many bytes in all may be sent; `None` while the peer does not count. Closed when the stream is reset.
    allowed: watch::Receiver<Option<u64>>,
    sent: u64,
}

impl StreamWriter {
    pub(in crate::streams) async fn send(&mut self, mut bytes: Bytes) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let sent = self.sent;
            let allowed = *self.allowed.wait_for(|allowed| room(*allowed, sent) > 0).await.map_err(|_| Gone)?;
            let piece = bytes.split_to(bytes.len().min(room(allowed, sent)));
            self.sent += piece.len() as u64;
            self.put(piece, false).await?;
        }
        Ok(())
    }

    pub(in crate::streams) async fn finish(self) -> Result<(), Gone> {
        self.put(Bytes::new(), true).await
    }

    /// Gives the stream up, both ways.
    pub(in crate::streams) async fn refuse(self, reason: Reset) {
        let _ = self.out.send(Outgoing::Frame(Frame::Reset { stream: self.id, reason })).await;
    }

    async fn put(&self, bytes: Bytes, fin: bool) -> Result<(), Gone> {
        if self.allowed.has_changed().is_err() {
            return Err(Gone);
        }
        let frame = Frame::Data { stream: self.id, bytes, fin };
        self.out.send(Outgoing::Frame(frame)).await.map_err(|_| Gone)
    }
}

/// How much of a piece may be sent now.
fn room(allowed: Option<u64>, sent: u64) -> usize {
    allowed.map_or(READ, |allowed| usize::try_from(allowed.saturating_sub(sent)).unwrap_or(READ).min(READ))
}

/// The connection.
pub(in crate::streams) struct Session {
    incoming: mpsc::Receiver<Stream>,
    out: mpsc::Sender<Outgoing>,
    reading: JoinHandle<()>,
    writing: JoinHandle<()>,
}

enum Outgoing {
    Frame(Frame),
    Close,
}

impl Session {
    /// Begins to speak over `reader` and `writer`. `gone` is cancelled when the peer is gone.
    pub(in crate::streams) fn start<R, W>(reader: R, writer: W, gone: &CancellationToken) -> Session
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (accept, incoming) = mpsc::channel(QUEUE);
        let (out, outgoing) = mpsc::channel(OUT_QUEUE);
        let (allowed, session_allowed) = watch::channel(None);
        let peer = Peer {
            out: out.clone(),
            accept: Some(accept),
            streams: HashMap::new(),
            last: 0,
            initial: None,
            granted: 0,
            allowed,
        };
        let (read_gone, write_gone) = (gone.clone().drop_guard(), gone.clone().drop_guard());
        let reading = tokio::spawn(async move {
            let _gone = read_gone;
            if let Err(error) = peer.listen(reader).await {
                tracing::debug!(%error, "a SPDY connection broke");
            }
        });
        let writing = tokio::spawn(async move {
            let _gone = write_gone;
            // A peer that cannot be written to is gone: there is nobody to tell.
            let _ = write(writer, outgoing, session_allowed).await;
        });
        Session { incoming, out, reading, writing }
    }

    /// The next stream the client opens. `None` when it opens no more.
    pub(in crate::streams) async fn accept(&mut self) -> Option<Stream> {
        self.incoming.recv().await
    }

    /// Says goodbye after everything sent so far, and waits a little for the peer to hang up: hanging up first could
    /// take the last bytes away from it.
    pub(in crate::streams) async fn close(mut self) {
        self.incoming.close();
        let _ = self.out.send(Outgoing::Close).await;
        let _ = timeout(GOODBYE, async { (&mut self.writing).await.ok().and((&mut self.reading).await.ok()) }).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reading.abort();
        self.writing.abort();
    }
}

/// What the reading task knows of the peer.
struct Peer {
    out: mpsc::Sender<Outgoing>,
    /// `None` when the peer opens no more streams.
    accept: Option<mpsc::Sender<Stream>>,
    streams: HashMap<u32, Half>,
    /// The last stream it opened.
    last: u32,
    /// Its initial window, once it is known to count.
    initial: Option<u64>,
    /// What it granted to the whole connection.
    granted: u64,
    allowed: watch::Sender<Option<u64>>,
}

/// The reading task's half of a stream.
struct Half {
    /// `None` after the peer's last byte.
    inflow: Option<mpsc::Sender<io::Result<Bytes>>>,
    granted: u64,
    allowed: watch::Sender<Option<u64>>,
}

impl Half {
    /// Whether neither side has anything more to say.
    fn is_over(&self) -> bool {
        self.allowed.is_closed() && self.inflow.as_ref().is_none_or(mpsc::Sender::is_closed)
    }
}

impl Peer {
    async fn listen(mut self, mut reader: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut decoder = Decoder::new();
        let mut buffer = BytesMut::new();
        loop {
            while let Some(frame) = decoder.decode(&mut buffer).map_err(io::Error::other)? {
                self.take(frame).await.map_err(|Gone| io::Error::from(io::ErrorKind::BrokenPipe))?;
            }
            buffer.reserve(READ);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<(), Gone> {
        match frame {
            Frame::SynStream { stream, headers, fin } => self.open(stream, headers, fin).await,
            Frame::Data { stream, bytes, fin } => self.data(stream, bytes, fin).await,
            Frame::Headers { stream, headers: _, fin } => self.data(stream, Bytes::new(), fin).await,
            Frame::Reset { stream, reason: _ } => {
                if let Some(Half { inflow: Some(inflow), .. }) = self.streams.remove(&stream) {
                    let _ = inflow.send(Err(io::ErrorKind::ConnectionReset.into())).await;
                }
                Ok(())
            }
            Frame::Ping { id } if id % 2 == 1 => self.put(Frame::Ping { id }).await,
            Frame::GoAway { last: _ } => {
                self.accept = None;
                Ok(())
            }
            Frame::Settings { initial_window } => {
                if let Some(window) = initial_window {
                    self.count(u64::from(window));
                }
                Ok(())
            }
            Frame::WindowUpdate { stream, delta } => {
                self.grant(stream, u64::from(delta));
                Ok(())
            }
            // Answers: to our pings, and to streams we never open.
            Frame::Ping { id: _ } | Frame::SynReply { .. } => Ok(()),
        }
    }

    async fn open(&mut self, id: u32, headers: Headers, fin: bool) -> Result<(), Gone> {
        if id.is_multiple_of(2) || id <= self.last {
            return self.put(Frame::Reset { stream: id, reason: Reset::ProtocolError }).await;
        }
        self.last = id;
        self.streams.retain(|_, half| !half.is_over());
        let Some(accept) = self.accept.as_ref().filter(|_| self.streams.len() < STREAM_LIMIT) else {
            return self.put(Frame::Reset { stream: id, reason: Reset::RefusedStream }).await;
        };
        let (sender, inflow) = mpsc::channel(QUEUE);
        let (allowed, receiver) = watch::channel(self.initial);
        let outflow = StreamWriter { id, out: self.out.clone(), allowed: receiver, sent: 0 };
        let half = Half { inflow: (!fin).then_some(sender), granted: 0, allowed };
        // The reply goes out before anything the stream's server may send on it.
        self.put(Frame::SynReply { stream: id, headers: Headers::new(), fin: false }).await?;
        if accept.send(Stream { headers, inflow, outflow }).await.is_err() {
            return self.put(Frame::Reset { stream: id, reason: Reset::RefusedStream }).await;
        }
        self.streams.insert(id, half);
        Ok(())
    }

    async fn data(&mut self, id: u32, bytes: Bytes, fin: bool) -> Result<(), Gone> {
        let length = bytes.len() as u32;
        let half = self.streams.get_mut(&id);
        let known = half.is_some();
        if let Some(Half { inflow, .. }) = half {
            if let Some(sender) = inflow
                && length > 0
            {
                // Whoever serves the stream may not want more of it; that is no fault of the peer's.
                let _ = sender.send(Ok(bytes)).await;
            }
            if fin {
                *inflow = None;
            }
        }
        if length > 0 {
            self.put(Frame::WindowUpdate { stream: 0, delta: length }).await?;
        }
        if known && length > 0 && !fin {
            self.put(Frame::WindowUpdate { stream: id, delta: length }).await?;
        }
        Ok(())
    }

    /// The peer counts, and begins at `window`.
    fn count(&mut self, window: u64) {
        self.initial = Some(window);
        for half in self.streams.values() {
            half.allowed.send_replace(Some(window + half.granted));
        }
        // The connection's own window is not changed by SETTINGS (2.6.8).
        self.allowed.send_replace(Some(WINDOW + self.granted));
    }

    fn grant(&mut self, id: u32, delta: u64) {
        let initial = match self.initial {
            Some(initial) => initial,
            None => {
                self.count(WINDOW);
                WINDOW
            }
        };
        if id == 0 {
            self.granted += delta;
            self.allowed.send_replace(Some(WINDOW + self.granted));
        } else if let Some(half) = self.streams.get_mut(&id) {
            half.granted += delta;
            half.allowed.send_replace(Some(initial + half.granted));
        }
    }

    async fn put(&self, frame: Frame) -> Result<(), Gone> {
        self.out.send(Outgoing::Frame(frame)).await.map_err(|_| Gone)
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::Receiver<Outgoing>,
    mut allowed: watch::Receiver<Option<u64>>,
) -> io::Result<()> {
    let mut encoder = Encoder::new();
    let mut buffer = BytesMut::new();
    let mut sent = 0;
    let mut pings = interval(PING_EVERY);
    pings.reset();
    // Ours are even (2.6.5).
    let mut ping = 0_u32;
    loop {
        let next = tokio::select! {
            next = outgoing.recv() => next,
            _ = pings.tick() => {
                ping = ping.wrapping_add(2);
                Some(Outgoing::Frame(Frame::Ping { id: ping }))
            }
        };
        let Some(Outgoing::Frame(frame)) = next else { break };
        if let Frame::Data { bytes, .. } = &frame {
            let length = bytes.len() as u64;
            let enough = |allowed: &Option<u64>| allowed.is_none_or(|allowed| sent + length <= allowed);
            allowed.wait_for(enough).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
            sent += length;
        }
        encoder.encode(&frame, &mut buffer);
        writer.write_all(&buffer).await?;
        buffer.clear();
        if outgoing.is_empty() {
            writer.flush().await?;
        }
    }
    encoder.encode(&Frame::GoAway { last: 0 }, &mut buffer);
    writer.write_all(&buffer).await?;
    writer.shutdown().await
}

#[cfg(test)]
mod tests;
