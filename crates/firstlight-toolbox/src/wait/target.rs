//! What can be waited for, as it is written.

use std::fmt;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::retry::Pace;
use crate::url::{Host, Url, host_port};
use crate::value;

/// One thing to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An answer to GET.
    Http {
        /// Where.
        url: Url,
    },
    /// A port that accepts.
    Tcp {
        /// Where.
        host: Host,
        /// Which port.
        port: u16,
    },
    /// A socket that accepts.
    Unix {
        /// Where.
        path: PathBuf,
    },
    /// A name with addresses.
    Dns {
        /// Which.
        name: Host,
        /// How many addresses at least.
        at_least: usize,
    },
    /// A file or directory.
    File {
        /// Where.
        path: PathBuf,
        /// How many bytes at least.
        at_least: u64,
    },
    /// A published item of an exposer.
    Item {
        /// The exposer, as an address of the item.
        url: Url,
        /// As written.
        shown: String,
    },
}

impl Target {
    /// Reads a target.
    pub fn parse(text: &str) -> Result<Target, Failure> {
        read(text).map_err(|why| Failure::usage(format!("target {why}")))
    }

    /// How patient to be with it.
    pub fn pace(&self) -> Pace {
        match self {
            Target::Item { .. } => Pace::HELD_OPEN,
            Target::Http { .. }
            | Target::Tcp { .. }
            | Target::Unix { .. }
            | Target::Dns { .. }
            | Target::File { .. } => Pace::CHEAP,
        }
    }
}

fn read(text: &str) -> Result<Target, String> {
    if text.starts_with(['/', '.']) {
        return Ok(Target::File { path: PathBuf::from(text), at_least: 0 });
    }
    let (scheme, rest) = text.split_once(':').ok_or_else(|| {
        format!("\"{text}\" has no scheme; write tcp://{text}, http://{text}, dns:{text}, file:/{text} or ./{text}")
    })?;
    let short = rest.strip_prefix("//").unwrap_or(rest);
    match scheme {
        "http" | "https" => Url::parse(text).map(|url| Target::Http { url }),
        "tcp" => host_port(short.trim_end_matches('/')).map(|(host, port)| Target::Tcp { host, port }),
        "unix" => Ok(Target::Unix { path: absolute(short)? }),
        "dns" => {
            let (name, at_least) = option(short, "min", |value| value.parse().ok())?;
            match Host::parse(name)? {
                Host::Address(_) => Err(format!("\"{name}\" is an address, not a name")),
                name @ Host::Name(_) => Ok(Target::Dns { name, at_least: at_least.unwrap_or(1) }),
            }
        }
        "file" => {
            let (path, at_least) = option(short, "min-size", |value| value::size(value).ok())?;
            Ok(Target::File { path: absolute(path)?, at_least: at_least.unwrap_or(0) })
        }
        "fl" => item(short).map(|url| Target::Item { url, shown: text.to_owned() }),
        other => {
            let port = rest.split('/').next().is_some_and(|port| port.parse::<u16>().is_ok());
            let hint = if port { format!("; did you mean tcp://{text}?") } else { String::new() };
            Err(format!("\"{text}\": {other} is no scheme we know; there are http https tcp unix dns file fl{hint}"))
        }
    }
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    if path.starts_with('/') { Ok(PathBuf::from(path)) } else { Err(format!("\"{path}\" is no absolute path")) }
}

/// Splits `rest?name=value`.
fn option<'a, T>(text: &'a str, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<(&'a str, Option<T>), String> {
    let Some((rest, query)) = text.split_once('?') else { return Ok((text, None)) };
    let value = query.strip_prefix(name).and_then(|value| value.strip_prefix('='));
    let value = value.and_then(read).ok_or_else(|| format!("\"{text}\": the only option is ?{name}=N"))?;
    Ok((rest, Some(value)))
}

/// The address of an item: `HOST:PORT/ITEM`.
pub fn item(text: &str) -> Result<Url, String> {
    let (authority, name) = text.split_once('/').ok_or_else(|| format!("\"fl://{text}\" names no item"))?;
    host_port(authority)?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(legal) {
        return Err(format!("\"{name}\" is no item name; it has letters, digits, - _ and ."));
    }
    Url::parse(&format!("http://{authority}/v1/items/{name}"))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Http { url } => url.fmt(f),
            Target::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Target::Unix { path } => write!(f, "unix:{}", path.display()),
            Target::Dns { name, at_least: 1 } => write!(f, "dns:{name}"),
            Target::Dns { name, at_least } => write!(f, "dns:{name}?min={at_least}"),
            Target::File { path, at_least: 0 } => write!(f, "file:{}", path.display()),
            Target::File { path, at_least } => write!(f, "file:{}?min-size={at_least}", path.display()),
            Target::Item { url: _, shown } => f.write_str(shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_shown() {
        for text in [
            "http://cfg:8080/healthz",
            "https://api/",
            "tcp://db:5432",
            "tcp://[::1]:5432",
            "unix:/run/x.sock",
            "dns:chain-genesis",
            "dns:chain-genesis?min=3",
            "file:/data/genesis.json",
            "file:/data/genesis.json?min-size=7",
            "fl://leader:7070/genesis.json",
        ] {
            assert_eq!(Target::parse(text).expect(text).to_string(), text);
        }
        assert_eq!(Target::parse("/data/x").expect("a path").to_string(), "file:/data/x");
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused_by_name() {
        for text in [
            "db:5432x",
            "db",
            "tcp://db",
            "tcp://db:0",
            "dns:10.0.0.1",
            "dns:x?max=3",
            "unix:relative",
            "fl://leader/genesis",
            "fl://leader:1/",
            "fl://leader:1/a/b",
            "fl://leader:1/..%2f",
            "ftp://x/",
            "postgres://db/",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
