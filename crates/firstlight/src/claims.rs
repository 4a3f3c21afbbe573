//! What becomes of the directories of claims? One goes when its claim does, also if that happened while no engine ran.
//!
//! Who may let a claim go is decided by `firstlight-workloads`; where its directory is, by `firstlight-runtime`.

use firstlight_api::object::{resources, text};
use firstlight_runtime::volumes::{claimed, unclaim};
use firstlight_store::Store;
use std::collections::HashSet;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// Removes what no claim stands for any more, now and whenever a claim goes, until stopped.
pub(crate) async fn run(store: Store, data: PathBuf, stop: CancellationToken) {
    loop {
        let snapshot = store.snapshot();
        // History that is lost already is caught up with by looking again.
        let Ok(mut watch) = store.watch(resources::PERSISTENTVOLUMECLAIMS, None, snapshot.revision()) else { continue };
        let claims = snapshot.list(resources::PERSISTENTVOLUMECLAIMS, None).items;
        let bound = claims.iter().map(|claim| text(&claim.value, &["spec", "volumeName"]).to_owned()).collect();
        sweep(data.clone(), bound).await;
        loop {
            let Some(change) = stop.run_until_cancelled(watch.next()).await else { return };
            match change {
                Ok(change) if change.deleted => {
                    remove(data.clone(), text(&change.object.value, &["spec", "volumeName"]).to_owned()).await;
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
}

/// Removes every directory but these.
async fn sweep(data: PathBuf, bound: HashSet<String>) {
    let listed = claimed(&data).unwrap_or_else(|error| {
        tracing::warn!(%error, "looking for directories of claims");
        Vec::new()
    });
    for directory in listed.into_iter().filter(|directory| !bound.contains(directory)) {
        remove(data.clone(), directory).await;
    }
}

async fn remove(data: PathBuf, directory: String) {
    let removing = tokio::task::spawn_blocking(move || {
        if let Err(error) = unclaim(&data, &directory) {
            tracing::warn!(%error, directory, "removing the directory of a claim; the next engine tries again");
        }
    });
    if let Err(error) = removing.await {
        tracing::error!(%error, "removing the directory of a claim died");
    }
}
