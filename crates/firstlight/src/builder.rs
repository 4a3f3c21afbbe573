//! What an engine can be told before it starts.

use crate::engine::Firstlight;
use firstlight_runtime::{Allow, Registries};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings of an engine; every one has a default but the data directory.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(crate) data_dir: PathBuf,
    pub(crate) image_dir: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) node_name: Option<String>,
    pub(crate) registries: Registries,
    pub(crate) allow: Allow,
    pub(crate) toolbox: Option<PathBuf>,
    pub(crate) max_backoff: Option<Duration>,
    pub(crate) reduced_backoff: bool,
    pub(crate) belongs_to_up: bool,
}

impl Builder {
    pub(crate) fn new(data_dir: &Path) -> Builder {
        Builder {
            data_dir: data_dir.to_owned(),
            image_dir: data_dir.join("images"),
            kubeconfig: data_dir.join("kubeconfig"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            node_name: None,
            registries: Registries::default(),
            allow: Allow::default(),
            toolbox: None,
            max_backoff: None,
            reduced_backoff: false,
            belongs_to_up: false,
        }
    }

    /// Where image layers are kept; engines of one machine may share it. Default: `images` in the data directory.
    #[must_use]
    pub fn image_dir(mut self, dir: &Path) -> Builder {
        dir.clone_into(&mut self.image_dir);
        self
    }

    /// Where the kubeconfig is written, mode 0600. Default: `kubeconfig` in the data directory.
    #[must_use]
    pub fn kubeconfig(mut self, file: &Path) -> Builder {
        file.clone_into(&mut self.kubeconfig);
        self
    }

    /// The API's address. Default: a free port on loopback, the same again after a restart where it is still free.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Builder {
        self.listen = address;
        self
    }

    /// The node's name. Default: this machine's host name.
    #[must_use]
    pub fn node_name(mut self, name: &str) -> Builder {
        self.node_name = Some(name.to_owned());
        self
    }

    /// Mirrors and plain-HTTP registries.
    #[must_use]
    pub fn registries(mut self, registries: Registries) -> Builder {
        self.registries = registries;
        self
    }

    /// Powers that manifests may ask for. Default: none.
    #[must_use]
    pub fn allow(mut self, allow: Allow) -> Builder {
        self.allow = allow;
        self
    }

    /// The static `fl` binary served as the image `firstlight.local/toolbox`.
    #[must_use]
    pub fn toolbox(mut self, binary: &Path) -> Builder {
        self.toolbox = Some(binary.to_owned());
        self
    }

    /// The longest crash back-off (BKF-9), 1 s to 300 s. Default: 300 s.
    #[must_use]
    pub fn max_backoff(mut self, limit: Duration) -> Builder {
        self.max_backoff = Some(limit);
        self
    }

    /// Crash back-off from 1 s to 60 s rather than from 10 s to 300 s (BKF-10); a lower [`Builder::max_backoff`] wins.
    #[must_use]
    pub fn reduced_backoff(mut self, yes: bool) -> Builder {
        self.reduced_backoff = yes;
        self
    }

    /// Marks the engine as started by `firstlight up`, so that `firstlight down` ends it.
    #[must_use]
    pub fn belongs_to_up(mut self, yes: bool) -> Builder {
        self.belongs_to_up = yes;
        self
    }

    /// Starts the engine: takes over what a predecessor left on the data directory, and serves.
    ///
    /// # Errors
    /// If another engine has the directory, or this machine refuses something the engine needs; the message says
    /// what and the way out.
    pub async fn start(self) -> anyhow::Result<Firstlight> {
        Firstlight::start(self).await
    }
}
