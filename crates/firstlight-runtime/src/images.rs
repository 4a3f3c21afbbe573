//! Which image does a reference mean, and where are its layers? Asked by the engine before it creates a container.

use crate::{Allow, Registries};
use firstlight_pod::Millis;
use firstlight_pod::event::ImageFailure;
use firstlight_pod::spec::PullPolicy;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The images of this machine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {}

/// An image that is here, ready to be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Digest of its configuration: `sha256:...`. Two references with one id are one image.
    pub id: String,
    /// The reference in full, as containerd writes it: `docker.io/library/nginx:latest`.
    pub reference: String,
    /// Directories to stack as overlay `lowerdir`s, the topmost first; never empty. They are shared and must never be
    /// written to.
    pub layers: Vec<PathBuf>,
    /// Absolute paths that a container must not see: to be covered by an empty read-only tmpfs (directories) or
    /// `/dev/null` (files). Empty for all images but `firstlight.local/host`. Paths that do not exist are left out.
    pub masks: Vec<PathBuf>,
    /// What the image says about running it.
    pub config: ImageConfig,
    /// How long the pull took and how many bytes the image has (compressed, as the registry counts); `None` if nothing
    /// was fetched.
    pub pulled: Option<(Millis, u64)>,
}

/// The part of an image's configuration that running it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageConfig {
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub cmd: Vec<String>,
    /// `ENV`, in order.
    pub env: Vec<(String, String)>,
    /// `USER` as written: `name`, `uid`, `name:group`, `uid:gid`; empty for root.
    pub user: String,
    /// `WORKDIR`; empty for `/`.
    pub working_dir: String,
    /// `STOPSIGNAL` as written: `SIGQUIT`, `QUIT` or `3`; `None` for SIGTERM.
    pub stop_signal: Option<String>,
}

/// Why an image is not to be had: what [`firstlight_pod::Event::ImageFailed`] carries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// Which kind of failure.
    pub failure: ImageFailure,
    /// The cause, in the kubelet's and containerd's words where they have them; never with a credential in it.
    pub message: String,
}

impl Store {
    /// Opens the store in `dir` (made 0700 if missing), and removes what a killed pull left there. `toolbox` is the
    /// static binary served as `firstlight.local/toolbox`. Several engines may share one directory.
    ///
    /// # Errors
    /// If the directory cannot be used, or the toolbox cannot be read.
    pub fn open(dir: &Path, registries: &Registries, allow: Allow, toolbox: Option<&Path>) -> io::Result<Store> {
        let _ = (dir, registries, allow, toolbox);
        Ok(Store { inner: Arc::new(Inner {}) })
    }

    /// Has the image here, as `policy` says. `credentials` are `.dockerconfigjson` contents in order; only an entry for
    /// the exact registry host is ever sent, and only to it (S31). Concurrent calls for one image share one download.
    ///
    /// # Errors
    /// [`Unavailable`].
    #[expect(clippy::unused_async, reason = "the signature comes before the pull")]
    pub async fn ensure(
        &self,
        reference: &str,
        policy: PullPolicy,
        credentials: &[Vec<u8>],
    ) -> Result<Image, Unavailable> {
        let _ = (&self.inner, policy, credentials);
        Err(Unavailable {
            failure: ImageFailure::Pull,
            message: format!("failed to pull {reference}: pulls come next"),
        })
    }

    /// The image this reference means, if it is here: no network, a few file reads. For containers created ahead. A
    /// policy of `Always` must not be answered from this without asking [`Store::ensure`] first.
    #[must_use]
    pub fn local(&self, reference: &str) -> Option<Image> {
        let _ = reference;
        None
    }
}
