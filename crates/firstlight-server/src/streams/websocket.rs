//! A connection that was switched to WebSocket (RFC 6455): as messages, or as the bytes inside them.

use futures::{SinkExt, StreamExt, TryStreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

/// The longest message taken: clients in scripting languages send a file in one.
pub(super) const MESSAGE_LIMIT: usize = 8 << 20;

/// Bytes read at once.
const READ_BUFFER: usize = 16 << 10;

/// A client's WebSocket.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The messages of a connection.
pub(super) async fn socket(upgraded: Upgraded) -> Socket {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await
}

/// The bytes inside a WebSocket's binary messages.
pub(super) fn tunnel(socket: Socket) -> (impl AsyncRead + Send + Unpin, impl AsyncWrite + Send + Unpin) {
    let (sink, stream) = socket.split();
    let bytes = stream.map_err(io::Error::other).try_filter_map(async |message| {
        Ok(match message {
            Message::Binary(bytes) => Some(bytes),
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => None,
        })
    });
    let sink = sink.sink_map_err(io::Error::other).with(async |bytes| Ok::<_, io::Error>(Message::Binary(bytes)));
    (StreamReader::new(Box::pin(bytes)), SinkWriter::new(CopyToBytes::new(Box::pin(sink))))
}
