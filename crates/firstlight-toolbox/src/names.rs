//! From a name to addresses, by the pod's own resolver configuration: search list, `ndots` and `/etc/hosts` honoured.
//!
//! The C library is left out, so a static binary resolves the same way everywhere; nothing is cached, so a name that
//! appears is seen by the next try.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;

use crate::miss::{Kind, Miss};
use crate::url::{Host, LOOPBACK};

/// How long one name server may think; the whole try is bounded by its own limit.
const PER_SERVER: Duration = Duration::from_millis(900);

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
                let found = self.0.lookup_ip(name.as_str()).await.map_err(|error| explain(name, &error))?;
                let addresses: Vec<IpAddr> = found.iter().collect();
                if addresses.is_empty() { Err(no_address(name)) } else { Ok(addresses) }
            }
        }
    }
}

fn no_address(name: &str) -> Miss {
    Miss::retry(Kind::NoName, format!("dns: {name} has no address"))
}

fn explain(name: &str, error: &NetError) -> Miss {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Miss::retry(Kind::NoName, format!("dns: no such name {name}")),
            ResponseCode::NoError => no_address(name),
            code => Miss::retry(Kind::NameServer, format!("dns: the name server answers {code} for {name}")),
        },
        NetError::Timeout => Miss::retry(Kind::NameServer, format!("dns: no answer for {name} from any name server")),
        other => Miss::retry(Kind::NameServer, format!("dns: {name}: {other}")),
    }
}
