//! What do `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` of a pod say? Asked by whoever makes a sandbox. Pure:
//! the texts are the kubelet's and containerd's, byte for byte (rules NET-1, NET-2, NET-6).

use firstlight_pod::spec::Identity;
use std::net::{IpAddr, Ipv4Addr};

/// As many name servers as libc reads (NET-6; `MAXNS` in resolv.h).
const NAMESERVERS_MAX: usize = 3;
/// As many search domains as Kubernetes writes (NET-6).
const SEARCHES_MAX: usize = 32;
/// As many characters of them, blanks between them included (NET-6).
const SEARCHES_CHARS_MAX: usize = 2048;

/// The kernel's host name in the pod's UTS namespace.
#[must_use]
pub fn hostname(identity: &Identity) -> &str {
    match &identity.fqdn {
        Some(fqdn) if identity.hostname_is_fqdn => fqdn,
        _ => &identity.hostname,
    }
}

/// The content of `/etc/hostname`.
#[must_use]
pub fn hostname_file(identity: &Identity) -> String {
    format!("{}\n", hostname(identity))
}

/// The content of `/etc/hosts` (NET-2; `managedHostsFileContent` in the kubelet's `kubelet_pods.go`).
#[must_use]
pub fn hosts_file(identity: &Identity, address: IpAddr) -> String {
    let mut text = String::from(
        "# Kubernetes-managed hosts file.\n\
         127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\n\
         fe00::0\tip6-mcastprefix\n\
         fe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n",
    );
    match &identity.fqdn {
        Some(fqdn) => text.push_str(&format!("{address}\t{fqdn}\t{}\n", identity.hostname)),
        None => text.push_str(&format!("{address}\t{}\n", identity.hostname)),
    }
    if !identity.host_aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
        for (address, names) in &identity.host_aliases {
            text.push_str(&format!("{address}\t{}\n", names.join("\t")));
        }
    }
    text
}

/// The content of `/etc/resolv.conf` (NET-6; the kubelet's `network/dns/dns.go`, written as containerd writes it).
///
/// `cluster_dns` is the address of our DNS server, `host` the text of the host's own file.
#[must_use]
pub fn resolv_conf(identity: &Identity, namespace: &str, domain: &str, cluster_dns: Ipv4Addr, host: &str) -> String {
    let mut config = Resolver::base(identity, namespace, domain, cluster_dns, host);
    config.nameservers.extend(identity.nameservers.iter().cloned());
    config.searches.extend(identity.searches.iter().cloned());
    for option in &identity.options {
        config.set_option(option);
    }
    config.cut_to_limits();
    config.print()
}

#[derive(Default)]
struct Resolver {
    nameservers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

impl Resolver {
    /// What the DNS policy gives before `dnsConfig` is added to it.
    fn base(identity: &Identity, namespace: &str, domain: &str, cluster_dns: Ipv4Addr, host: &str) -> Resolver {
        let host = Resolver::parse(host);
        if identity.cluster_dns {
            let mut searches = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.to_owned()];
            searches.extend(host.searches);
            return Resolver {
                nameservers: vec![cluster_dns.to_string()],
                searches,
                options: vec!["ndots:5".to_owned()],
            };
        }
        if identity.host_dns { host } else { Resolver::default() }
    }

    fn parse(text: &str) -> Resolver {
        let mut config = Resolver::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => config.nameservers.extend(words.next().map(str::to_owned)),
                // The last search line wins (resolv.conf(5)); a lone dot means the root and adds nothing.
                Some("search") => config.searches = words.filter(|word| *word != ".").map(str::to_owned).collect(),
                Some("options") => config.options = words.map(str::to_owned).collect(),
                _ => {}
            }
        }
        config
    }

    /// An option of the pod replaces one of the same name.
    fn set_option(&mut self, option: &str) {
        let name = |option: &str| option.split(':').next().unwrap_or_default().to_owned();
        match self.options.iter_mut().find(|present| name(present) == name(option)) {
            Some(present) => *present = option.to_owned(),
            None => self.options.push(option.to_owned()),
        }
    }

    fn cut_to_limits(&mut self) {
        unique(&mut self.nameservers);
        unique(&mut self.searches);
        self.nameservers.truncate(NAMESERVERS_MAX);
        self.searches.truncate(SEARCHES_MAX);
        while self.searches.join(" ").len() > SEARCHES_CHARS_MAX {
            self.searches.pop();
        }
    }

    fn print(&self) -> String {
        let mut text = String::new();
        if !self.searches.is_empty() {
            text.push_str(&format!("search {}\n", self.searches.join(" ")));
        }
        for server in &self.nameservers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            text.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        text
    }
}

fn unique(words: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    words.retain(|word| seen.insert(word.clone()));
}

#[cfg(test)]
mod tests;
