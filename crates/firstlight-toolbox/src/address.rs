//! Which addresses we talk to: everything but those that only lead to trouble (rule S22).
//!
//! Checked on the address itself, after the name was resolved and before the connection is made, so neither a
//! spelling nor a name server can lead around it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is never contacted, or `None` if it may be.
///
/// The well-known addresses at which clouds hand credentials to whoever asks are either link-local or listed here:
/// Alibaba's 100.100.100.200, Azure's 168.63.129.16, and `fd00:ec2::254` of AWS.
pub fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => forbidden_v4(v4),
            None => forbidden_v6(v6),
        },
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    const METADATA: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
    if address.is_link_local() {
        Some("a link-local address")
    } else if METADATA.contains(&address) {
        Some("a cloud's metadata address")
    } else if address.is_multicast() || address.is_broadcast() {
        Some("no single host's address")
    } else {
        None
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    if address.is_unicast_link_local() {
        Some("a link-local address")
    } else if address == METADATA {
        Some("a cloud's metadata address")
    } else if address.is_multicast() {
        Some("no single host's address")
    } else {
        None
    }
}

/// The IPv4 address inside a mapped, compatible, 6to4 or NAT64 one: those are other spellings of it.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::forbidden;

    #[test]
    fn link_local_and_metadata_addresses_are_refused_in_every_spelling_s22() {
        let refused = [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ];
        for text in refused {
            assert!(forbidden(text.parse().expect(text)).is_some(), "{text}");
        }
    }

    #[test]
    fn pods_and_loopback_are_not() {
        for text in ["127.0.0.1", "10.0.0.7", "0.0.0.0", "::1", "::", "fd12::7", "192.168.1.1", "100.64.0.1"] {
            assert_eq!(forbidden(text.parse().expect(text)), None, "{text}");
        }
    }
}
