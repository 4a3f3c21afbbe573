//! What an answer carries: a short text, or a stretch of an item, read and checked as it goes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::item::Content;
use super::scan::{CHUNK, read_full};
use crate::hash;

/// The body of an answer.
#[derive(Debug)]
pub enum Answer {
    /// In memory.
    Text(Option<Bytes>),
    /// From an item.
    Stretch {
        /// The item.
        content: Arc<Content>,
        /// The next byte.
        next: u64,
        /// The byte after the last.
        end: u64,
    },
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Answer::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Answer::Stretch { next, end, .. } if next == end => Poll::Ready(None),
            Answer::Stretch { content, next, end } => {
                let piece = piece(content, *next, *end);
                match &piece {
                    Ok(bytes) => *next += bytes.len() as u64,
                    Err(_) => *next = *end,
                }
                Poll::Ready(Some(piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Text(text) => text.is_none(),
            Answer::Stretch { next, end, .. } => next == end,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Answer::Text(text) => text.as_ref().map_or(0, |text| text.len() as u64),
            Answer::Stretch { next, end, .. } => end - next,
        })
    }
}

/// The next bytes of an item, up to the end of their chunk. Bytes that are not those that were published end the
/// connection: a client sees a transfer cut short, never a mix.
fn piece(content: &Content, next: u64, end: u64) -> io::Result<Bytes> {
    let wrong = || io::Error::other("the item was written over while it was served");
    let index = usize::try_from(next / CHUNK as u64).map_err(io::Error::other)?;
    let start = index as u64 * CHUNK as u64;
    let mut chunk = vec![0u8; CHUNK];
    let read = read_full(&content.file, &mut chunk, start)?;
    chunk.truncate(read);
    if content.chunks.get(index) != Some(&hash::of_bytes(&chunk)) {
        return Err(wrong());
    }
    let from = usize::try_from(next - start).map_err(io::Error::other)?;
    let to = usize::try_from(end - start).map_or(read, |to| to.min(read));
    if from >= to {
        return Err(wrong());
    }
    Ok(Bytes::from(chunk).slice(from..to))
}
