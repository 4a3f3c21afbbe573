//! What of the past may go (KRE-8)? Asked by whoever finds it on the machine; what lives is never among it.
//!
//! One instance that ended is kept of each container, for `kubectl logs --previous` (KRE-9), and the newest sandbox of each
//! pod, because its journal tells what is done. Writable layers and cgroups go with the end of their container, all else with
//! its pod.

use std::collections::BTreeSet;

/// How many instances that ended are kept of a container.
const KEPT: usize = 1;

/// Of the instances of one container that left something, those whose remains may go. `newest` is the one that runs, or
/// ended last; it stays, and so does whatever is newer than it.
#[must_use]
pub fn instances(found: &BTreeSet<u32>, newest: u32) -> BTreeSet<u32> {
    let older = found.range(..newest).rev();
    older.skip(KEPT).copied().collect()
}

/// Of the sandboxes of one pod that left something, those that may go: all but the newest, and the one that is up.
#[must_use]
pub fn sandboxes(found: &BTreeSet<u32>, up: Option<u32>) -> BTreeSet<u32> {
    let newest = found.last().copied();
    found.iter().copied().filter(|attempt| Some(*attempt) != newest && Some(*attempt) != up).collect()
}

/// Of the pods that left logs, by UID, those whose logs may go: those that are not there any more.
#[must_use]
pub fn logs<'a>(found: impl IntoIterator<Item = &'a str>, pods: &BTreeSet<&str>) -> Vec<&'a str> {
    found.into_iter().filter(|uid| !pods.contains(uid)).collect()
}

#[cfg(test)]
mod tests;
