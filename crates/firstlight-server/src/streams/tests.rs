//! A SPDY client, for the tests of what is served over it.

use super::spdy::session::Session;
use super::spdy::{Decoder, Encoder, Frame, Headers};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_util::sync::CancellationToken;

/// The client's end of a connection in memory.
pub(super) struct Client {
    io: DuplexStream,
    encoder: Encoder,
    decoder: Decoder,
    buffer: BytesMut,
    last: u32,
}

/// A connection: the client's end and the server's.
pub(super) fn connection(gone: &CancellationToken) -> (Client, Session) {
    let (client, server) = tokio::io::duplex(64 << 10);
    let (reader, writer) = tokio::io::split(server);
    let client =
        Client { io: client, encoder: Encoder::new(), decoder: Decoder::new(), buffer: BytesMut::new(), last: 0 };
    (client, Session::start(reader, writer, gone))
}

impl Client {
    pub(super) async fn send(&mut self, frame: Frame) {
        let mut bytes = BytesMut::new();
        self.encoder.encode(&frame, &mut bytes);
        self.io.write_all(&bytes).await.expect("the server listens");
    }

    /// Opens a stream, not waiting for the reply.
    pub(super) async fn open(&mut self, headers: &[(&str, &str)]) -> u32 {
        let stream = if self.last == 0 { 1 } else { self.last + 2 };
        self.last = stream;
        let headers: Headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        self.send(Frame::SynStream { stream, headers, fin: false }).await;
        stream
    }

    pub(super) async fn data(&mut self, stream: u32, bytes: &[u8], fin: bool) {
        self.send(Frame::Data { stream, bytes: Bytes::copy_from_slice(bytes), fin }).await;
    }

    /// The next frame. `None` at the end.
    pub(super) async fn any(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.buffer).expect("SPDY") {
                return Some(frame);
            }
            if self.io.read_buf(&mut self.buffer).await.expect("readable") == 0 {
                return None;
            }
        }
    }

    /// The next frame that is not about windows. `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.any().await {
                Some(Frame::WindowUpdate { .. }) => {}
                other => return other,
            }
        }
    }

    /// The bare connection.
    pub(super) fn into_inner(self) -> DuplexStream {
        self.io
    }

    /// Everything that comes on `streams` until each of them has ended.
    pub(super) async fn read<const N: usize>(&mut self, streams: [u32; N]) -> [String; N] {
        let mut texts = streams.map(|_| Vec::new());
        let mut open = streams.map(|_| true);
        while open.contains(&true) {
            if let Frame::Data { stream, bytes, fin } = self.next().await.expect("more frames")
                && let Some(index) = streams.iter().position(|known| *known == stream)
            {
                texts[index].extend_from_slice(&bytes);
                open[index] &= !fin;
            }
        }
        texts.map(|text| String::from_utf8(text).expect("text"))
    }
}
