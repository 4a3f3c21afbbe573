//! Frames: four bytes of length, little-endian, then JSON. Descriptors travel with a frame's first byte.

use rustix::cmsg_space;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

/// Longest frame: well above the kernel's own limit on arguments and environment (2 MiB), escaped.
const MAX_FRAME: usize = 16 << 20;

/// Most descriptors with one frame: stdin, stdout, stderr, and one to spare.
const MAX_FDS: usize = 4;

/// Bytes read at once: a usual frame whole.
const READ: usize = 16 << 10;

/// A message as a frame.
fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message).expect("the protocol's types have string keys and finite numbers");
    let length = u32::try_from(bytes.len() - 4).expect("a frame is built from a few megabytes at most");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Turns what arrives on a stream socket into messages.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Inbox {
    /// Reads once from `socket`; false at its end.
    ///
    /// # Errors
    /// What the kernel answers; `WouldBlock` if nothing is there on a non-blocking socket.
    pub(crate) fn fill(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut chunk = [0; READ];
        let received = recvmsg(socket, &mut [IoSliceMut::new(&mut chunk)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                self.fds.extend(rights);
            }
        }
        self.bytes.extend_from_slice(&chunk[..received.bytes]);
        Ok(received.bytes > 0)
    }

    /// The next whole message, if there is one.
    ///
    /// # Errors
    /// If it is too long or not one of ours.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(head) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*head) as usize;
        if length > MAX_FRAME {
            return Err(io::Error::other(format!("a frame of {length} bytes is longer than any of ours")));
        }
        let Some(body) = self.bytes.get(4..4 + length) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        self.bytes.drain(..4 + length);
        Ok(Some(message))
    }

    /// The descriptors that came so far, in order.
    pub(crate) fn take_fds(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.fds)
    }
}

/// Frames on their way out over a socket that may not take them all at once.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    sent: usize,
    pending: usize,
}

impl Outbox {
    /// Puts a message last, with descriptors.
    pub(crate) fn push<T: Serialize>(&mut self, message: &T, fds: Vec<OwnedFd>) {
        let frame = encode(message);
        self.pending += frame.len();
        self.frames.push_back((frame, fds));
    }

    /// Bytes not yet taken by the kernel.
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// Sends as much as the socket takes; what is left is sent by the next call.
    ///
    /// # Errors
    /// What the kernel answers, but not `WouldBlock`.
    pub(crate) fn flush(&mut self, socket: impl AsFd) -> io::Result<()> {
        while let Some((frame, fds)) = self.frames.front() {
            let attached: Vec<BorrowedFd<'_>> =
                if self.sent == 0 { fds.iter().map(AsFd::as_fd).collect() } else { Vec::new() };
            match send(&socket, &frame[self.sent..], &attached) {
                Ok(sent) => {
                    self.sent += sent;
                    self.pending -= sent;
                }
                Err(Errno::WOULDBLOCK) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.sent == frame.len() {
                self.frames.pop_front();
                self.sent = 0;
            }
        }
        Ok(())
    }
}

fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOBIG);
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
}
