//! Who may be trusted: the certificate authority of one data directory, and the certificates it signs.
//!
//! Only the authority is kept on disk (`ca.pem`: certificate and key in one file, so that they cannot be torn
//! apart). What it signs lives a year and is made anew at every start and every [month](Identity::renew): a serving
//! certificate, which never touches the disk, and client certificates, which go into kubeconfigs. Older client
//! certificates stay valid until their year ends. Every key is ECDSA P-256.

mod serving;

use crate::caller::MASTERS;
use crate::private_file;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serving::Serving;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of the authority, in the identity directory.
pub const CA_FILE: &str = "ca.pem";

/// The name of the context, the cluster and the user in the kubeconfig.
pub const CONTEXT: &str = "firstlight";

/// How long the authority lives: as kubeadm's. It is renewed with the same key, so a shorter life would protect
/// nothing and would only break kubeconfigs that were copied away.
const CA_DAYS: i64 = 3650;

/// How long what it signs lives.
const LEAF_DAYS: i64 = 365;

/// The authority is renewed at the first start after this many days before its end: a leaf signed just before
/// must not outlive it.
const RENEW_DAYS: i64 = LEAF_DAYS + 30;

/// How old what it signed gets before it is signed anew, so that a kubeconfig copied away works for eleven months.
const FRESH_DAYS: i64 = 30;

/// Certificates begin a day early: clocks of clients may be behind.
const EARLY_DAYS: i64 = 1;

/// The names the engine is always reached by.
pub const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// A certificate with its key, both PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The certificate.
    pub certificate: String,
    /// Its PKCS #8 key.
    pub key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file or directory is not as it must be.
    #[error("{path}: {reason}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// The authority's file is damaged.
    #[error("{path}: {problem}; remove it for a new authority (kubeconfigs made before stop working)")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate for {subject}: {problem}")]
    Unsigned {
        /// For whom.
        subject: String,
        /// Why not.
        problem: String,
    },
}

/// The authority of one data directory, with the certificates it signed last.
pub struct Identity {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    authority: String,
    names: Vec<String>,
    admin: Credentials,
    serving: Arc<Serving>,
    tls: Arc<ServerConfig>,
    signed: Timestamp,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Identity {
    /// Opens or makes the identity kept in `dir` (made with mode 0700), as of `now`. `names` are the names and
    /// addresses the engine is reached by, besides [`OWN_NAMES`].
    ///
    /// # Errors
    /// If others may read the directory or its files, if they are damaged, or if the disk refuses.
    pub fn open(dir: &Path, names: &[String], now: Timestamp) -> Result<Identity, IdentityError> {
        private_dir(dir).map_err(|reason| IdentityError::File { path: dir.to_owned(), reason })?;
        let (issuer, authority) = open_authority(&dir.join(CA_FILE), now)?;
        let mut all: Vec<String> = OWN_NAMES.map(str::to_owned).to_vec();
        all.extend(names.iter().filter(|name| !OWN_NAMES.contains(&name.as_str())).cloned());
        let admin = sign_client(&issuer, "admin", MASTERS, now)?;
        let serving = Arc::new(Serving::new(sign_serving(&issuer, &all, now)?));
        let tls = server_config(&authority, Arc::clone(&serving)).map_err(server_has_none)?;
        let dir = dir.to_owned();
        Ok(Identity { dir, issuer, authority, names: all, admin, serving, tls: Arc::new(tls), signed: now })
    }

    /// Signs anew what is a month old at `now`: new connections are shown a new certificate, open ones go on, and
    /// [`kubeconfig`] has a new one for the administrator. Whether it did.
    ///
    /// # Errors
    /// As [`Identity::open`]; then everything stays as it was.
    pub fn renew(&mut self, now: Timestamp) -> Result<bool, IdentityError> {
        if now.duration_since(self.signed) < SignedDuration::from_hours(24 * FRESH_DAYS) {
            return Ok(false);
        }
        let (issuer, authority) = open_authority(&self.dir.join(CA_FILE), now)?;
        let admin = sign_client(&issuer, "admin", MASTERS, now)?;
        self.serving.show(sign_serving(&issuer, &self.names, now)?);
        (self.issuer, self.authority, self.admin, self.signed) = (issuer, authority, admin, now);
        Ok(true)
    }

    /// The authority's certificate, PEM: what clients trust.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The names and addresses the serving certificate is for; also the Host names that are served.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The administrator: user `admin`, group `system:masters`.
    #[must_use]
    pub fn admin(&self) -> &Credentials {
        &self.admin
    }

    /// A client certificate for a component: its user, its group, a year from when the last were signed.
    ///
    /// # Errors
    /// If the name cannot stand in a certificate.
    pub fn client(&self, user: &str, group: &str) -> Result<Credentials, IdentityError> {
        sign_client(&self.issuer, user, group, self.signed)
    }

    /// How connections are accepted: TLS 1.2 or 1.3, and always a client certificate of this authority.
    #[must_use]
    pub fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }
}

/// A kubeconfig of the administrator for the server at `server_url`, everything inline. It holds a key: give it to
/// [`write_kubeconfig`].
#[must_use]
pub fn kubeconfig(identity: &Identity, server_url: &str) -> String {
    let Credentials { certificate, key } = identity.admin();
    let data = |pem: &str| BASE64.encode(pem);
    // A JSON string is a YAML string: no URL can break out of it.
    let server = serde_json::Value::from(server_url);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {CONTEXT}\nclusters:\n- name: {CONTEXT}\n  cluster:\n    \
         server: {server}\n    certificate-authority-data: {}\nusers:\n- name: {CONTEXT}\n  user:\n    \
         client-certificate-data: {}\n    client-key-data: {}\ncontexts:\n- name: {CONTEXT}\n  context:\n    \
         cluster: {CONTEXT}\n    user: {CONTEXT}\n    namespace: default\n",
        data(identity.authority()),
        data(certificate),
        data(key),
    )
}

/// Writes a kubeconfig with mode 0600, whole or not at all.
///
/// # Errors
/// If the disk refuses.
pub fn write_kubeconfig(path: &Path, text: &str) -> Result<(), IdentityError> {
    private_file::write(path, text.as_bytes()).map_err(|reason| IdentityError::File { path: path.to_owned(), reason })
}

fn private_dir(dir: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = std::fs::symlink_metadata(dir)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is not a directory"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user; chown it to the engine's user"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other("others may enter it; chmod it to 0700"));
    }
    Ok(())
}

fn open_authority(path: &Path, now: Timestamp) -> Result<(Issuer<'static, KeyPair>, String), IdentityError> {
    let file = |reason| IdentityError::File { path: path.to_owned(), reason };
    let damaged = |problem: String| IdentityError::Damaged { path: path.to_owned(), problem };
    let unsigned = |error: rcgen::Error| unsigned("the authority", &error);
    let kept = private_file::read(path).map_err(file)?;
    let (key, certificate) = match &kept {
        Some(text) => {
            let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| damaged(error.to_string()))?;
            let key = KeyPair::try_from(&key).map_err(|error| damaged(error.to_string()))?;
            (key, Some(der(text).map_err(damaged)?))
        }
        None => (KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(unsigned)?, None),
    };
    let certificate = match certificate {
        Some(certificate) if !ends_within(&certificate, now, RENEW_DAYS).map_err(damaged)? => certificate,
        _ => {
            let certificate = authority_params(now).self_signed(&key).map_err(unsigned)?;
            let text = format!("{}{}", certificate.pem(), key.serialize_pem());
            private_file::write(path, text.as_bytes()).map_err(file)?;
            certificate.der().clone()
        }
    };
    let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| damaged(error.to_string()))?;
    Ok((issuer, pem(&certificate)))
}

fn ends_within(certificate: &CertificateDer<'_>, now: Timestamp, days: i64) -> Result<bool, String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
    let end = parsed.validity().not_after.timestamp();
    Ok(end < now.as_second() + days * 86_400)
}

fn authority_params(now: Timestamp) -> CertificateParams {
    let mut params = dated(CertificateParams::default(), now, CA_DAYS);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "firstlight");
    // It signs leaves only: no authority under it.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn sign_client(
    issuer: &Issuer<'_, KeyPair>,
    user: &str,
    group: &str,
    now: Timestamp,
) -> Result<Credentials, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    params.distinguished_name.push(DnType::OrganizationName, group);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    sign(issuer, params, now).map_err(|error| unsigned(user, &error))
}

fn sign_serving(issuer: &Issuer<'_, KeyPair>, names: &[String], now: Timestamp) -> Result<CertifiedKey, IdentityError> {
    let subject = names.join(", ");
    let mut params = CertificateParams::new(names).map_err(|error| unsigned(&subject, &error))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "firstlight API");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let Credentials { certificate, key } = sign(issuer, params, now).map_err(|error| unsigned(&subject, &error))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| server_has_none(error.to_string()))?;
    let chain = vec![der(&certificate).map_err(server_has_none)?];
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
        .map_err(|error| server_has_none(error.to_string()))
}

fn server_has_none(problem: String) -> IdentityError {
    IdentityError::Unsigned { subject: "the API server".to_owned(), problem }
}

fn sign(issuer: &Issuer<'_, KeyPair>, params: CertificateParams, now: Timestamp) -> Result<Credentials, rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = dated(params, now, LEAF_DAYS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Credentials { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn dated(mut params: CertificateParams, now: Timestamp, days: i64) -> CertificateParams {
    let midnight = |days: i64| {
        let day = now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
        let day = TimeZone::UTC.to_datetime(day).date();
        rcgen::date_time_ymd(i32::from(day.year()), day.month().unsigned_abs(), day.day().unsigned_abs())
    };
    params.not_before = midnight(-EARLY_DAYS);
    params.not_after = midnight(days);
    params
}

fn server_config(authority: &str, serving: Arc<Serving>) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(der(authority)?).map_err(|error| error.to_string())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| error.to_string())?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(serving);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn der(pem: &str) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64.encode(certificate);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn unsigned(subject: &str, error: &rcgen::Error) -> IdentityError {
    IdentityError::Unsigned { subject: subject.to_owned(), problem: error.to_string() }
}
