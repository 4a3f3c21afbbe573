//! SPDY/3.1 on the wire: frames to bytes and back, without I/O.
//!
//! Kubernetes' clients speak it for port-forward (inside a WebSocket or bare) and, the older ones, for exec and
//! attach. Nothing else does any more, so there is no library for it. Source: "SPDY Protocol - Draft 3.1",
//! section numbers below are of that text.
//!
//! Data frames are handed on in the pieces they arrive in: a frame may be 16 MiB, a piece never holds more than
//! what was read.

mod headers;
pub(super) mod session;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use headers::{Deflater, Inflater};

pub(super) use headers::Headers;

/// Our frames of control are tens of bytes; a peer's longer than this are an attack (2.2.1 allows a limit of 8 KiB
/// or more).
const CONTROL_LIMIT: usize = 16 << 10;

/// Both frame heads are 8 bytes long (2.2.1, 2.2.2).
const HEAD: usize = 8;

const VERSION: u16 = 3;
const FLAG_FIN: u8 = 0x01;
/// SETTINGS_INITIAL_WINDOW_SIZE (2.6.4).
const INITIAL_WINDOW: u32 = 7;
/// The largest length of a data frame (2.2.2).
#[cfg(test)]
const DATA_LIMIT: usize = (1 << 24) - 1;

/// Why a stream ends before its time (2.6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    /// The peer broke the rules.
    ProtocolError,
    /// There is no such stream.
    InvalidStream,
    /// It was not begun.
    RefusedStream,
    /// It is not wanted any more.
    Cancel,
    /// Any other reason, of the peer's.
    Other(u32),
}

/// One frame, or one piece of a data frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// Begins a stream.
    SynStream { stream: u32, headers: Headers, fin: bool },
    /// Accepts a stream.
    SynReply { stream: u32, headers: Headers, fin: bool },
    /// Ends a stream both ways.
    Reset { stream: u32, reason: Reset },
    /// How many bytes per stream may be under way at first, if it says so.
    Settings { initial_window: Option<u32> },
    /// Asks whether the peer lives, or answers.
    Ping { id: u32 },
    /// No stream after `last` will be looked at.
    GoAway { last: u32 },
    /// More headers.
    Headers { stream: u32, headers: Headers, fin: bool },
    /// So many bytes more may be sent on a stream, or on all (stream 0).
    WindowUpdate { stream: u32, delta: u32 },
    /// Bytes.
    Data { stream: u32, bytes: Bytes, fin: bool },
}

/// The peer does not speak SPDY/3.1; nothing it says after this can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not SPDY/3.1: {0}")]
pub(super) struct Broken(&'static str);

/// Bytes to frames.
pub(super) struct Decoder {
    inflater: Inflater,
    /// The data frame whose head was read: stream, bytes to come, whether it ends the stream.
    within: Option<(u32, usize, bool)>,
}

impl Decoder {
    pub(super) fn new() -> Decoder {
        Decoder { inflater: Inflater::new(), within: None }
    }

    /// The next frame that is in `input` whole (or in part, for data). `None` if more bytes are needed.
    pub(super) fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, Broken> {
        loop {
            if let Some((stream, left, fin)) = self.within {
                return Ok(self.piece(stream, left, fin, input));
            }
            let Some(head) = input.first_chunk::<HEAD>() else { return Ok(None) };
            let first = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            let flags = head[4];
            let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
            if first >> 31 == 0 {
                if first == 0 {
                    return Err(Broken("data on stream 0"));
                }
                input.advance(HEAD);
                self.within = Some((first, length, flags & FLAG_FIN != 0));
                continue;
            }
            if (first >> 16) as u16 & 0x7fff != VERSION {
                return Err(Broken("a control frame of another version"));
            }
            if length > CONTROL_LIMIT {
                return Err(Broken("a control frame of more than 16 KiB"));
            }
            if input.len() < HEAD + length {
                return Ok(None);
            }
            input.advance(HEAD);
            let body = input.split_to(length).freeze();
            if let Some(frame) = self.control(first as u16, flags, body)? {
                return Ok(Some(frame));
            }
        }
    }

    fn piece(&mut self, stream: u32, left: usize, fin: bool, input: &mut BytesMut) -> Option<Frame> {
        if left > 0 && input.is_empty() {
            return None;
        }
        let bytes = input.split_to(left.min(input.len())).freeze();
        let left = left - bytes.len();
        self.within = (left > 0).then_some((stream, left, fin));
        Some(Frame::Data { stream, bytes, fin: fin && left == 0 })
    }

    /// `None` for a frame of a kind this version does not know: those are skipped (2.2.1).
    fn control(&mut self, kind: u16, flags: u8, mut body: Bytes) -> Result<Option<Frame>, Broken> {
        let fin = flags & FLAG_FIN != 0;
        let frame = match kind {
            1 => {
                let stream = stream_id(&mut body)?;
                // The associated stream, the priority and the slot mean nothing to us.
                if body.len() < 6 {
                    return Err(Broken("a short SYN_STREAM"));
                }
                body.advance(6);
                Frame::SynStream { stream, headers: self.inflater.block(&body)?, fin }
            }
            2 => Frame::SynReply { stream: stream_id(&mut body)?, headers: self.inflater.block(&body)?, fin },
            3 => Frame::Reset { stream: stream_id(&mut body)?, reason: Reset::from_code(word(&mut body)?) },
            4 => Frame::Settings { initial_window: initial_window(&mut body)? },
            6 => Frame::Ping { id: word(&mut body)? },
            7 => Frame::GoAway { last: word(&mut body)? & 0x7fff_ffff },
            8 => Frame::Headers { stream: stream_id(&mut body)?, headers: self.inflater.block(&body)?, fin },
            9 => {
                let stream = word(&mut body)? & 0x7fff_ffff;
                Frame::WindowUpdate { stream, delta: word(&mut body)? & 0x7fff_ffff }
            }
            _ => return Ok(None),
        };
        Ok(Some(frame))
    }
}

fn word(body: &mut Bytes) -> Result<u32, Broken> {
    body.try_get_u32().map_err(|_| Broken("a short control frame"))
}

fn stream_id(body: &mut Bytes) -> Result<u32, Broken> {
    match word(body)? & 0x7fff_ffff {
        0 => Err(Broken("a control frame of stream 0")),
        id => Ok(id),
    }
}

fn initial_window(body: &mut Bytes) -> Result<Option<u32>, Broken> {
    let mut window = None;
    for _ in 0..word(body)? {
        let (key, value) = (word(body)? & 0x00ff_ffff, word(body)?);
        if key == INITIAL_WINDOW {
            window = Some(value);
        }
    }
    Ok(window)
}

impl Reset {
    fn from_code(code: u32) -> Reset {
        match code {
            1 => Reset::ProtocolError,
            2 => Reset::InvalidStream,
            3 => Reset::RefusedStream,
            5 => Reset::Cancel,
            other => Reset::Other(other),
        }
    }

    fn code(self) -> u32 {
        match self {
            Reset::ProtocolError => 1,
            Reset::InvalidStream => 2,
            Reset::RefusedStream => 3,
            Reset::Cancel => 5,
            Reset::Other(code) => code,
        }
    }
}

/// Frames to bytes.
pub(super) struct Encoder {
    deflater: Deflater,
}

impl Encoder {
    pub(super) fn new() -> Encoder {
        Encoder { deflater: Deflater::new() }
    }

    /// Appends `frame` to `out`. Data must be shorter than 16 MiB.
    pub(super) fn encode(&mut self, frame: &Frame, out: &mut BytesMut) {
        match frame {
            Frame::SynStream { stream, headers, fin } => {
                let block = self.deflater.block(headers);
                control(out, 1, *fin, 10 + block.len());
                out.put_u32(*stream);
                out.put_u32(0);
                out.put_u16(0);
                out.put_slice(&block);
            }
            Frame::SynReply { stream, headers, fin } => self.with_headers(2, *stream, headers, *fin, out),
            Frame::Headers { stream, headers, fin } => self.with_headers(8, *stream, headers, *fin, out),
            Frame::Reset { stream, reason } => two_words(out, 3, *stream, reason.code()),
            Frame::Settings { initial_window } => {
                control(out, 4, false, 4 + 8 * usize::from(initial_window.is_some()));
                out.put_u32(u32::from(initial_window.is_some()));
                if let Some(window) = initial_window {
                    out.put_u32(INITIAL_WINDOW);
                    out.put_u32(*window);
                }
            }
            Frame::Ping { id } => {
                control(out, 6, false, 4);
                out.put_u32(*id);
            }
            Frame::GoAway { last } => two_words(out, 7, *last, 0),
            Frame::WindowUpdate { stream, delta } => two_words(out, 9, *stream, *delta),
            Frame::Data { stream, bytes, fin } => {
                out.put_u32(*stream);
                out.put_u32(u32::from(fin_flag(*fin)) << 24 | (bytes.len() as u32 & 0x00ff_ffff));
                out.put_slice(bytes);
            }
        }
    }

    fn with_headers(&mut self, kind: u16, stream: u32, headers: &Headers, fin: bool, out: &mut BytesMut) {
        let block = self.deflater.block(headers);
        control(out, kind, fin, 4 + block.len());
        out.put_u32(stream);
        out.put_slice(&block);
    }
}

fn two_words(out: &mut BytesMut, kind: u16, first: u32, second: u32) {
    control(out, kind, false, 8);
    out.put_u32(first);
    out.put_u32(second);
}

fn control(out: &mut BytesMut, kind: u16, fin: bool, length: usize) {
    out.put_u16(0x8000 | VERSION);
    out.put_u16(kind);
    out.put_u32(u32::from(fin_flag(fin)) << 24 | (length as u32 & 0x00ff_ffff));
}

fn fin_flag(fin: bool) -> u8 {
    if fin { FLAG_FIN } else { 0 }
}

#[cfg(test)]
mod tests;
