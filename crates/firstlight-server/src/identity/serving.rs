//! Which certificate the server shows: the same to every connection, until it is renewed.

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::{Arc, PoisonError, RwLock};

/// The certificate that is shown now.
#[derive(Debug)]
pub(super) struct Serving {
    /// A lock because handshakes read it from any task; held for one look or one exchange.
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Serving {
    pub(super) fn new(first: CertifiedKey) -> Serving {
        Serving { shown: RwLock::new(Arc::new(first)) }
    }

    /// Shows another from now on.
    pub(super) fn show(&self, next: CertifiedKey) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)))
    }
}
