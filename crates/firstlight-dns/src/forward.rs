//! Questions for names of others: passed on to the host's servers as they are, over the same transport.
//!
//! What comes back is passed back as it is: a reply that is too long for UDP says so itself, and the client comes
//! again over TCP.

use crate::wire::Transport;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Questions under way at once (E8).
const AT_ONCE: usize = 256;

/// How long one server may take. The usual client waits 5 s for us and has two or three servers behind us.
const PATIENCE: Duration = Duration::from_secs(2);

/// The header of a message: what is shorter is none.
const HEADER: usize = 12;

/// Asks the host's servers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    upstreams: Arc<[SocketAddr]>,
    places: Arc<Semaphore>,
}

impl Forward {
    pub(crate) fn new(upstreams: Vec<SocketAddr>) -> Forward {
        Forward { upstreams: upstreams.into(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The reply of the first server that gives one. `None` if none does, or if too much is under way.
    pub(crate) async fn ask(&self, question: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let _place = self.places.try_acquire().ok()?;
        for upstream in self.upstreams.iter() {
            let asked = match transport {
                Transport::Udp => timeout(PATIENCE, over_udp(*upstream, question)).await,
                Transport::Tcp => timeout(PATIENCE, over_tcp(*upstream, question)).await,
            };
            match asked {
                Ok(Ok(reply)) => return Some(reply),
                Ok(Err(error)) => tracing::debug!(%upstream, %error, "a name server cannot be asked"),
                Err(_) => tracing::debug!(%upstream, "a name server does not answer"),
            }
        }
        None
    }
}

async fn over_udp(upstream: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any = match upstream {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    // A port of its own for each question, as the number alone could be guessed (RFC 5452).
    let socket = UdpSocket::bind(any).await?;
    socket.connect(upstream).await?;
    let (id, question) = renumbered(question)?;
    socket.send(&question).await?;
    let mut reply = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut reply).await?;
        if answers(&reply[..length], &question) {
            reply.truncate(length);
            reply[..2].copy_from_slice(&id);
            return Ok(reply);
        }
    }
}

async fn over_tcp(upstream: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream).await?;
    let (id, question) = renumbered(question)?;
    write_message(&mut stream, &question).await?;
    let mut reply = read_message(&mut stream).await?;
    if !answers(&reply, &question) {
        return Err(io::Error::other("it answers another question"));
    }
    reply[..2].copy_from_slice(&id);
    Ok(reply)
}

/// A message over TCP: its length, then itself (RFC 1035, 4.2.2).
pub(crate) async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// Writes a message in one piece.
pub(crate) async fn write_message(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await
}

/// The question under a number nobody can guess, and its own number.
fn renumbered(question: &[u8]) -> io::Result<([u8; 2], Vec<u8>)> {
    let own = question.first_chunk().copied().ok_or(io::ErrorKind::InvalidData)?;
    let [first, second, ..] = RandomState::new().hash_one(()).to_ne_bytes();
    let mut question = question.to_vec();
    question[..2].copy_from_slice(&[first, second]);
    Ok((own, question))
}

/// Whether `reply` is one to `question`: the same number, and the same name asked for.
fn answers(reply: &[u8], question: &[u8]) -> bool {
    let is_reply = reply.len() >= HEADER && reply[2] & 0x80 != 0 && reply[..2] == question[..2];
    // Without the question section it says that it could not read it.
    is_reply && (reply[4..6] == [0, 0] || asked(reply) == asked(question))
}

/// The first name asked for and its type and class, in lower case. Names of questions are never compressed.
fn asked(message: &[u8]) -> Option<Vec<u8>> {
    let mut end = HEADER;
    while *message.get(end)? != 0 {
        end += 1 + usize::from(*message.get(end)?);
    }
    message.get(HEADER..end + 5).map(<[u8]>::to_ascii_lowercase)
}

#[cfg(test)]
mod tests;
