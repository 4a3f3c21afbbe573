//! Which /24 is free on this host? Asked once, when an engine gets its data directory.

use super::bridge::addresses;
use super::netlink::Netlink;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::fmt;
use std::io;
use std::net::Ipv4Addr;

/// Where to look, in this order: private ranges (RFC 1918), first those that the defaults of Docker, podman,
/// kubeadm, k3s, libvirt and home routers leave alone; the others for hosts whose VPN claims all of `10.0.0.0/8`.
const RANGES: [Prefix; 3] = [
    Prefix { address: Ipv4Addr::new(10, 208, 0, 0), length: 12 },
    Prefix { address: Ipv4Addr::new(172, 28, 0, 0), length: 14 },
    Prefix { address: Ipv4Addr::new(192, 168, 128, 0), length: 17 },
];

/// An address and how many leading bits of it name the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) address: Ipv4Addr,
    pub(super) length: u8,
}

impl Prefix {
    pub(super) fn overlaps(&self, other: &Prefix) -> bool {
        let shorter = Prefix::mask(self.length.min(other.length));
        self.address.to_bits() & shorter == other.address.to_bits() & shorter
    }

    /// The network's last address: its broadcast address.
    pub(super) fn last(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !Prefix::mask(self.length))
    }

    fn mask(length: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// The first three octets of a /24 that no address and no route of this host touches. Different seeds begin to look
/// in different places, so that engines which start at the same moment do not meet.
///
/// # Errors
/// If no private subnet is free, or the kernel refuses to list its routes.
pub fn choose_subnet(seed: u64) -> io::Result<[u8; 3]> {
    let mut netlink = Netlink::open()?;
    let mut used: Vec<Prefix> = addresses(&mut netlink)?.into_iter().map(|held| held.prefix).collect();
    used.extend(routes(&mut netlink)?);
    first_free(seed, &used).ok_or_else(|| {
        let message = "network.subnet: every private /24 touches a route or address of this host; name one to use";
        io::Error::new(io::ErrorKind::AddrNotAvailable, message)
    })
}

fn first_free(seed: u64, used: &[Prefix]) -> Option<[u8; 3]> {
    RANGES.iter().find_map(|range| {
        let count = 1u64 << (24 - range.length);
        (0..count).find_map(|step| {
            let number = (seed.wrapping_add(step) % count) as u32;
            let address = Ipv4Addr::from_bits(range.address.to_bits() | number << 8);
            let candidate = Prefix { address, length: 24 };
            let [a, b, c, _] = address.octets();
            (!used.iter().any(|prefix| prefix.overlaps(&candidate))).then_some([a, b, c])
        })
    })
}

/// Destinations of this host's IPv4 routes, of all tables, without the default routes.
fn routes(netlink: &mut Netlink) -> io::Result<Vec<Prefix>> {
    let mut query = RouteMessage::default();
    query.header.address_family = AddressFamily::Inet;
    let answers = netlink.dump(RouteNetlinkMessage::GetRoute(query))?;
    let destinations = answers.into_iter().filter_map(|answer| {
        let RouteNetlinkMessage::NewRoute(message) = answer else { return None };
        let length = message.header.destination_prefix_length;
        message.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) if length > 0 => {
                Some(Prefix { address: *address, length })
            }
            _ => None,
        })
    });
    Ok(destinations.collect())
}

#[cfg(test)]
mod tests;
