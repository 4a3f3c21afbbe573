//! Which addresses of the subnet are in use? Asked by the engine before it makes a sandbox. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The first host number given to pods; `.1` is the bridge.
const FIRST: u8 = 2;
/// The last one; `.255` is the subnet's broadcast address.
const LAST: u8 = 254;

/// The addresses of one /24 and who holds them.
///
/// The set is not stored: a restarted engine fills it by [`Addresses::adopt`] with what its live sandboxes hold.
/// A released address is given out again only after all others have been tried, so that a peer's stale knowledge
/// of it (DNS cache, neighbour table) has time to die.
#[derive(Debug, Clone)]
pub struct Addresses {
    subnet: [u8; 3],
    /// Host number to holder.
    taken: BTreeMap<u8, String>,
    /// Where the next search begins.
    next: u8,
}

/// Every address of the subnet is held by a pod (fault row 28).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no free address in {}.{}.{}.0/24: {held} pods hold all of them; delete a pod, or use another --data for a second network",
    subnet[0], subnet[1], subnet[2]
)]
pub struct Exhausted {
    /// The subnet.
    pub subnet: [u8; 3],
    /// How many addresses are held.
    pub held: usize,
}

impl Addresses {
    /// No address taken yet.
    #[must_use]
    pub fn new(subnet: [u8; 3]) -> Addresses {
        Addresses { subnet, taken: BTreeMap::new(), next: FIRST }
    }

    /// An address for `holder` (a sandbox: pod UID and generation). The same holder gets the same address.
    ///
    /// # Errors
    /// [`Exhausted`] if all 253 are held.
    pub fn take(&mut self, holder: &str) -> Result<Ipv4Addr, Exhausted> {
        if let Some((&host, _)) = self.taken.iter().find(|(_, h)| h.as_str() == holder) {
            return Ok(self.address(host));
        }
        let free = (self.next..=LAST).chain(FIRST..self.next).find(|host| !self.taken.contains_key(host));
        let host = free.ok_or(Exhausted { subnet: self.subnet, held: self.taken.len() })?;
        self.taken.insert(host, holder.to_owned());
        self.next = if host == LAST { FIRST } else { host + 1 };
        Ok(self.address(host))
    }

    /// Records what a live sandbox already holds, at recovery. An address outside the subnet is not ours to give
    /// out, hence ignored: the answer says whether it was recorded.
    pub fn adopt(&mut self, address: Ipv4Addr, holder: &str) -> bool {
        let [a, b, c, host] = address.octets();
        if [a, b, c] != self.subnet || !(FIRST..=LAST).contains(&host) {
            return false;
        }
        self.taken.insert(host, holder.to_owned());
        true
    }

    /// Gives back what `holder` held. Only to be called once the sandbox's network namespace is gone.
    pub fn release(&mut self, holder: &str) {
        self.taken.retain(|_, h| h != holder);
    }

    /// Who holds an address.
    pub fn holders(&self) -> impl Iterator<Item = &str> {
        self.taken.values().map(String::as_str)
    }

    fn address(&self, host: u8) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, host)
    }
}

#[cfg(test)]
mod tests;
