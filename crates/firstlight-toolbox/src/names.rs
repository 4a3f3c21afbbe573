//! From a name to addresses, by the pod's own configuration: `/etc/hosts` first and final, then the name servers of
//! `/etc/resolv.conf`, search list and `ndots` honoured.
//!
//! The C library is left out, so a static binary resolves the same way everywhere; nothing is cached, so a name that
//! appears is seen by the next try.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;

use crate::miss::{Kind, Miss};
use crate::url::{Host, LOOPBACK};

/// How long one name server may think; the whole try is bounded by its own limit.
const PER_SERVER: Duration = Duration::from_millis(900);

/// How long a name may take as a whole: shorter than a try, so that silence of the name servers and silence of the
/// target read differently.
const PER_NAME: Duration = Duration::from_millis(1200);

/// How long the other address family may take once one has answered (RFC 8305 section 3): some name servers never
/// answer for a family they do not know.
const OTHER_FAMILY: Duration = Duration::from_millis(50);

/// Where names are given by hand.
const HOSTS: &str = "/etc/hosts";

/// The resolver.
#[derive(Debug)]
pub struct Names(TokioResolver);

impl Names {
    /// Reads the system's configuration; without a usable one, asks the name server on this machine as libc does.
    pub fn from_system() -> Result<Names, String> {
        let (config, mut options) = hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|_| {
            let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            (ResolverConfig::from_parts(None, Vec::new(), vec![local]), ResolverOpts::default())
        });
        options.cache_size = 0;
        options.timeout = PER_SERVER;
        options.attempts = 1;
        options.use_hosts_file = ResolveHosts::Never;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        builder.build().map(Names).map_err(|error| error.to_string())
    }

    /// Every address of the host, at least one.
    pub async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Miss> {
        match host {
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(_) if host.loopback() => Ok(LOOPBACK.to_vec()),
            Host::Name(name) => {
                let by_hand = by_hand(&std::fs::read_to_string(HOSTS).unwrap_or_default(), name);
                if !by_hand.is_empty() {
                    return Ok(by_hand);
                }
                tokio::time::timeout(PER_NAME, self.ask(name)).await.unwrap_or_else(|_| Err(silence(name)))
            }
        }
    }

    /// Asks for both families at once.
    async fn ask(&self, name: &str) -> Result<Vec<IpAddr>, Miss> {
        let (v4, v6) = (self.0.ipv4_lookup(name), self.0.ipv6_lookup(name));
        tokio::pin!(v4, v6);
        let (first, second) = tokio::select! {
            first = &mut v4 => {
                let second = tokio::time::timeout(patience(&first), v6).await;
                (first, second)
            }
            first = &mut v6 => {
                let second = tokio::time::timeout(patience(&first), v4).await;
                (first, second)
            }
        };
        match (first, second) {
            (Ok(first), Ok(Ok(second))) if first.query().name() == second.query().name() => {
                Ok(found(&first).chain(found(&second)).collect())
            }
            // Another name of the search list, or nothing in time.
            (Ok(first), _) => Ok(found(&first).collect()),
            (Err(_), Ok(Ok(second))) => Ok(found(&second).collect()),
            (Err(first), Ok(Err(second))) => Err(explain(name, if unanswered(&first) { &second } else { &first })),
            (Err(first), Err(_)) => Err(explain(name, &first)),
        }
        .and_then(|addresses: Vec<IpAddr>| if addresses.is_empty() { Err(no_address(name)) } else { Ok(addresses) })
    }
}

fn patience(first: &Result<Lookup, NetError>) -> Duration {
    // Without an answer there is nothing to go on with: the try's own limit is the only one.
    if first.is_ok() { OTHER_FAMILY } else { Duration::from_secs(60) }
}

fn found(lookup: &Lookup) -> impl Iterator<Item = IpAddr> + '_ {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr())
}

/// The addresses a hosts file gives to a name.
fn by_hand(hosts: &str, name: &str) -> Vec<IpAddr> {
    let name = name.trim_end_matches('.');
    let line = |line: &str| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name)).then_some(address)
    };
    hosts.lines().filter_map(line).collect()
}

fn no_address(name: &str) -> Miss {
    Miss::retry(Kind::NoName, format!("dns: {name} has no address"))
}

fn silence(name: &str) -> Miss {
    Miss::retry(Kind::NameServer, format!("dns: no answer for {name} from any name server"))
}

fn unanswered(error: &NetError) -> bool {
    !matches!(error, NetError::Dns(DnsError::NoRecordsFound(_)))
}

fn explain(name: &str, error: &NetError) -> Miss {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Miss::retry(Kind::NoName, format!("dns: no such name {name}")),
            ResponseCode::NoError => no_address(name),
            code => Miss::retry(Kind::NameServer, format!("dns: the name server answers {code} for {name}")),
        },
        NetError::Timeout => silence(name),
        other => Miss::retry(Kind::NameServer, format!("dns: {name}: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::by_hand;

    #[test]
    fn a_hosts_file_gives_every_address_of_a_name() {
        let hosts =
            "127.0.0.1 localhost\n10.0.0.1\tdb db.example. # the first\nfd00::1 DB\n#10.0.0.2 db\nnonsense db\n";
        let shown = |name| by_hand(hosts, name).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown("db"), ["10.0.0.1", "fd00::1"]);
        assert_eq!(shown("db.example"), ["10.0.0.1"]);
        assert_eq!(shown("d"), [""; 0]);
    }
}
