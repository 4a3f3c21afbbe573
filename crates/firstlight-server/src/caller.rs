//! Who is asking: the user and the groups that the verified client certificate names.
//!
//! Kubernetes' rule for X.509 clients: the subject's common name is the user, each of its organisations a group.
//! Source: Kubernetes documentation, "Authenticating", section "X.509 client certificates".

use rustls_pki_types::CertificateDer;

/// The group of everybody who has shown who they are.
pub const AUTHENTICATED: &str = "system:authenticated";

/// The group that may do everything.
pub const MASTERS: &str = "system:masters";

/// Who is asking. The listener puts one into the extensions of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's name.
    pub user: String,
    /// The user's groups; always with [`AUTHENTICATED`].
    pub groups: Vec<String>,
}

/// The certificate does not say who its holder is.
#[derive(Debug, thiserror::Error)]
pub enum Nameless {
    /// It is not an X.509 certificate.
    #[error("the client certificate cannot be read: {0}")]
    Unreadable(String),
    /// Its subject has no common name.
    #[error("the client certificate's subject has no common name, so it names no user")]
    NoCommonName,
}

impl Caller {
    /// A caller of this name and these groups.
    pub fn new<G: Into<String>>(user: impl Into<String>, groups: impl IntoIterator<Item = G>) -> Caller {
        let mut groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        groups.push(AUTHENTICATED.to_owned());
        Caller { user: user.into(), groups }
    }

    /// The caller a *verified* certificate names: its signature and dates are the TLS layer's to check.
    ///
    /// # Errors
    /// If it names nobody.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Caller, Nameless> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|error| Nameless::Unreadable(error.to_string()))?;
        let subject = parsed.subject();
        let user = subject.iter_common_name().find_map(|name| name.as_str().ok()).filter(|name| !name.is_empty());
        let groups = subject.iter_organization().filter_map(|group| group.as_str().ok());
        Ok(Caller::new(user.ok_or(Nameless::NoCommonName)?, groups))
    }
}

#[cfg(test)]
mod tests;
