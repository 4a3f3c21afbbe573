//! Which image does a user mean by `nginx`? Asked by the store. Pure.
//!
//! The grammar and the way short names are filled in are those of Docker and containerd
//! (github.com/distribution/reference): `nginx` is `docker.io/library/nginx:latest`.

use super::digest::Digest;
use std::fmt;

/// The registry meant when none is named.
pub(super) const DOCKER_HUB: &str = "docker.io";
/// Where Docker Hub keeps images without an owner.
const OFFICIAL: &str = "library";
/// The tag meant when neither tag nor digest is named.
const LATEST: &str = "latest";
/// Longest repository name, its registry included.
const NAME_MAX: usize = 255;
/// Longest tag.
const TAG_MAX: usize = 128;

/// A reference in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// `docker.io`, `registry.example:5000`.
    pub(super) host: String,
    /// `library/nginx`.
    pub(super) repository: String,
    pub(super) version: Version,
}

/// Which of the repository's images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    /// What the tag points at now.
    Tag(String),
    /// Exactly this manifest; a tag beside it says nothing more.
    Digest(Digest),
}

impl Reference {
    /// Reads a reference as people write them.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the reference grammar.
    pub(super) fn parse(text: &str) -> Result<Reference, String> {
        if is_hex(text, 64) {
            return Err(format!("invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (host, rest) = split_host(rest);
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        let repository = match (host, path.contains('/')) {
            (DOCKER_HUB, false) => format!("{OFFICIAL}/{path}"),
            _ => path.to_owned(),
        };
        check_name(host, &repository)?;
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err("invalid reference format: invalid tag".to_owned());
        }
        let version = match digest {
            Some(digest) => {
                Version::Digest(Digest::parse(digest).map_err(|e| format!("invalid reference format: {e}"))?)
            }
            None => Version::Tag(tag.unwrap_or(LATEST).to_owned()),
        };
        Ok(Reference { host: host.to_owned(), repository, version })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reference { host, repository, version } = self;
        match version {
            Version::Tag(tag) => write!(f, "{host}/{repository}:{tag}"),
            Version::Digest(digest) => write!(f, "{host}/{repository}@{digest}"),
        }
    }
}

/// What it is called in a registry's URLs.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Tag(tag) => f.write_str(tag),
            Version::Digest(digest) => digest.fmt(f),
        }
    }
}

/// The first part is a host if it looks like one: it has a dot or a colon, is `localhost`, or has capitals, which a
/// repository never has.
fn split_host(name: &str) -> (&str, &str) {
    let looks_like_host =
        |part: &str| part.contains(['.', ':']) || part == "localhost" || part.chars().any(|c| c.is_ascii_uppercase());
    match name.split_once('/') {
        Some((first, rest)) if looks_like_host(first) => {
            (if first == "index.docker.io" { DOCKER_HUB } else { first }, rest)
        }
        _ => (DOCKER_HUB, name),
    }
}

fn check_name(host: &str, repository: &str) -> Result<(), String> {
    if !is_host(host) {
        return Err("invalid reference format".to_owned());
    }
    if repository.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(format!("invalid reference format: repository name ({repository}) must be lowercase"));
    }
    if !repository.split('/').all(is_path_component) {
        return Err("invalid reference format".to_owned());
    }
    if host.len() + 1 + repository.len() > NAME_MAX {
        return Err(format!("repository name must not be more than {NAME_MAX} characters"));
    }
    Ok(())
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("", port.strip_prefix(':'))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let is_label = |label: &str| {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    let port_fits = port.is_none_or(|port| !port.starts_with('+') && port.parse::<u16>().is_ok());
    port_fits && (host.starts_with('[') || name.split('.').all(is_label))
}

/// Lower-case letters and digits, separated by one dot, one or two underscores, or any number of dashes.
fn is_path_component(part: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !part.starts_with(edge) || !part.ends_with(edge) {
        return false;
    }
    let separators = part.split(edge).filter(|separator| !separator.is_empty());
    separators.into_iter().all(|separator| matches!(separator, "." | "_" | "__") || separator.chars().all(|c| c == '-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= TAG_MAX && tag.starts_with(word) && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

pub(super) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

#[cfg(test)]
mod tests;
