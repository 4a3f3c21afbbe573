//! From a host and port to a connection: all addresses are tried, none that we never talk to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::address::forbidden;
use crate::miss::{Kind, Miss};
use crate::names::Names;
use crate::url::Host;

/// The head start an address has over the next one (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Enough for every real Service; a name server that sends thousands does not make us knock at each.
const MOST_ADDRESSES: usize = 16;

/// Connects to the first address that answers.
pub async fn connect(names: &Names, host: &Host, port: u16, link_local: bool) -> Result<TcpStream, Miss> {
    let addresses = allowed(names.addresses(host).await?, link_local)?;
    let mut tries = JoinSet::new();
    let mut rest = interleave(addresses).into_iter();
    let mut last = None;
    loop {
        match rest.next() {
            Some(address) => {
                tries.spawn(async move { TcpStream::connect(SocketAddr::new(address, port)).await });
            }
            None if tries.is_empty() => break,
            None => {}
        }
        let first_result = tries.join_next();
        let result = if rest.len() == 0 {
            first_result.await
        } else {
            match tokio::time::timeout(HEAD_START, first_result).await {
                Ok(result) => result,
                Err(_) => continue,
            }
        };
        match result {
            Some(Ok(Ok(stream))) => {
                let _slower_is_fine = stream.set_nodelay(true);
                return Ok(stream);
            }
            Some(Ok(Err(error))) => last = Some(Miss::socket(&error)),
            Some(Err(_)) | None => {}
        }
    }
    Err(last.unwrap_or_else(|| Miss::retry(Kind::Unreachable, "no address could be tried")))
}

fn allowed(addresses: Vec<IpAddr>, link_local: bool) -> Result<Vec<IpAddr>, Miss> {
    let mut refused = None;
    let allowed: Vec<IpAddr> = addresses
        .into_iter()
        .filter(|address| match forbidden(*address) {
            Some(why) if !link_local => {
                refused = Some(Miss::fatal(Kind::Forbidden, format!("{address} is {why}, which is never contacted")));
                false
            }
            Some(_) | None => true,
        })
        .collect();
    match (allowed.is_empty(), refused) {
        (true, Some(refused)) => Err(refused),
        (true | false, _) => Ok(allowed),
    }
}

/// IPv6 and IPv4 by turns, so that one broken family costs one head start only.
fn interleave(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(v4.next());
        all.extend(v6.next());
        if all.len() == before || all.len() >= MOST_ADDRESSES {
            return all;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|text| text.parse().expect(text)).collect() };
        let mixed = parse(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"]);
        assert_eq!(interleave(mixed), parse(&["10.0.0.1", "fd00::1", "10.0.0.2", "10.0.0.3"]));
        assert_eq!(interleave(Vec::new()), Vec::<IpAddr>::new());
    }

    #[test]
    fn a_name_with_one_forbidden_address_keeps_the_others_s22() {
        let mixed: Vec<IpAddr> = ["169.254.169.254", "10.0.0.1"].map(|text| text.parse().expect(text)).to_vec();
        assert_eq!(allowed(mixed.clone(), false).expect("one is left"), mixed[1..]);
        let only = mixed[..1].to_vec();
        assert_eq!(allowed(only.clone(), false).expect_err("none is left").kind, Kind::Forbidden);
        assert_eq!(allowed(only.clone(), true).expect("asked for"), only);
    }
}
