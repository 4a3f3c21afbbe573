//! The registry says 401: how do we get in? Asked by a session (RFC 7235 challenges; Docker's token protocol,
//! distribution.github.io/distribution/spec/auth).

use super::endpoint::Endpoint;
use super::http::{Answer, Fault, Http, Method, Request};
use crate::images::credentials::Credential;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use std::collections::BTreeMap;

/// Largest answer of a token service.
const TOKEN_MAX: u64 = 1 << 20;

/// A way in that the registry offers.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token from a service.
    Bearer { realm: String, service: Option<String> },
}

/// The `Authorization` header that the registry will take for pulling from `repository`.
///
/// # Errors
/// If it offers no way we know, or the credential is refused.
pub(super) async fn answer(
    http: &Http,
    endpoint: &Endpoint,
    repository: &str,
    credential: Option<&Credential>,
    offered: &[String],
) -> Result<String, Fault> {
    if let Some(Credential::Token(token)) = credential {
        return Ok(format!("Bearer {token}"));
    }
    // A token tells less than a password.
    let offered: Vec<Challenge> = offered.iter().filter_map(|header| parse(header)).collect();
    let bearer = offered.iter().find_map(|challenge| match challenge {
        Challenge::Bearer { realm, service } => Some((realm, service.as_deref())),
        Challenge::Basic => None,
    });
    if let Some((realm, service)) = bearer {
        let answer = ask(http, endpoint, realm, service, repository, credential).await?;
        return token(answer.successful().await?).await;
    }
    match credential {
        Some(credential @ Credential::Password { .. }) if offered.contains(&Challenge::Basic) => Ok(basic(credential)),
        _ => Err(Fault::Denied(String::new())),
    }
}

async fn ask(
    http: &Http,
    endpoint: &Endpoint,
    realm: &str,
    service: Option<&str>,
    repository: &str,
    credential: Option<&Credential>,
) -> Result<Answer, Fault> {
    let mut url = Url::parse(realm).map_err(|_| Fault::Wrong(format!("its token service {realm:?} is no URL")))?;
    // A registry with TLS may not have a password sent in the clear.
    let secure = url.scheme() == "https" || (url.scheme() == "http" && endpoint.is_plain());
    if !secure || !url.username().is_empty() {
        return Err(Fault::Wrong(format!(
            "its token service {} is refused: it is not https",
            url.origin().ascii_serialization()
        )));
    }
    // The scope is what we are here for, whatever the challenge proposes.
    let scope = format!("repository:{repository}:pull");
    let service = service.map(|service| ("service", service));
    if let Some(Credential::Identity(refresh)) = credential {
        let mut form = Url::parse("form:").expect("a constant URL");
        form.query_pairs_mut()
            .extend_pairs([
                ("grant_type", "refresh_token"),
                ("client_id", "firstlight"),
                ("scope", &scope),
                ("refresh_token", refresh),
            ])
            .extend_pairs(service);
        return http.post(url.as_str(), form.query().unwrap_or_default().to_owned()).await;
    }
    url.query_pairs_mut().extend_pairs(service).append_pair("scope", &scope);
    let authorization = credential.map(basic);
    let request = Request {
        method: Method::Get,
        url: url.as_str(),
        accept: None,
        from: None,
        authorization: authorization.as_deref(),
    };
    http.send(&request).await
}

async fn token(answer: Answer) -> Result<String, Fault> {
    let unreadable = || Fault::Wrong("its token service answers without a token".to_owned());
    let bytes = answer.bytes(TOKEN_MAX).await?;
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
    let field = |name: &str| fields.get(name).cloned().and_then(|value| value.as_str().map(str::to_owned));
    let token = field("token").or_else(|| field("access_token")).filter(|token| !token.is_empty());
    token.map(|token| format!("Bearer {token}")).ok_or_else(unreadable)
}

fn basic(credential: &Credential) -> String {
    match credential {
        Credential::Password { user, password } => format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
        Credential::Identity(token) | Credential::Token(token) => format!("Bearer {token}"),
    }
}

/// Reads one `WWW-Authenticate` header.
fn parse(header: &str) -> Option<Challenge> {
    let (scheme, parameters) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameters = self::parameters(parameters);
    let value = |name: &str| parameters.get(name).cloned();
    Some(Challenge::Bearer { realm: value("realm")?, service: value("service") })
}

/// `name="value"` and `name=value`, separated by commas; a backslash quotes inside quotes.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.chars().peekable();
    loop {
        let name: String = std::iter::from_fn(|| rest.next_if(|c| *c != '=')).collect();
        if rest.next().is_none() {
            return found;
        }
        let mut value = String::new();
        if rest.next_if_eq(&'"').is_some() {
            while let Some(c) = rest.next().filter(|c| *c != '"') {
                value.extend(if c == '\\' { rest.next() } else { Some(c) });
            }
        }
        value.extend(std::iter::from_fn(|| rest.next_if(|c| *c != ',')));
        rest.next();
        found.insert(name.trim().to_ascii_lowercase(), value);
    }
}

#[cfg(test)]
mod tests;
