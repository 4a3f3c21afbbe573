//! Which credentials go to which registry? Asked by the registry client. Pure.
//!
//! Input are the `.dockerconfigjson` contents of pull secrets. An entry is matched as Kubernetes matches it
//! (`pkg/credentialprovider/keyring.go`): host label by label with `*` inside a label, the port exactly, the path as a
//! prefix; the more specific entry first. Nothing that does not match a host is ever sent to it (S31).

use super::reference::DOCKER_HUB;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// What proves who we are.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// User name and password.
    Password { user: String, password: String },
    /// An OAuth2 refresh token, to be exchanged at the registry's token service.
    Identity(String),
    /// A token that the registry itself takes.
    Token(String),
}

/// Says which kind, never what (S25).
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Password { .. } => "Password(..)",
            Credential::Identity(_) => "Identity(..)",
            Credential::Token(_) => "Token(..)",
        })
    }
}

/// All entries of all secrets, in the order they are to be tried.
#[derive(Debug, Clone, Default)]
pub(super) struct Keyring {
    entries: Vec<(Pattern, Credential)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    host: String,
    port: Option<String>,
    path: String,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl Keyring {
    /// Reads the secrets.
    ///
    /// # Errors
    /// Which secret cannot be read, without a word of its content.
    pub(super) fn parse(secrets: &[Vec<u8>]) -> Result<Keyring, String> {
        let mut entries = Vec::new();
        for (number, secret) in secrets.iter().enumerate() {
            let unreadable = || format!("image pull secret {} is not a readable .dockerconfigjson", number + 1);
            let config: DockerConfig = serde_json::from_slice(secret).map_err(|_| unreadable())?;
            for (key, entry) in config.auths {
                if let Some(credential) = entry.credential().map_err(|()| unreadable())? {
                    entries.push((Pattern::parse(&key), credential));
                }
            }
        }
        // Stable: among equally specific entries the order of the secrets stays.
        entries.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.path.len()));
        Ok(Keyring { entries })
    }

    /// What may be sent to `host` (with its port, if any) for `repository`, in the order to be tried.
    pub(super) fn matching(&self, host: &str, repository: &str) -> Vec<&Credential> {
        let host = hub(host);
        self.entries.iter().filter(|(pattern, _)| pattern.matches(host, repository)).map(|(_, c)| c).collect()
    }
}

impl Entry {
    fn credential(self) -> Result<Option<Credential>, ()> {
        let Entry { auth, username, password, identitytoken, registrytoken } = self;
        if !registrytoken.is_empty() {
            return Ok(Some(Credential::Token(registrytoken)));
        }
        if !identitytoken.is_empty() {
            return Ok(Some(Credential::Identity(identitytoken)));
        }
        if !username.is_empty() {
            return Ok(Some(Credential::Password { user: username, password }));
        }
        if auth.is_empty() {
            return Ok(None);
        }
        let decoded = STANDARD.decode(auth.trim()).map_err(|_| ())?;
        let decoded = String::from_utf8(decoded).map_err(|_| ())?;
        let (user, password) = decoded.split_once(':').ok_or(())?;
        Ok(Some(Credential::Password { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() }))
    }
}

impl Pattern {
    /// Keys come as hosts, as hosts with a path, and, from old Docker, as URLs (`https://index.docker.io/v1/`).
    fn parse(key: &str) -> Pattern {
        let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
        let (authority, path) = key.split_once('/').unwrap_or((key, ""));
        let path = path.trim_end_matches('/');
        // Docker's own login writes the API version where others mean a repository.
        let path = if matches!(path, "v1" | "v2") { "" } else { path };
        let (host, port) = split_port(hub(authority));
        Pattern { host: host.to_owned(), port: port.map(str::to_owned), path: path.to_owned() }
    }

    fn matches(&self, authority: &str, repository: &str) -> bool {
        let (host, port) = split_port(authority);
        let path_fits = self.path.is_empty()
            || repository.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let (wanted, given): (Vec<_>, Vec<_>) = (self.host.split('.').collect(), host.split('.').collect());
        let labels_fit = wanted.len() == given.len() && wanted.iter().zip(&given).all(|(w, g)| glob(w, g));
        self.port.as_deref() == port && path_fits && labels_fit
    }
}

/// Docker Hub's names are one registry.
fn hub(authority: &str) -> &str {
    if matches!(authority, "index.docker.io" | "registry-1.docker.io") { DOCKER_HUB } else { authority }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(text),
        Some((before, after)) => {
            let Some((head, tail)) = text.split_at_checked(before.len()) else { return false };
            head.eq_ignore_ascii_case(before)
                && tail.char_indices().map(|(at, _)| &tail[at..]).chain([""]).any(|rest| glob(after, rest))
        }
    }
}

#[cfg(test)]
mod tests;
