//! What all pods of this engine share. Made once; the only thing that changes in it is who has which address.

use super::sealed;
use crate::container::cgroup::Cgroups;
use crate::container::seccomp::Filters;
use crate::images::Store;
use crate::layout::Layout;
use crate::network::{Addresses, Bridge, addresses::Exhausted};
use crate::{Allow, Config, Network};
use anyhow::Context;
use rustix::fd::OwnedFd;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::sync::OnceCell;

/// The shared part.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Where things are.
    pub(crate) layout: Layout,
    /// What manifests may ask for.
    pub(crate) allow: Allow,
    /// The pods' network.
    pub(crate) network: Network,
    /// Its bridge.
    pub(crate) bridge: Bridge,
    /// Images.
    pub(crate) store: Store,
    /// Control groups.
    pub(crate) cgroups: Cgroups,
    /// The cgroup above all pods of this engine.
    pub(crate) cgroup: String,
    /// Locked for the length of a table look-up; pods take and give back addresses from their own tasks.
    addresses: Mutex<Addresses>,
    /// System call filters.
    pub(crate) filters: Filters,
    program: Option<PathBuf>,
    sealed: OnceCell<OwnedFd>,
    _lock: File,
}

impl Machine {
    /// Looks at the machine.
    ///
    /// # Errors
    /// If it lacks what containers need.
    pub(crate) fn new(config: Config, lock: File, bridge: Bridge, store: Store) -> anyhow::Result<Machine> {
        let Config { data, run, images: _, registries: _, network, allow, toolbox: _, shim } = config;
        let data = fs::canonicalize(data)?;
        let run = fs::canonicalize(run)?;
        let digest = Sha256::digest(data.as_os_str().as_encoded_bytes());
        let name: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Ok(Machine {
            layout: Layout { data, run },
            allow,
            addresses: Mutex::new(Addresses::new(network.subnet)),
            network,
            bridge,
            store,
            cgroups: Cgroups::detect().context("looking for control groups")?,
            cgroup: format!("/firstlight/{name}"),
            filters: Filters::default(),
            program: shim,
            sealed: OnceCell::new(),
            _lock: lock,
        })
    }

    /// A pod's cgroup.
    pub(crate) fn pod_cgroup(&self, uid: &str) -> String {
        format!("{}/{uid}", self.cgroup)
    }

    /// An address for a sandbox; the same one if it is asked again.
    ///
    /// # Errors
    /// If there is none left.
    pub(crate) fn take_address(&self, uid: &str, attempt: u32) -> Result<Ipv4Addr, Exhausted> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).take(&holder(uid, attempt))
    }

    /// Notes the address that a surviving sandbox has.
    pub(crate) fn adopt_address(&self, uid: &str, attempt: u32, address: Ipv4Addr) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).adopt(address, &holder(uid, attempt));
    }

    /// Which sandboxes have an address: pod UID and generation.
    pub(crate) fn holders(&self) -> Vec<(String, u32)> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = |holder: &str| {
            let (uid, attempt) = holder.rsplit_once('/')?;
            Some((uid.to_owned(), attempt.parse().ok()?))
        };
        addresses.holders().filter_map(parts).collect()
    }

    /// Gives a sandbox's address back, once its network namespace is gone.
    pub(crate) fn release_address(&self, uid: &str, attempt: u32) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).release(&holder(uid, attempt));
    }

    /// The program that becomes a shim, as a descriptor nobody can write through.
    ///
    /// # Errors
    /// If it cannot be read or copied.
    pub(crate) async fn sealed(&self) -> io::Result<&OwnedFd> {
        let program = self.program.clone();
        self.sealed
            .get_or_try_init(|| async move {
                tokio::task::spawn_blocking(move || sealed::copy(program.as_deref())).await.map_err(io::Error::other)?
            })
            .await
    }
}

fn holder(uid: &str, attempt: u32) -> String {
    format!("{uid}/{attempt}")
}
