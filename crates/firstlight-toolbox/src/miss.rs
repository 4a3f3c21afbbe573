//! Why something was not there this time, in words a person can act on: every kind of miss reads differently.

use std::fmt;
use std::io;
use std::time::Duration;

/// One try that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// What to do about it.
    pub class: Class,
    /// Which kind it was: decides the hint.
    pub kind: Kind,
    /// What was seen.
    pub detail: String,
}

/// What a miss means for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Try again.
    Retry,
    /// Try again, but the other side is overloaded: after this long, if it said so.
    SlowDown(Option<Duration>),
    /// Trying again cannot help.
    Fatal,
}

/// The kinds of miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The name has no address.
    NoName,
    /// No name server answered.
    NameServer,
    /// Nobody listens there.
    ConnectionRefused,
    /// No way to the address.
    Unreachable,
    /// Connected or connecting, and then silence.
    TimedOut,
    /// The other side broke off.
    BrokenOff,
    /// No TLS session.
    Tls,
    /// The certificate is not trusted.
    Certificate,
    /// Another HTTP status than expected.
    Status,
    /// The answer is not what was expected.
    Content,
    /// There, but not published yet.
    NotPublished,
    /// No such file or socket.
    Absent,
    /// The address is one we never talk to.
    Forbidden,
    /// The answer breaks the protocol.
    Protocol,
    /// Our own disk.
    Disk,
}

impl Kind {
    /// One stable word, for logs and messages.
    pub fn word(self) -> &'static str {
        match self {
            Kind::NoName => "no-name",
            Kind::NameServer => "name-server",
            Kind::ConnectionRefused => "refused",
            Kind::Unreachable => "unreachable",
            Kind::TimedOut => "timed-out",
            Kind::BrokenOff => "broken-off",
            Kind::Tls => "tls",
            Kind::Certificate => "certificate",
            Kind::Status => "status",
            Kind::Content => "content",
            Kind::NotPublished => "not-published",
            Kind::Absent => "absent",
            Kind::Forbidden => "forbidden",
            Kind::Protocol => "protocol",
            Kind::Disk => "disk",
        }
    }

    /// What usually lies behind it when it lasts; the pains W6, W14 and W21 of the field.
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Kind::NoName => Some(
                "the name has no address yet: a headless Service publishes a pod's name only when the pod is ready, \
                 unless it sets publishNotReadyAddresses; check the Service's name, namespace and selector",
            ),
            Kind::NameServer => {
                Some("no name server answers: check /etc/resolv.conf, and that a network policy lets port 53 through")
            }
            Kind::ConnectionRefused => Some(
                "the address answers but nobody listens on that port: the process is not up yet, listens on another \
                 port or on loopback only, or a service mesh's proxy that redirects connections is not running yet",
            ),
            Kind::Unreachable => Some("there is no route: check network policies and the pod network"),
            Kind::TimedOut => Some(
                "packets or answers vanish: a network policy that drops, a process that accepts and hangs, or a \
                 service mesh's proxy that is not running yet",
            ),
            Kind::BrokenOff => {
                Some("the other side closes the connection: wrong protocol, a crash, or a proxy's limit")
            }
            Kind::Tls => Some("no TLS there: check the scheme and the port"),
            Kind::Certificate => Some("add the authority with --ca-file"),
            Kind::Status => Some("the server is up and says no: look at its own log"),
            Kind::Content => Some("the server is up, its answer is not yet what is expected: look at its own log"),
            Kind::NotPublished => Some("its owner has not committed it yet: look at the pod that makes it"),
            Kind::Absent => Some("nobody has made it yet: check that the volume is mounted at the same path in both"),
            Kind::Forbidden => Some("link-local and metadata addresses are only reached with --allow-link-local"),
            Kind::Protocol => Some("the answer is no HTTP: check the port"),
            Kind::Disk => Some("free space on the volume, or look at its limits"),
        }
    }
}

impl Miss {
    /// A miss worth another try.
    pub fn retry(kind: Kind, detail: impl Into<String>) -> Miss {
        Miss { class: Class::Retry, kind, detail: detail.into() }
    }

    /// A miss that no try cures.
    pub fn fatal(kind: Kind, detail: impl Into<String>) -> Miss {
        Miss { class: Class::Fatal, kind, detail: detail.into() }
    }

    /// Nothing came within this time.
    pub fn timed_out(after: Duration) -> Miss {
        Miss::retry(Kind::TimedOut, format!("no answer within {:.1} s", after.as_secs_f64()))
    }

    /// An error of a socket.
    pub fn socket(error: &io::Error) -> Miss {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Kind::ConnectionRefused,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Kind::Unreachable,
            io::ErrorKind::TimedOut => Kind::TimedOut,
            io::ErrorKind::NotFound => Kind::Absent,
            _ => Kind::BrokenOff,
        };
        let detail = match kind {
            Kind::ConnectionRefused => "connection refused".to_owned(),
            Kind::Absent => "no such file".to_owned(),
            _ => error.to_string(),
        };
        Miss::retry(kind, detail)
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
