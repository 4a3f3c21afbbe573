//! The engine's end of a connection to a shim.

use crate::layout::SOCKET;
use crate::wire::{Inbox, Outbox, Purpose, Request, Told, VERSION};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: UnixStream,
    inbox: Inbox,
    outbox: Outbox,
}

impl Link {
    /// Over a connected socket.
    ///
    /// # Errors
    /// If it cannot be made non-blocking.
    pub(crate) fn new(socket: std::os::unix::net::UnixStream) -> io::Result<Link> {
        socket.set_nonblocking(true)?;
        Ok(Link { stream: UnixStream::from_std(socket)?, inbox: Inbox::default(), outbox: Outbox::default() })
    }

    /// Knocks at the shim in this volatile directory and says what for, with descriptors.
    ///
    /// # Errors
    /// If nobody answers.
    pub(crate) async fn knock(run: &Path, purpose: Purpose, fds: Vec<OwnedFd>) -> io::Result<Link> {
        // Through an open directory: a socket's path may be 107 bytes long, a data directory's may be longer.
        let dir = open(run, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd());
        let mut link = Link::new(std::os::unix::net::UnixStream::connect(path)?)?;
        link.send(&Request::Hello { version: VERSION, purpose }, fds).await?;
        Ok(link)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If the shim is gone.
    pub(crate) async fn send<T: serde::Serialize>(&mut self, request: &T, fds: Vec<OwnedFd>) -> io::Result<()> {
        self.outbox.push(request, fds);
        loop {
            self.outbox.flush(&self.stream)?;
            if self.outbox.pending() == 0 {
                return Ok(());
            }
            self.stream.ready(Interest::WRITABLE).await?;
            // Nothing is written by this: it tells the runtime that the socket was full, so that `ready` waits.
            let _ = self.stream.try_io(Interest::WRITABLE, || -> io::Result<()> {
                self.outbox.flush(&self.stream)?;
                if self.outbox.pending() > 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
        }
    }

    /// What the shim tells next; `None` once it is gone. Safe to abandon while it waits.
    ///
    /// # Errors
    /// What the kernel answers, or a frame that is none of ours.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Told>> {
        loop {
            if let Some(told) = self.inbox.take()? {
                return Ok(Some(told));
            }
            self.stream.ready(Interest::READABLE).await?;
            match self.stream.try_io(Interest::READABLE, || self.inbox.fill(&self.stream)) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Descriptors that came with what was told.
    pub(crate) fn take_fds(&mut self) -> Vec<OwnedFd> {
        self.inbox.take_fds()
    }
}
