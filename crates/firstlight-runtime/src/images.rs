//! Which image does a reference mean, and where are its layers? Asked by the engine before it creates a container, and
//! by `firstlight image import`.
//!
//! ```text
//! ensure(reference) ─┬─ firstlight.local/…  builtin.rs     made here
//!                    ├─ localhost/…         catalog.rs     imported, or not at all
//!                    └─ anything else       pull.rs ◄─ registry.rs, mirrors first
//!                                             │
//!                       layers.rs ◄───────────┘            one directory per unpacked layer, shared
//! ```
//!
//! An image is untrusted input from its first byte to its last: see `unpack.rs` for layers, `manifest.rs` for documents,
//! `registry.rs` for the network.

mod archive;
mod builtin;
mod catalog;
mod credentials;
mod digest;
mod flights;
mod layers;
mod manifest;
mod program;
mod pull;
mod reference;
mod registry;
mod unpack;

use crate::{Allow, Config, Registries};
use builtin::Builtin;
use catalog::Catalog;
use credentials::Keyring;
use digest::Digest;
use firstlight_pod::Millis;
use firstlight_pod::event::ImageFailure;
use firstlight_pod::spec::PullPolicy;
use flights::Flights;
use layers::Layers;
use reference::Reference;
use registry::Registry;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Pulls at the same time, if nobody says how many. The kubelet makes one at a time by default (IMG-11), so that one slow registry holds up all;
/// without any bound a few hundred would use up the threads that unpack.
const PULLS_AT_ONCE: usize = 8;
/// The registry name of images that never leave this machine.
const LOCAL: &str = "localhost";

/// The images of this machine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
    flights: Arc<Flights>,
}

#[derive(Debug)]
struct Inner {
    layers: Layers,
    catalog: Catalog,
    builtin: Builtin,
    registry: Registry,
    turn: Semaphore,
}

/// An image that is here, ready to be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Digest of its configuration: `sha256:...`. Two references with one id are one image.
    pub id: String,
    /// The reference in full, as containerd writes it: `docker.io/library/nginx:latest`.
    pub reference: String,
    /// Directories to stack as overlay `lowerdir`s, the topmost first; never empty, none twice. They are shared and
    /// must never be written to.
    pub layers: Vec<PathBuf>,
    /// Absolute paths that a container must not see: a directory is to be shown empty, with its own mode (`/tmp` is
    /// one), a file not at all. Empty for all images but `firstlight.local/host`.
    pub masks: Vec<PathBuf>,
    /// What the image says about running it.
    pub config: ImageConfig,
    /// How long the pull took and how many bytes the image has (compressed, as the registry counts); `None` if no
    /// registry was asked.
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
    /// `WORKDIR`: absolute, without `..`; empty for `/`.
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

impl Unavailable {
    fn new(failure: ImageFailure, message: impl Into<String>) -> Unavailable {
        Unavailable { failure, message: message.into() }
    }
}

impl Store {
    /// Opens the store of an engine: in `config.images`, with its registries, powers and toolbox, its own directories
    /// hidden from the host image.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn of(config: &Config) -> io::Result<Store> {
        let Config { data, run, images, registries, network: _, allow, toolbox, shim: _ } = config;
        let own = vec![data.clone(), run.clone(), images.clone()];
        Store::build(images, registries, Builtin::new(allow.host_image, own, toolbox.clone()))
    }

    /// Opens the store in `dir` (made 0700 if missing), and removes what a killed pull left there. `toolbox` is the
    /// static binary served as `firstlight.local/toolbox`. Several engines may share one directory.
    ///
    /// # Errors
    /// If the directory cannot be used, or a mirror is not one: which and why.
    pub fn open(dir: &Path, registries: &Registries, allow: Allow, toolbox: Option<&Path>) -> io::Result<Store> {
        Store::build(dir, registries, Builtin::new(allow.host_image, vec![dir.to_owned()], toolbox.map(Path::to_owned)))
    }

    fn build(dir: &Path, registries: &Registries, builtin: Builtin) -> io::Result<Store> {
        // Fails if it is done already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let (layers, catalog) = (Layers::open(dir)?, Catalog::open(dir)?);
        let at_once = registries.pulls_at_once.map_or(PULLS_AT_ONCE, std::num::NonZeroUsize::get);
        let (registry, turn) = (Registry::new(registries)?, Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)));
        let inner = Inner { layers, catalog, builtin, registry, turn };
        Ok(Store { inner: Arc::new(inner), flights: Arc::default() })
    }

    /// Has the image here, as `policy` says. `credentials` are `.dockerconfigjson` contents in order; only an entry for
    /// the exact registry host is ever sent, and only to it (S31). Concurrent calls for one image share one download
    /// (fault row 40).
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn ensure(
        &self,
        reference: &str,
        policy: PullPolicy,
        credentials: &[Vec<u8>],
    ) -> Result<Image, Unavailable> {
        let parsed = parse(reference)?;
        if let Some(made) = self.builtin(&parsed).await {
            return made;
        }
        let here = self.look_up(&parsed).await;
        if parsed.host == LOCAL {
            return here.and_then(|found| found.ok_or_else(|| absent_local(&parsed, reference, policy)));
        }
        match policy {
            PullPolicy::Never => here.and_then(|found| found.ok_or_else(|| never(reference))),
            PullPolicy::IfNotPresent => match here {
                Ok(Some(image)) => Ok(image),
                // What is unusable is fetched again.
                Ok(None) | Err(_) => self.pull(parsed, credentials).await,
            },
            PullPolicy::Always => self.pull(parsed, credentials).await,
        }
    }

    /// The image this reference means, if it is here: no network, a few file reads. For containers created ahead. A
    /// policy of `Always` must not be answered from this without asking [`Store::ensure`] first.
    #[must_use]
    pub fn local(&self, reference: &str) -> Option<Image> {
        let parsed = Reference::parse(reference).ok()?;
        let Inner { layers, catalog, builtin, registry: _, turn: _ } = &*self.inner;
        match builtin.find(layers, &parsed) {
            Some(made) => made.ok(),
            None => catalog.find(layers, &parsed).ok().flatten().map(|(_, image)| image),
        }
    }

    /// Takes an image from a file into the store, as `name`: an OCI layout (a directory or a tar) or an archive of
    /// `docker save`, compressed or not. Blocking.
    ///
    /// # Errors
    /// What is wrong with the name or the file.
    pub fn import(&self, name: &str, path: &Path) -> Result<Image, Unavailable> {
        let parsed = parse(name)?;
        let refused = |cause: String| {
            Unavailable::new(ImageFailure::Inspect, format!("cannot import {}: {cause}", path.display()))
        };
        if parsed.host == builtin::HOST {
            return Err(refused(format!("names under {} are made by the engine; use another name", builtin::HOST)));
        }
        let image = archive::import(&self.inner, &parsed, path).map_err(refused)?;
        self.inner.layers.sync().map_err(|e| refused(e.to_string()))?;
        Ok(image)
    }

    /// Every image that is here, by reference; those made by the engine are not listed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list(&self) -> io::Result<Vec<Image>> {
        let all = self.inner.catalog.all(&self.inner.layers)?;
        Ok(all.into_iter().map(|(_, image)| image).collect())
    }

    /// Forgets what `reference` means; whether it meant anything. Its layers stay, since pods may run on them.
    ///
    /// # Errors
    /// If the reference is none, or the store cannot be written.
    pub fn remove(&self, reference: &str) -> io::Result<bool> {
        let parsed = Reference::parse(reference).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        self.inner.catalog.remove(&parsed)
    }

    /// The toolbox is copied when first asked for, hence not on the caller's thread.
    async fn builtin(&self, reference: &Reference) -> Option<Result<Image, Unavailable>> {
        if reference.host != builtin::HOST {
            return None;
        }
        let (inner, reference) = (Arc::clone(&self.inner), reference.clone());
        let found = tokio::task::spawn_blocking(move || inner.builtin.find(&inner.layers, &reference)).await;
        let failed = |cause: String| Unavailable::new(ImageFailure::Pull, cause);
        match found {
            Ok(found) => found.map(|made| made.map_err(failed)),
            Err(panic) => Some(Err(failed(panic.to_string()))),
        }
    }

    async fn look_up(&self, reference: &Reference) -> Result<Option<Image>, Unavailable> {
        let (inner, reference) = (Arc::clone(&self.inner), reference.clone());
        let found = tokio::task::spawn_blocking(move || inner.catalog.find(&inner.layers, &reference)).await;
        let unusable =
            |cause: String| Unavailable::new(ImageFailure::Inspect, format!("failed to inspect image: {cause}"));
        match found {
            Ok(found) => found.map(|found| found.map(|(_, image)| image)).map_err(unusable),
            Err(panic) => Err(unusable(panic.to_string())),
        }
    }

    /// Joins the pull of this image that is under way with these credentials, or begins one.
    async fn pull(&self, reference: Reference, credentials: &[Vec<u8>]) -> Result<Image, Unavailable> {
        let failed = |cause: String| Unavailable::new(ImageFailure::Pull, cause);
        let keyring = Keyring::parse(credentials).map_err(failed)?;
        let key = (reference.to_string(), Digest::of(&credentials.join(&0)));
        let inner = Arc::clone(&self.inner);
        self.flights.join(key, || async move { pull_timed(inner, reference, keyring).await.map_err(failed) }).await
    }
}

async fn pull_timed(inner: Arc<Inner>, reference: Reference, keyring: Keyring) -> Result<Image, String> {
    let began = Instant::now();
    let turn = inner.turn.acquire().await.expect("the semaphore is never closed");
    let (image, size) = pull::pull(&inner, &reference, &keyring).await?;
    drop(turn);
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    // Nobody waits for the disk; a mark on each layer says so until it has them.
    tokio::task::spawn_blocking(move || {
        if let Err(error) = inner.layers.sync() {
            tracing::warn!(%error, "new layers are not on the disk yet; a power cut would have them fetched again");
        }
    });
    Ok(Image { pulled: Some((Millis(took), size)), ..image })
}

/// Refuses what is no reference in the kubelet's words (IMG-8).
fn parse(reference: &str) -> Result<Reference, Unavailable> {
    Reference::parse(reference).map_err(|e| {
        let message =
            format!("Failed to apply default image tag {reference:?}: couldn't parse image name {reference:?}: {e}");
        Unavailable::new(ImageFailure::InvalidName, message)
    })
}

/// IMG-2.
fn never(reference: &str) -> Unavailable {
    let message = format!("Container image {reference:?} is not present with pull policy of Never");
    Unavailable::new(ImageFailure::NeverPull, message)
}

fn absent_local(parsed: &Reference, reference: &str, policy: PullPolicy) -> Unavailable {
    match policy {
        PullPolicy::Never => never(reference),
        PullPolicy::Always | PullPolicy::IfNotPresent => Unavailable::new(
            ImageFailure::Pull,
            format!(
                "failed to resolve reference \"{parsed}\": images under {LOCAL}/ never leave this machine, and this one is not here; bring it with `firstlight image import`"
            ),
        ),
    }
}
