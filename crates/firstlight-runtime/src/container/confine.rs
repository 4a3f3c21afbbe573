//! Giving up powers: what stands between a process in a container and its program (decision 5a, S15).
//!
//! The same steps in the same order for a container's first process and for those run by `exec`: the container
//! library sets up where a process lives, and what it may do there is decided here.

use super::capabilities;
use super::user::User;
use crate::wire::Order;
use anyhow::Context;
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use std::path::Path;

/// Who a container's processes are, as its creator found out.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// User, groups, home.
    pub(crate) user: User,
    /// Capabilities, with `CAP_`.
    pub(crate) capabilities: Vec<String>,
}

/// Makes the calling process what a process of this container may be: working directory, user, groups, capability
/// sets, no-new-privileges and filter. To be called in the container's namespaces, by a process that will become
/// the program next.
///
/// # Errors
/// Whatever is refused; the process must then not become anything (E9).
pub(crate) fn confine(order: &Order, identity: &Identity) -> anyhow::Result<()> {
    let load = |when: bool| match &order.filter {
        Some(filter) if when => filter.load(),
        _ => Ok(()),
    };
    let refused = std::env::set_current_dir(&order.cwd);
    if order.no_new_privs {
        set_no_new_privs(true).context("no new privileges")?;
    }
    become_user(&identity.user).context("becoming the container's user")?;
    if refused.is_err() {
        // A directory that root may not enter may be one that the user may (a network filesystem).
        std::env::set_current_dir(&order.cwd).with_context(|| format!("working directory {}", order.cwd))?;
    }
    verify_cwd()?;
    // Loading a filter takes CAP_SYS_ADMIN or no-new-privileges: before the one goes, or after the other came.
    load(!order.no_new_privs).context("system call filter")?;
    keep_only(&identity.capabilities).context("capabilities")?;
    load(order.no_new_privs).context("system call filter")
}

/// Makes the calling process nobody at all: no groups but this one, no capability, none to be gained.
///
/// # Errors
/// Whatever is refused.
pub(crate) fn become_nobody(id: u32) -> anyhow::Result<()> {
    set_no_new_privs(true)?;
    become_user(&User { uid: id, gid: id, groups: Vec::new(), home: "/".to_owned() })?;
    keep_only(&[])?;
    Ok(())
}

fn become_user(user: &User) -> rustix::io::Result<()> {
    let groups: Vec<Gid> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_thread_groups(&groups)?;
    set_keep_capabilities(true)?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    set_keep_capabilities(false)?;
    // Leaving uid 0 empties the effective set; it is needed until the last step.
    let sets = rustix::thread::capabilities(None)?;
    set_capabilities(None, CapabilitySets { effective: sets.permitted, ..sets })
}

/// A directory outside the container's root reads as `(unreachable)...` (CVE-2024-21626).
fn verify_cwd() -> anyhow::Result<()> {
    let cwd = rustix::process::getcwd(Vec::new()).context("working directory")?;
    let inside = cwd.to_bytes().first() == Some(&b'/') && Path::new("/").exists();
    anyhow::ensure!(inside, "the working directory is outside the container's root");
    Ok(())
}

fn keep_only(names: &[String]) -> rustix::io::Result<()> {
    let kept = names.iter().filter_map(|name| capabilities::bit(name)).fold(0, |all, bit| all | bit);
    let own = rustix::thread::capabilities(None)?;
    for bit in (0..u64::BITS).map(|n| 1_u64 << n) {
        let capability = CapabilitySet::from_bits_retain(bit);
        if kept & bit == 0 && rustix::thread::capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability)?;
        }
    }
    clear_ambient_capability_set()?;
    let set = CapabilitySet::from_bits_retain(kept & own.permitted.bits());
    set_capabilities(None, CapabilitySets { effective: set, permitted: set, inheritable: CapabilitySet::empty() })
}
