//! How is one pod plugged into the bridge? Asked by the pod's shim, from inside the pod's new network namespace.

use super::bridge::{add_address, set_up};
use super::netlink::Netlink;
use super::subnet::Prefix;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

/// What every host end's name begins with.
pub(super) const PREFIX: &str = "fl";
/// The pod's interface, as Kubernetes users expect it.
const POD_END: &str = "eth0";
/// The loopback's index in every network namespace.
const LOOPBACK: u32 = 1;

/// A pod's place on the bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The bridge's name.
    pub bridge: String,
    /// The host end's name, from [`interface_name`].
    pub name: String,
    /// The pod's address, one of a /24.
    pub address: Ipv4Addr,
    /// Where everything beyond the subnet goes: the bridge.
    pub gateway: Ipv4Addr,
}

/// The host end's name of a sandbox: `fl` and 13 hexadecimal digits of a digest of the pod's UID and the sandbox's
/// generation. Anybody who knows the pod can find its interface, and two generations never meet on one name while
/// the kernel still takes the older one down.
#[must_use]
pub fn interface_name(uid: &str, attempt: u32) -> String {
    let digest = Sha256::digest(format!("{uid}/{attempt}"));
    let hex: String = digest.iter().take(7).map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{}", &hex[..13])
}

/// Plugs the calling thread's network namespace into the bridge: makes the veth pair with one end born here as
/// `eth0` and the other on the bridge, sets both and `lo` up, gives `eth0` its address and the default route.
///
/// `host` was opened in the host's network namespace before the caller unshared its own. A host end of the same name
/// is what an earlier try left: it is removed first.
///
/// # Errors
/// If the bridge is gone (`NotFound`), or the kernel refuses. Whatever was made goes with the pod's namespace.
pub fn attach(host: &mut Netlink, port: &Port) -> io::Result<()> {
    let Some(bridge) = host.link(&port.bridge)? else {
        let message = format!("bridge {} is gone; restart the engine to have it back", port.bridge);
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    };
    let here = File::open("/proc/thread-self/ns/net")?;
    match host.change(veth(port, bridge.index, &here), NLM_F_CREATE | NLM_F_EXCL) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            detach(host, &port.name)?;
            host.change(veth(port, bridge.index, &here), NLM_F_CREATE | NLM_F_EXCL)?;
        }
        other => other?,
    }
    let mut pod = Netlink::open()?;
    set_up(&mut pod, LOOPBACK)?;
    let end = pod.link(POD_END)?.ok_or_else(|| io::Error::other("eth0 vanished while it was being set up"))?;
    set_up(&mut pod, end.index)?;
    add_address(&mut pod, end.index, Prefix { address: port.address, length: 24 })?;
    pod.change(default_route(port.gateway, end.index), NLM_F_CREATE | NLM_F_EXCL)
}

/// Removes the host end of this name, and with it the pair; no error if it is gone.
///
/// This waits some 36 ms for the kernel: a pod's normal end is to drop its namespace instead. It is for leftovers.
///
/// # Errors
/// If the kernel refuses.
pub fn detach(host: &mut Netlink, name: &str) -> io::Result<()> {
    match host.link(name)? {
        Some(link) => host.delete(link.index),
        None => Ok(()),
    }
}

/// A hardware address that follows from the IPv4 address, as the reference CNI bridge plugin makes them: whoever gets
/// a released address also gets its hardware address, so no neighbour table is ever wrong.
pub(super) fn hardware_address(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x0a, 0x58, a, b, c, d]
}

/// One message makes both ends, and enslaves and sets up the host's. The peer cannot be set up in it: the kernel
/// configures it before the two are joined (`veth_open` answers `ENOTCONN`).
fn veth(port: &Port, bridge: u32, pod: &File) -> RouteNetlinkMessage {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(POD_END.to_owned()),
        LinkAttribute::Address(hardware_address(port.address).to_vec()),
        LinkAttribute::NetNsFd(pod.as_raw_fd()),
    ];
    let mut end = LinkMessage::default();
    end.header.flags = LinkFlags::Up;
    end.header.change_mask = LinkFlags::Up;
    end.attributes = vec![
        LinkAttribute::IfName(port.name.clone()),
        LinkAttribute::Controller(bridge),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    RouteNetlinkMessage::NewLink(end)
}

fn default_route(gateway: Ipv4Addr, index: u32) -> RouteNetlinkMessage {
    let mut route = RouteMessage::default();
    route.header = RouteHeader {
        address_family: AddressFamily::Inet,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Boot,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    route.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(gateway)), RouteAttribute::Oif(index)];
    RouteNetlinkMessage::NewRoute(route)
}

#[cfg(test)]
mod tests;
