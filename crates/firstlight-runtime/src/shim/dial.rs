//! Connections from the shim, hence from inside the pod's network namespace, to a port of the pod: what port-forward
//! needs.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How long one address is tried. Both are this very namespace's loopback: without an answer by then, the port's
/// owner does not take connections.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection being made.
#[derive(Debug)]
pub(crate) struct Dial {
    /// For which connection.
    pub(crate) peer: u64,
    /// The socket, not blocking.
    pub(crate) socket: OwnedFd,
    /// When to give up.
    pub(crate) deadline: Instant,
    port: u16,
    /// What the kernel said at once; asked later it would not say it again.
    refused: Option<Errno>,
    /// Whether the IPv6 loopback is still to be tried, as containerd does.
    then_v6: bool,
}

/// What became of a connection.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is made.
    Connected(OwnedFd),
    /// It is tried at the other address.
    Again(Dial),
}

impl Dial {
    /// Begins to connect.
    ///
    /// # Errors
    /// If no socket can be had.
    pub(crate) fn begin(peer: u64, port: u16) -> io::Result<Dial> {
        let (socket, refused) = attempt(Ipv4Addr::LOCALHOST.into(), port)?;
        Ok(Dial { peer, socket, deadline: Instant::now() + PATIENCE, port, refused, then_v6: true })
    }

    /// What became of it: connected, tried again over IPv6, or failed.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) fn outcome(mut self) -> io::Result<Outcome> {
        let error = match self.refused {
            Some(error) => error,
            None => match socket_error(&self.socket)? {
                Ok(()) => return Ok(Outcome::Connected(self.socket)),
                Err(error) => error,
            },
        };
        if !self.then_v6 {
            return Err(error.into());
        }
        self.then_v6 = false;
        (self.socket, self.refused) = attempt(Ipv6Addr::LOCALHOST.into(), self.port)?;
        Ok(Outcome::Again(self))
    }
}

fn attempt(host: IpAddr, port: u16) -> io::Result<(OwnedFd, Option<Errno>)> {
    let family = if host.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match connect(&socket, &SocketAddr::new(host, port)) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok((socket, None)),
        Err(error) => Ok((socket, Some(error))),
    }
}
