//! Whom we trust: the bundled authorities, the system's, and those named by `--ca-file`.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::miss::{Kind, Miss};
use crate::url::Host;

/// A client's TLS settings.
pub fn settings(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let shown = path.display();
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| format!("--ca-file {shown}: {error}"))?;
        let mut added = 0;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| format!("--ca-file {shown}: {error}"))?;
            roots.add(certificate).map_err(|error| format!("--ca-file {shown}: {error}"))?;
            added += 1;
        }
        if added == 0 {
            return Err(format!("--ca-file {shown}: holds no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Encrypts a connection and checks who is at the other end.
pub async fn encrypt(
    settings: &Arc<ClientConfig>,
    host: &Host,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Miss> {
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| Miss::fatal(Kind::Tls, format!("{name} is no name a certificate can carry")))?,
        Host::Address(address) => ServerName::from(*address),
    };
    TlsConnector::from(Arc::clone(settings)).connect(name, stream).await.map_err(|error| explain(&error))
}

fn explain(error: &std::io::Error) -> Miss {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            Miss::fatal(Kind::Certificate, format!("the server's certificate is not trusted: {why}"))
        }
        Some(other) => Miss::retry(Kind::Tls, format!("no TLS session: {other}")),
        None => Miss::retry(Kind::Tls, format!("no TLS session: {error}")),
    }
}
