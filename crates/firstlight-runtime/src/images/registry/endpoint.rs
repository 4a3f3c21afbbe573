//! Where is a registry, and may it be spoken to without TLS? Asked when settings are read and for every pull. Pure.

use std::net::IpAddr;

/// A registry's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `https://registry.example:5000`
    pub(super) origin: String,
    /// `registry.example:5000`: whose credentials it may see.
    pub(super) authority: String,
    /// The registry it stands in for, if it is a mirror.
    pub(super) mirror_of: Option<String>,
}

impl Endpoint {
    /// Reads `host[:port]`, with or without a scheme. Without one it is TLS, except on loopback and for the hosts
    /// named in `plain_http`.
    pub(super) fn parse(text: &str, plain_http: &[String], mirror_of: Option<&str>) -> Result<Endpoint, String> {
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, authority)) => (Some(scheme), authority),
            None => (None, text),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
            return Err(format!("{text:?} is not a registry: write host or host:port"));
        }
        let may_be_plain = may_be_plain(authority, plain_http);
        let scheme = match scheme {
            None if may_be_plain => "http",
            None | Some("https") => "https",
            Some("http") if may_be_plain => "http",
            Some("http") => {
                return Err(format!(
                    "{authority} is not on loopback: allow plain HTTP for it (--plain-http-registry), or use https"
                ));
            }
            Some(other) => return Err(format!("{text:?}: scheme {other} is not http or https")),
        };
        let mirror_of = mirror_of.map(str::to_owned);
        Ok(Endpoint { origin: format!("{scheme}://{authority}"), authority: authority.to_owned(), mirror_of })
    }

    pub(super) fn is_plain(&self) -> bool {
        self.origin.starts_with("http://")
    }
}

/// Whether this host may be spoken to without TLS: loopback always, others by name, with their port or for all ports.
pub(super) fn may_be_plain(authority: &str, plain_http: &[String]) -> bool {
    let host = host(authority);
    is_loopback(host) || plain_http.iter().any(|allowed| allowed == authority || allowed == host)
}

/// Whether the host is this machine by its own name or number.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether a redirect there would make the engine ask this machine or its own cloud on a stranger's behalf.
pub(super) fn is_internal(host: &str) -> bool {
    let link_local = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_unique_local(),
    };
    is_loopback(host) || host.ends_with(".localhost") || address(host).is_some_and(link_local)
}

/// The address a host name spells, an IPv4 one inside an IPv6 one unwrapped.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && !host.is_empty() => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests;
