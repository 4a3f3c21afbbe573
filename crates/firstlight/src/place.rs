//! Where an engine keeps things, and what it is called on this machine: all derived from its data directory.

use crate::builder::Builder;
use anyhow::{Context, Result};
use firstlight_runtime::network::choose_subnet;
use firstlight_runtime::{Config, Network};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The DNS domain of the cluster.
pub(crate) const DOMAIN: &str = "cluster.local";

/// Where things are.
pub(crate) struct Place {
    /// Objects.
    pub(crate) store: PathBuf,
    /// Certificates.
    pub(crate) pki: PathBuf,
    /// Pods: volumes, logs, journals.
    pub(crate) pods: PathBuf,
    /// What need not survive a reboot.
    pub(crate) run: PathBuf,
    /// The API's last port.
    pub(crate) port: PathBuf,
    network: PathBuf,
    seed: u64,
}

impl Place {
    /// Makes the directories of an engine, 0700.
    pub(crate) fn make(data_dir: &Path) -> Result<Place> {
        private(data_dir)?;
        let data_dir = data_dir.canonicalize().with_context(|| data_dir.display().to_string())?;
        let mut hasher = DefaultHasher::new();
        data_dir.hash(&mut hasher);
        let seed = hasher.finish();
        let place = Place {
            store: data_dir.join("store"),
            pki: data_dir.join("pki"),
            pods: data_dir.join("runtime"),
            run: PathBuf::from(format!("/run/firstlight/{seed:016x}")),
            port: data_dir.join("port"),
            network: data_dir.join("subnet"),
            seed,
        };
        for directory in [&place.store, &place.pods, Path::new("/run/firstlight"), &place.run] {
            private(directory)?;
        }
        Ok(place)
    }

    /// What the runtime is told.
    pub(crate) fn runtime(&self, settings: &Builder, network: Network) -> Config {
        Config {
            data: self.pods.clone(),
            run: self.run.clone(),
            images: settings.image_dir.clone(),
            registries: settings.registries.clone(),
            network,
            allow: settings.allow,
            toolbox: settings.toolbox.clone(),
            shim: None,
        }
    }

    /// The engine's network: its bridge and subnet, the same again after a restart, because pods that went on have
    /// addresses in it.
    pub(crate) fn network(&self) -> Result<Network> {
        let subnet = match std::fs::read_to_string(&self.network).ok().and_then(|text| parse(&text)) {
            Some(subnet) => subnet,
            None => {
                let subnet = choose_subnet(self.seed).context("no free subnet for the pods")?;
                let [a, b, c] = subnet;
                std::fs::write(&self.network, format!("{a}.{b}.{c}"))?;
                subnet
            }
        };
        // The subnet is in the name: a directory that was removed and begins anew, with another subnet, does not meet
        // the bridge of its earlier life.
        let [_, b, c] = subnet;
        let bridge = format!("fl{:06x}{b:02x}{c:02x}", self.seed & 0xff_ffff);
        Ok(Network { bridge, subnet, domain: DOMAIN.to_owned() })
    }
}

fn parse(text: &str) -> Option<[u8; 3]> {
    let parts: Vec<u8> = text.trim().split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    parts.try_into().ok()
}

fn private(directory: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(directory)
        .with_context(|| format!("{}: cannot make it; run as root or name another --data-dir", directory.display()))
}
