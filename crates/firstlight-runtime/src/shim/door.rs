//! Who is connected to the shim, and what they are for.

use crate::wire::{Inbox, Outbox, Request, Told};
use rustix::event::PollFlags;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::net::sockopt::socket_peercred;
use std::io;
use std::os::unix::net::UnixListener;

/// Bytes an engine may be behind before it is let go; it reconnects and reads the journal.
const BEHIND: usize = 4 << 20;

/// Connections at once: one engine and its sessions. More are turned away, so that no session can use up the
/// descriptors that starting and stopping containers needs.
const MOST: usize = 128;

/// A connection.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its number, never used twice.
    pub(crate) id: u64,
    /// What it is for.
    pub(crate) role: Role,
    socket: OwnedFd,
    inbox: Inbox,
    outbox: Outbox,
    /// Close it once everything is sent.
    closing: bool,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It has not said.
    Unknown,
    /// The engine's.
    Control,
    /// A session: closing it ends what it began.
    Session,
}

impl Peer {
    /// A connection, made non-blocking; `inbox` may hold what was read already.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(crate) fn new(id: u64, role: Role, socket: OwnedFd, inbox: Inbox) -> io::Result<Peer> {
        fcntl_setfl(&socket, OFlags::NONBLOCK)?;
        Ok(Peer { id, role, socket, inbox, outbox: Outbox::default(), closing: false })
    }

    /// Its socket and what to wait for.
    pub(crate) fn interest(&self) -> (&OwnedFd, PollFlags) {
        let flags = if self.outbox.pending() > 0 { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        (&self.socket, flags)
    }

    /// Reads what is there; false if the other side is gone.
    pub(crate) fn fill(&mut self) -> bool {
        match self.inbox.fill(&self.socket) {
            Ok(open) => open,
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    /// The next whole request.
    ///
    /// # Errors
    /// If it is none of ours.
    pub(crate) fn take(&mut self) -> io::Result<Option<Request>> {
        self.inbox.take()
    }

    /// Descriptors that came.
    pub(crate) fn take_fds(&mut self) -> Vec<OwnedFd> {
        self.inbox.take_fds()
    }

    /// Tells something; false if the other side is gone or does not listen.
    pub(crate) fn tell(&mut self, told: &Told, fds: Vec<OwnedFd>) -> bool {
        self.outbox.push(told, fds);
        self.flush()
    }

    /// Whether something is left to be sent.
    pub(crate) fn has_pending(&self) -> bool {
        self.outbox.pending() > 0
    }

    /// Sends what is left; false if the connection is over.
    pub(crate) fn flush(&mut self) -> bool {
        self.outbox.flush(&self.socket).is_ok()
            && self.outbox.pending() <= BEHIND
            && !(self.closing && self.outbox.pending() == 0)
    }

    /// Sends this last; false if that is done already.
    pub(crate) fn tell_last(&mut self, told: &Told) -> bool {
        self.closing = true;
        self.tell(told, Vec::new())
    }
}

/// Takes in whoever knocks; turns away whoever is not the engine's own user (S29), and more than [`MOST`].
///
/// # Errors
/// If no descriptor is left for it; `WouldBlock` if nobody is there.
pub(crate) fn accept(listener: &UnixListener, present: usize) -> io::Result<Option<OwnedFd>> {
    let (stream, _) = listener.accept()?;
    let same_user = socket_peercred(stream.as_fd()).is_ok_and(|peer| peer.uid == rustix::process::geteuid());
    Ok((same_user && present < MOST).then(|| stream.into()))
}
