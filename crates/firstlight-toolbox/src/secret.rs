//! What must never be printed, and the one place where text is made fit for printing.
//!
//! Values that came as secrets are registered once, in [`Secrets`]; everything that leaves this process as text
//! (log lines, the termination message) goes through [`Secrets::hide`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Shorter values are not searched for: they would blacken innocent text, and are no secrets worth the name.
const SHORTEST: usize = 4;

/// What stands where a secret was.
pub const HIDDEN: &str = "***";

/// A value without `Display`, whose `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value, for the one place that has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Every secret this process has come across.
///
/// The lock is held for a push or a scan, never across an await; tasks that learn a secret late (a server that
/// echoes one) need not be the one that logs it.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Mutex<Vec<Secret>>>);

impl Secrets {
    /// From now on this value is hidden.
    pub fn learn(&self, secret: &Secret) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.expose().len() >= SHORTEST && !known.contains(secret) {
            known.push(secret.clone());
        }
    }

    /// The text without any known secret in it, and without control characters that could forge a line.
    pub fn hide(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = text.to_owned();
        for secret in known.iter() {
            if shown.contains(secret.expose()) {
                shown = shown.replace(secret.expose(), HIDDEN);
            }
        }
        shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// Query keys whose values are credentials in the wild (signed URLs of the object stores among them).
const SECRET_KEYS: [&str; 15] = [
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "credential",
    "key",
    "passwd",
    "password",
    "pwd",
    "secret",
    "sig",
    "signature",
    "token",
    "x-amz-security-token",
    "x-amz-signature",
];

fn secret_key(key: &str) -> bool {
    SECRET_KEYS.contains(&key.to_ascii_lowercase().as_str())
}

/// A query string with the values of credential-like keys hidden.
pub fn hide_query(query: &str) -> String {
    let parts = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if secret_key(key) => format!("{key}={HIDDEN}"),
        Some(_) | None => pair.to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}

/// The values of a query string that are hidden.
pub fn secret_values(query: &str) -> Vec<&str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| secret_key(key)).map(|(_, value)| value).collect()
}

/// Whether a header of this name carries a credential.
pub fn secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "cookie"
        || ["authorization", "token", "api-key", "apikey", "secret", "password"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learnt_value_never_comes_out() {
        let secrets = Secrets::default();
        secrets.learn(&Secret::new("hunter2!"));
        assert_eq!(secrets.hide("login hunter2! failed\nhunter2!"), "login *** failed ***");
        assert_eq!(format!("{:?}", Secret::new("hunter2!")), "***");
    }

    #[test]
    fn very_short_values_do_not_blacken_everything() {
        let secrets = Secrets::default();
        secrets.learn(&Secret::new("e"));
        assert_eq!(secrets.hide("secret"), "secret");
    }

    #[test]
    fn credentials_in_queries_and_headers_are_known_by_name() {
        assert_eq!(hide_query("a=1&Token=xyz&sig=q&b"), "a=1&Token=***&sig=***&b");
        assert!(secret_header("Authorization") && secret_header("X-Vault-Token") && !secret_header("Accept"));
    }
}
