//! An address as a person writes it, taken apart once and printed without what must not be printed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::secret::{Secret, hide_query, secret_values};

/// A host as it is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// To be resolved.
    Name(String),
    /// Given as such.
    Address(IpAddr),
}

impl Host {
    /// Reads a host name or an address, brackets around IPv6 allowed.
    pub fn parse(text: &str) -> Result<Host, String> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(v6) = bare {
            return v6
                .parse::<Ipv6Addr>()
                .map(|v6| Host::Address(v6.into()))
                .map_err(|_| format!("{text} is no IPv6 address"));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Host::Address(address));
        }
        let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x");
        if text.is_empty() || number {
            // Decimal, octal and hexadecimal spellings of addresses: some resolvers read them, we do not.
            return Err(format!("\"{text}\" is neither a host name nor an address"));
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !text.bytes().all(legal) || text.len() > 253 {
            return Err(format!("\"{text}\" is no host name"));
        }
        Ok(Host::Name(text.to_ascii_lowercase()))
    }

    /// RFC 6761: these names are this machine, whatever a name server says.
    pub fn loopback(&self) -> bool {
        match self {
            Host::Name(name) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost")
            }
            Host::Address(address) => address.is_loopback(),
        }
    }
}

/// The two addresses of this machine, in the order they are tried.
pub const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(v4)) => v4.fmt(f),
            Host::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

/// Splits `host:port`.
pub fn host_port(text: &str) -> Result<(Host, u16), String> {
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("\"{text}\" has no port; write HOST:PORT"))?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("\"{port}\" is no port"))?;
    Ok((Host::parse(host)?, port))
}

/// An `http` or `https` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Where.
    pub host: Host,
    /// Which port.
    pub port: u16,
    /// Path and query as sent; starts with `/`.
    pub path: String,
    /// The value of the `Authorization` header that user and password in the address stand for.
    pub authorization: Option<Secret>,
}

impl Url {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Url, String> {
        let shown = || text.split('@').next_back().unwrap_or_default().to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("\"{}\" has no scheme", shown()))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            other => return Err(format!("scheme \"{other}\" is not http or https")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let colon = host.rfind(':').filter(|colon| !host[*colon..].contains(']'));
        let (host, port) = match colon {
            Some(_) => host_port(host)?,
            None => (Host::parse(host)?, if tls { 443 } else { 80 }),
        };
        let path = path.split('#').next().unwrap_or_default();
        if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte >= 0x80) {
            return Err(format!("{host}: spaces, control characters and non-ASCII in a path must be percent-encoded"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let authorization = user.map(basic).transpose()?;
        Ok(Url { tls, host, port, path, authorization })
    }

    /// Everything in it that must not be printed, in every form in which a server may send it back.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut all: Vec<Secret> = Vec::new();
        if let Some(header) = &self.authorization {
            let encoded = header.expose().trim_start_matches("Basic ");
            let decoded = STANDARD.decode(encoded).ok().and_then(|pair| String::from_utf8(pair).ok());
            let password =
                decoded.as_deref().and_then(|pair| pair.split_once(':')).map(|(_, password)| Secret::new(password));
            all.push(Secret::new(encoded));
            all.extend(password);
        }
        for value in self.path.split_once('?').map_or_else(Vec::new, |(_, query)| secret_values(query)) {
            all.extend(percent_decode(value).map(Secret::new));
            all.push(Secret::new(value));
        }
        all
    }

    /// The address a `Location` header leads to.
    pub fn join(&self, location: &str) -> Result<Url, String> {
        if location.contains("://") {
            return Url::parse(location);
        }
        let scheme = if self.tls { "https" } else { "http" };
        if let Some(rest) = location.strip_prefix("//") {
            return Url::parse(&format!("{scheme}://{rest}"));
        }
        let here = self.path.split('?').next().unwrap_or("/");
        let path = match location.strip_prefix('/') {
            Some(_) => location.to_owned(),
            None => format!("{}/{location}", here.rsplit_once('/').map_or("", |(parent, _)| parent)),
        };
        let mut joined = Url::parse(&format!("{scheme}://{}:{}{path}", self.host, self.port))?;
        joined.authorization = self.authorization.clone();
        Ok(joined)
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        match (self.tls, self.port) {
            (false, 80) | (true, 443) => self.host.to_string(),
            (false | true, port) => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())?;
        match self.path.split_once('?') {
            Some((path, query)) => write!(f, "{path}?{}", hide_query(query)),
            None => f.write_str(&self.path),
        }
    }
}

fn basic(user: &str) -> Result<Secret, String> {
    let decoded = percent_decode(user).ok_or("user or password in the address is not percent-encoded UTF-8")?;
    let pair = if decoded.contains(':') { decoded } else { format!("{decoded}:") };
    Ok(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
}

/// Undoes percent-encoding; `None` if it is broken or not UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let pair = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Url::parse(text).expect(text).to_string()
    }

    #[test]
    fn an_address_is_printed_without_user_password_and_signed_queries() {
        assert_eq!(shown("http://app:hunter2@cfg:8080/a?x=1&token=abc#frag"), "http://cfg:8080/a?x=1&token=***");
        assert_eq!(shown("https://[::1]:443/"), "https://[::1]/");
        assert_eq!(shown("http://CFG"), "http://cfg/");
        let url = Url::parse("http://app:hunter2@cfg/").expect("parsed");
        assert_eq!(url.authorization.expect("there").expose(), "Basic YXBwOmh1bnRlcjI=");
    }

    #[test]
    fn odd_spellings_of_addresses_are_no_hosts_s22() {
        for host in [
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "0xa9.0xfe.0xa9.0xfe",
            "",
            "a b",
            "a%2eb",
        ] {
            assert!(Url::parse(&format!("http://{host}/")).is_err(), "{host}");
        }
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for text in ["ftp://x/", "x:80", "http://", "http://x:0/", "http://x:99999/", "http://x/a b", "http://[::g]/"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_location_is_read_relative_to_where_it_came_from() {
        let base = Url::parse("http://u:p@a:81/x/y?q=1").expect("parsed");
        let to = |location| base.join(location).expect("joined").to_string();
        assert_eq!(to("/z"), "http://a:81/z");
        assert_eq!(to("z"), "http://a:81/x/z");
        assert_eq!(to("//b/z"), "http://b/z");
        assert_eq!(to("https://a/z"), "https://a/z");
        assert!(base.join("/z").expect("joined").authorization.is_some());
        assert!(base.join("//b/z").expect("joined").authorization.is_none());
    }

    #[test]
    fn localhost_is_this_machine() {
        assert!(Host::parse("localhost").expect("a host").loopback());
        assert!(Host::parse("db.localhost.").expect("a host").loopback());
        assert!(!Host::parse("localhost.example").expect("a host").loopback());
    }
}
