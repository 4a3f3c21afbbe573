//! The texts of `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`, byte for byte.

use super::*;

const DNS: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);
const HOST: &str =
    "# made by somebody\nsearch old.example\nsearch corp.example .\nnameserver 192.0.2.53\noptions edns0 ndots:1\n";

fn web() -> Identity {
    Identity { hostname: "web-0".into(), cluster_dns: true, ..Identity::default() }
}

fn conf(identity: &Identity) -> String {
    resolv_conf(identity, "shop", "cluster.local", DNS, HOST)
}

#[test]
fn net_2_hosts_of_a_plain_pod() {
    assert_eq!(
        hosts_file(&web(), "10.88.0.7".parse().unwrap()),
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n\
         10.88.0.7\tweb-0\n"
    );
}

#[test]
fn net_2_hosts_of_a_pod_with_subdomain_and_aliases() {
    let identity = Identity {
        fqdn: Some("web-0.web.shop.svc.cluster.local".into()),
        host_aliases: vec![("192.0.2.9".into(), vec!["db".into(), "db.example".into()])],
        ..web()
    };
    let text = hosts_file(&identity, "10.88.0.7".parse().unwrap());
    assert!(text.ends_with(
        "10.88.0.7\tweb-0.web.shop.svc.cluster.local\tweb-0\n\n# Entries added by HostAliases.\n192.0.2.9\tdb\tdb.example\n"
    ));
}

#[test]
fn net_1_the_fqdn_is_the_host_name_only_if_asked() {
    let fqdn = "web-0.web.shop.svc.cluster.local";
    let identity = Identity { fqdn: Some(fqdn.into()), ..web() };
    assert_eq!(hostname_file(&identity), "web-0\n");
    let asked = Identity { hostname_is_fqdn: true, ..identity };
    assert_eq!(hostname_file(&asked), format!("{fqdn}\n"));
    assert_eq!(hostname(&Identity { hostname_is_fqdn: true, ..web() }), "web-0");
}

#[test]
fn net_6_cluster_first() {
    assert_eq!(
        conf(&web()),
        "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.88.0.1\noptions ndots:5\n"
    );
}

#[test]
fn net_6_default_takes_the_hosts_own() {
    let identity = Identity { cluster_dns: false, host_dns: true, ..web() };
    assert_eq!(conf(&identity), "search corp.example\nnameserver 192.0.2.53\noptions edns0 ndots:1\n");
}

#[test]
fn net_6_none_is_what_dns_config_says() {
    let identity = Identity {
        cluster_dns: false,
        nameservers: vec!["192.0.2.1".into()],
        options: vec!["single-request".into()],
        ..web()
    };
    assert_eq!(conf(&identity), "nameserver 192.0.2.1\noptions single-request\n");
}

#[test]
fn net_6_dns_config_adds_and_its_options_win() {
    let identity = Identity {
        nameservers: vec!["192.0.2.1".into(), DNS.to_string()],
        searches: vec!["my.example".into(), "cluster.local".into()],
        options: vec!["ndots:2".into(), "edns0".into()],
        ..web()
    };
    assert_eq!(
        conf(&identity),
        "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example my.example\n\
         nameserver 10.88.0.1\nnameserver 192.0.2.1\noptions ndots:2 edns0\n"
    );
}

#[test]
fn net_6_limits() {
    let identity = Identity {
        nameservers: (1..9).map(|n| format!("192.0.2.{n}")).collect(),
        searches: (0..40).map(|n| format!("{n}.{}.example", "x".repeat(60))).collect(),
        ..web()
    };
    let text = conf(&identity);
    assert_eq!(text.matches("nameserver ").count(), 3);
    let search = text.lines().next().unwrap().strip_prefix("search ").unwrap();
    assert!(search.len() <= 2048 && search.split(' ').count() <= 32, "{}", search.len());
    assert!(search.len() > 1900, "no more is cut than must be");
}
