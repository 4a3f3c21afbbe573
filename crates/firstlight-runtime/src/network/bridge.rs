//! Is this engine's bridge there, with its address, and up? Asked by the engine at start, at recovery and when it
//! goes down for good.

use super::netlink::{Link, Netlink};
use super::subnet::Prefix;
use crate::Network;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// The longest interface name the kernel takes (`IFNAMSIZ` without its end mark).
const NAME_MAX: usize = 15;

/// The engine's bridge, up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// Its own address, `.1`: the pods' gateway, DNS server, and `hostIP`.
    pub address: Ipv4Addr,
    index: u32,
}

impl Network {
    /// The bridge's own address, `.1` of the subnet.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, 1)
    }
}

impl Bridge {
    /// Makes the bridge, gives it its address and sets it up; repairs whatever of that is missing, so that calling
    /// it again is how an outsider's damage is healed (fault row 44).
    ///
    /// # Errors
    /// If the name is taken by something that is not a bridge, if the bridge carries another IPv4 address (then it
    /// is somebody else's: nothing is taken from it), if another interface already has an address in the subnet
    /// (`AddrInUse`: choose another), or if the kernel refuses.
    pub fn up(network: &Network) -> io::Result<Bridge> {
        let Network { bridge: name, subnet: _, domain: _ } = network;
        if name.is_empty() || name.len() > NAME_MAX || name.contains(['/', ' ', ':']) {
            let message = format!("network.bridge: {name:?} is not an interface name of 1 to {NAME_MAX} characters");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let address = network.gateway();
        let mut netlink = Netlink::open()?;
        let link = match netlink.link(name)? {
            Some(link) => link,
            None => create(&mut netlink, name, address)?,
        };
        if !link.is_bridge {
            let message =
                format!("network.bridge: an interface named {name} exists and is not a bridge; use another name");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        give_address(&mut netlink, &link, address)?;
        if !link.is_up {
            set_up(&mut netlink, link.index)?;
        }
        Ok(Bridge { name: name.clone(), address, index: link.index })
    }

    /// Removes the bridge and whatever ports of ours are left on it. A bridge that is gone, or that does not carry
    /// this network's address, is left alone.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn down(network: &Network) -> io::Result<()> {
        let mut netlink = Netlink::open()?;
        let Some(link) = netlink.link(&network.bridge)? else { return Ok(()) };
        let ours = addresses(&mut netlink)?
            .iter()
            .any(|held| held.index == link.index && held.prefix.address == network.gateway());
        if !link.is_bridge || !ours {
            return Ok(());
        }
        for port in netlink.links()? {
            if port.master == Some(link.index) && port.name.starts_with(super::port::PREFIX) {
                netlink.delete(port.index)?;
            }
        }
        netlink.delete(link.index)
    }

    /// Plugs the host ends of live pods back in, after somebody removed the bridge or took them off it (fault row 44).
    /// Those that are plugged in already are left alone.
    ///
    /// # Errors
    /// `NotFound` with the first name that is gone: that pod's network cannot be repaired from outside. The others are
    /// plugged in all the same.
    pub fn rejoin(&self, names: &[String]) -> io::Result<()> {
        let mut netlink = Netlink::open()?;
        let mut gone = None;
        for name in names {
            match netlink.link(name)? {
                Some(link) if link.master == Some(self.index) && link.is_up => {}
                Some(link) => enslave(&mut netlink, link.index, self.index)?,
                None => gone = gone.or(Some(name)),
            }
        }
        match gone {
            None => Ok(()),
            Some(name) => Err(io::Error::new(io::ErrorKind::NotFound, format!("interface {name} is gone"))),
        }
    }

    /// Names of the bridge's ports: the host ends of the pods that are attached. Compared with the names that live
    /// sandboxes would have ([`super::interface_name`]), it shows leftovers.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn ports(&self) -> io::Result<Vec<String>> {
        let links = Netlink::open()?.links()?;
        Ok(links.into_iter().filter(|link| link.master == Some(self.index)).map(|link| link.name).collect())
    }
}

fn create(netlink: &mut Netlink, name: &str, address: Ipv4Addr) -> io::Result<Link> {
    let mut bridge = LinkMessage::default();
    bridge.header.flags = LinkFlags::Up;
    bridge.header.change_mask = LinkFlags::Up;
    bridge.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        // A bridge without an address of its own borrows the lowest of its ports', and changes it as pods come and
        // go; peers then talk to a dead address until their neighbour tables expire.
        LinkAttribute::Address(super::port::hardware_address(address).to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    match netlink.change(RouteNetlinkMessage::NewLink(bridge), NLM_F_CREATE | NLM_F_EXCL) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    netlink.link(name)?.ok_or_else(|| io::Error::other(format!("bridge {name} vanished while it was being made")))
}

fn give_address(netlink: &mut Netlink, link: &Link, address: Ipv4Addr) -> io::Result<()> {
    let wanted = Prefix { address, length: 24 };
    let all = addresses(netlink)?;
    let (mine, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|held| held.index == link.index);
    if let Some(foreign) = mine.iter().find(|held| held.prefix != wanted) {
        let message = format!(
            "network.bridge: bridge {} carries {}, so it belongs to something else; use another name",
            link.name, foreign.prefix
        );
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    if let Some(taken) = others.iter().find(|held| held.prefix.overlaps(&wanted)) {
        let message =
            format!("network.subnet: {wanted} overlaps {} of another interface; use another subnet", taken.prefix);
        return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
    }
    if mine.is_empty() {
        add_address(netlink, link.index, wanted)?;
    }
    Ok(())
}

pub(super) fn add_address(netlink: &mut Netlink, index: u32, prefix: Prefix) -> io::Result<()> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = prefix.length;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(IpAddr::V4(prefix.address)),
        AddressAttribute::Address(IpAddr::V4(prefix.address)),
        AddressAttribute::Broadcast(prefix.last()),
    ];
    match netlink.change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

pub(super) fn set_up(netlink: &mut Netlink, index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    netlink.change(RouteNetlinkMessage::SetLink(message), 0)
}

fn enslave(netlink: &mut Netlink, index: u32, bridge: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes.push(LinkAttribute::Controller(bridge));
    netlink.change(RouteNetlinkMessage::SetLink(message), 0)
}

/// An IPv4 address of this namespace.
pub(super) struct Held {
    pub(super) index: u32,
    pub(super) prefix: Prefix,
}

pub(super) fn addresses(netlink: &mut Netlink) -> io::Result<Vec<Held>> {
    let mut query = AddressMessage::default();
    query.header.family = AddressFamily::Inet;
    let answers = netlink.dump(RouteNetlinkMessage::GetAddress(query))?;
    let held = answers.into_iter().filter_map(|answer| {
        let RouteNetlinkMessage::NewAddress(message) = answer else { return None };
        let address = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
            _ => None,
        })?;
        Some(Held { index: message.header.index, prefix: Prefix { address, length: message.header.prefix_len } })
    });
    Ok(held.collect())
}
