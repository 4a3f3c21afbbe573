//! A container's standard streams: from its pipes or terminal to its log and to whoever is attached, and from one
//! of those to its standard input.
//!
//! Nothing here ever waits: what an attached reader does not take is kept up to a bound, then that reader is let
//! go; the container never stands still for it.

use super::output::{Log, Stream};
use crate::container::create;
use crate::wire;
use jiff::Timestamp;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, fchown, fcntl_setfl, open};
use rustix::io::{Errno, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Gid, Uid};
use std::io;

/// Bytes read at once: a pipe's capacity.
const CHUNK: usize = 64 << 10;

/// Bytes kept for an attached reader that does not read.
const BEHIND: usize = 1 << 20;

/// The shim's ends.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    input: Option<Feed>,
    outputs: Vec<(Stream, OwnedFd)>,
    terminal: bool,
    attached: Vec<Attached>,
    /// Close stdin when the first attached writer is done.
    once: bool,
}

/// Somebody attached.
#[derive(Debug)]
struct Attached {
    /// The connection it came by.
    peer: u64,
    stdin: Option<OwnedFd>,
    stdout: Option<Feed>,
    stderr: Option<Feed>,
}

/// A descriptor being written to, and what it has not taken yet.
#[derive(Debug)]
struct Feed {
    fd: OwnedFd,
    pending: Vec<u8>,
}

/// One of the streams' descriptors that something can happen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The container writes.
    Output(Stream),
    /// The container's stdin takes bytes again.
    Input,
    /// An attached writer writes.
    From(u64),
    /// An attached reader takes bytes again.
    To(u64, Stream),
}

impl Streams {
    /// Makes both ends for a container: ours, and those its creator passes on.
    ///
    /// # Errors
    /// If no descriptors are left.
    pub(crate) fn make(order: &wire::Order) -> io::Result<(Streams, create::Streams)> {
        let once = order.stdin_once;
        if order.tty {
            return Ok((Streams { terminal: true, once, ..Streams::default() }, create::Streams::Terminal));
        }
        let (out_read, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (err_read, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stdin, input) = if order.stdin {
            let (stdin, input) = pipe_with(PipeFlags::CLOEXEC)?;
            fcntl_setfl(&input, OFlags::NONBLOCK)?;
            (stdin, Some(Feed::new(input)))
        } else {
            (open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?, None)
        };
        for fd in [&out_read, &err_read] {
            fcntl_setfl(fd, OFlags::NONBLOCK)?;
        }
        // A program that is not root may open /dev/stdout by name only if the pipe is its own (moby#31243). The user
        // is known here only if it was given as a number; the creator cannot do it later than this.
        if let Some(uid) = order.user.uid.or_else(|| order.user.name.split(':').next()?.parse().ok()) {
            let gid = order.user.gid.map(Gid::from_raw);
            for fd in [&stdin, &stdout, &stderr] {
                let _ = fchown(fd, Some(Uid::from_raw(uid)), gid);
            }
        }
        let outputs = vec![(Stream::Stdout, out_read), (Stream::Stderr, err_read)];
        let streams = Streams { input, outputs, once, ..Streams::default() };
        Ok((streams, create::Streams::Pipes { stdin, stdout, stderr }))
    }

    /// The terminal's other end has come from the creator.
    ///
    /// # Errors
    /// If no descriptors are left.
    pub(crate) fn connect_terminal(&mut self, terminal: OwnedFd) -> io::Result<()> {
        fcntl_setfl(&terminal, OFlags::NONBLOCK)?;
        self.input = Some(Feed::new(terminal.try_clone()?));
        self.outputs = vec![(Stream::Stdout, terminal)];
        Ok(())
    }

    /// The terminal, if there is one.
    pub(crate) fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.outputs.first().filter(|_| self.terminal).map(|(_, fd)| fd.as_fd())
    }

    /// Attaches somebody: `fds` are stdin, stdout and stderr, those that `which` names.
    ///
    /// # Errors
    /// If fewer descriptors came than are named.
    pub(crate) fn attach(&mut self, peer: u64, which: wire::Streams, fds: Vec<OwnedFd>) -> io::Result<()> {
        let mut fds = fds.into_iter();
        let mut next = |wanted: bool| -> io::Result<Option<OwnedFd>> {
            if !wanted {
                return Ok(None);
            }
            let fd = fds.next().ok_or_else(|| io::Error::other("fewer descriptors than streams"))?;
            fcntl_setfl(&fd, OFlags::NONBLOCK)?;
            Ok(Some(fd))
        };
        let (stdin, stdout, stderr) = (next(which.stdin)?, next(which.stdout)?, next(which.stderr)?);
        let (stdout, stderr) = (stdout.map(Feed::new), stderr.map(Feed::new));
        self.attached.push(Attached { peer, stdin, stdout, stderr });
        Ok(())
    }

    /// Lets somebody go.
    pub(crate) fn detach(&mut self, peer: u64) {
        let before = self.attached.len();
        let wrote = self.attached.iter().any(|a| a.peer == peer && a.stdin.is_some());
        self.attached.retain(|a| a.peer != peer);
        if self.attached.len() < before && wrote {
            self.writer_done();
        }
    }

    /// Connections attached here.
    pub(crate) fn peers(&self) -> impl Iterator<Item = u64> + '_ {
        self.attached.iter().map(|a| a.peer)
    }

    /// What to wait for.
    pub(crate) fn interests<'a>(&'a self, mut add: impl FnMut(Part, BorrowedFd<'a>, PollFlags)) {
        for (stream, fd) in &self.outputs {
            add(Part::Output(*stream), fd.as_fd(), PollFlags::IN);
        }
        let full = self.input.as_ref().is_some_and(|feed| !feed.pending.is_empty());
        if let Some(feed) = self.input.as_ref().filter(|_| full) {
            add(Part::Input, feed.fd.as_fd(), PollFlags::OUT);
        }
        for attached in &self.attached {
            if let Some(stdin) = attached.stdin.as_ref().filter(|_| !full && self.input.is_some()) {
                add(Part::From(attached.peer), stdin.as_fd(), PollFlags::IN);
            }
            for (stream, feed) in [(Stream::Stdout, &attached.stdout), (Stream::Stderr, &attached.stderr)] {
                if let Some(feed) = feed.as_ref().filter(|f| !f.pending.is_empty()) {
                    add(Part::To(attached.peer, stream), feed.fd.as_fd(), PollFlags::OUT);
                }
            }
        }
    }

    /// Something happened on a part.
    pub(crate) fn ready(&mut self, part: Part, log: &mut Log) {
        match part {
            Part::Output(stream) => {
                self.pump(stream, log);
            }
            Part::Input => {
                if self.input.as_mut().is_some_and(|feed| !feed.give(&[])) {
                    self.input = None;
                }
            }
            Part::From(peer) => self.pump_in(peer),
            Part::To(peer, stream) => {
                for attached in self.attached.iter_mut().filter(|a| a.peer == peer) {
                    attached.feed(stream, &[]);
                }
            }
        }
    }

    /// The container's last process is dead: takes what it left in the pipes, and ends the log.
    pub(crate) fn finish(&mut self, log: &mut Log) {
        while self.pump(Stream::Stdout, log) {}
        while self.pump(Stream::Stderr, log) {}
        let at = Timestamp::now();
        log.end(Stream::Stdout, at);
        log.end(Stream::Stderr, at);
        self.outputs.clear();
        self.input = None;
    }

    /// Reads once from the container; false if there is nothing more now.
    fn pump(&mut self, stream: Stream, log: &mut Log) -> bool {
        let Some(position) = self.outputs.iter().position(|(s, _)| *s == stream) else { return false };
        let mut chunk = [0; CHUNK];
        match read(&self.outputs[position].1, &mut chunk) {
            Ok(n) if n > 0 => {
                let bytes = &chunk[..n];
                log.take(stream, bytes, Timestamp::now());
                self.attached.iter_mut().for_each(|a| a.feed(stream, bytes));
                true
            }
            Err(Errno::WOULDBLOCK) => false,
            Err(Errno::INTR) => true,
            // The end; a terminal says so with EIO when its last holder is gone, but others may open it again.
            Ok(_) | Err(_) => {
                self.outputs.remove(position);
                false
            }
        }
    }

    fn pump_in(&mut self, peer: u64) {
        let Some(attached) = self.attached.iter_mut().find(|a| a.peer == peer) else { return };
        let Some(stdin) = &attached.stdin else { return };
        let mut chunk = [0; CHUNK];
        match read(stdin, &mut chunk) {
            Ok(n) if n > 0 => {
                if self.input.as_mut().is_some_and(|feed| !feed.give(&chunk[..n])) {
                    self.input = None;
                }
            }
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Ok(_) | Err(_) => {
                attached.stdin = None;
                self.writer_done();
            }
        }
    }

    fn writer_done(&mut self) {
        if self.once {
            self.input = None;
        }
    }
}

impl Attached {
    fn feed(&mut self, stream: Stream, bytes: &[u8]) {
        let feed = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        if feed.as_mut().is_some_and(|feed| !feed.give(bytes)) {
            *feed = None;
        }
    }
}

impl Feed {
    fn new(fd: OwnedFd) -> Feed {
        Feed { fd, pending: Vec::new() }
    }

    /// Writes what is pending, then `bytes`; keeps what is not taken. False if nobody reads any more, or too slowly.
    fn give(&mut self, bytes: &[u8]) -> bool {
        self.pending.extend_from_slice(bytes);
        while !self.pending.is_empty() {
            match write(&self.fd, &self.pending) {
                Ok(n) => drop(self.pending.drain(..n)),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return self.pending.len() <= BEHIND,
                Err(_) => return false,
            }
        }
        true
    }
}
