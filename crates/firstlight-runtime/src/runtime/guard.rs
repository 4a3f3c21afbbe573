//! Is the pods' network still as it was made? Looked at every second while the engine runs: an outsider who removes the
//! bridge, its address, or a pod's end of it (fault row 44) finds them back, and says so in the engine's log.

use super::machine::Machine;
use crate::network::{Bridge, interface_name};
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often it is looked at: one message to the kernel, and one answer for each interface.
const EVERY: Duration = Duration::from_secs(1);

/// Looks until the engine's half of the runtime is gone.
pub(crate) async fn watch(machine: Weak<Machine>) {
    let mut bridge = machine.upgrade().map(|machine| machine.bridge.clone());
    loop {
        tokio::time::sleep(EVERY).await;
        let (Some(here), Some(known)) = (machine.upgrade(), bridge.clone()) else { return };
        match tokio::task::spawn_blocking(move || repair(&here, &known)).await {
            Ok(Ok(now)) => bridge = Some(now),
            Ok(Err(error)) => tracing::warn!(%error, "the pods' network is damaged and cannot be repaired yet"),
            Err(error) => tracing::error!(%error, "looking at the pods' network died"),
        }
    }
}

/// Makes the bridge what it should be, and plugs every sandbox into it that is not. The bridge as it is then.
fn repair(machine: &Arc<Machine>, known: &Bridge) -> io::Result<Bridge> {
    let bridge = Bridge::up(&machine.network)?;
    if bridge != *known {
        tracing::warn!(bridge = bridge.name, "somebody removed the pods' bridge: it is made anew");
    }
    let plugged = bridge.ports()?;
    let holders = machine.holders().into_iter().map(|(uid, attempt)| interface_name(&uid, attempt));
    let out: Vec<String> = holders.filter(|name| !plugged.contains(name)).collect();
    match bridge.rejoin(&out) {
        // A sandbox that is on its way in or out has no interface; one that lost it is its own pod's trouble.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(bridge),
        Err(error) => Err(error),
        Ok(()) => Ok(bridge),
    }
}
