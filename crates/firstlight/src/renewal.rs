//! Keeps an engine that runs for long reachable: its certificates live a year and are renewed every month.

use firstlight_server::identity::{self, Identity, IdentityError};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often is looked. Much shorter than a month, because the time a machine sleeps does not count.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Renews the identity when it is due, and then the kubeconfig, until `stop`.
pub(crate) async fn run(mut identity: Identity, url: String, kubeconfig: PathBuf, stop: CancellationToken) {
    let mut written = true;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match identity.renew(Timestamp::now()) {
            Ok(renewed) => written &= !renewed,
            Err(error) => tracing::warn!(%error, "cannot renew the certificates; trying again tomorrow"),
        }
        if !written {
            match write(&identity, &url, &kubeconfig) {
                Ok(()) => written = true,
                Err(error) => tracing::warn!(%error, "cannot renew the kubeconfig; trying again tomorrow"),
            }
        }
    }
}

/// Writes the kubeconfig.
pub(crate) fn write(identity: &Identity, url: &str, kubeconfig: &Path) -> Result<(), IdentityError> {
    identity::write_kubeconfig(kubeconfig, &identity::kubeconfig(identity, url))
}
