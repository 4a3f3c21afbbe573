//! Which subnets touch each other, and which is chosen.

use super::*;

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

#[test]
fn networks_overlap_if_one_holds_the_other() {
    for (a, b, overlap) in [
        ("10.1.2.0/24", "10.1.2.9/32", true),
        ("10.1.2.0/24", "10.0.0.0/8", true),
        ("10.1.2.0/24", "0.0.0.0/0", true),
        ("10.1.2.0/24", "10.1.3.0/24", false),
        ("10.1.2.1/24", "10.1.2.200/24", true),
    ] {
        assert_eq!(prefix(a).overlaps(&prefix(b)), overlap, "{a} {b}");
        assert_eq!(prefix(b).overlaps(&prefix(a)), overlap, "{b} {a}");
    }
}

#[test]
fn the_last_address_is_the_broadcast_address() {
    assert_eq!(prefix("10.1.2.1/24").last(), Ipv4Addr::new(10, 1, 2, 255));
    assert_eq!(prefix("10.1.2.1/32").last(), Ipv4Addr::new(10, 1, 2, 1));
}

#[test]
fn a_free_host_gives_the_subnet_the_seed_points_at() {
    assert_eq!(first_free(0, &[]), Some([10, 208, 0]));
    assert_eq!(first_free(257, &[]), Some([10, 209, 1]));
    assert_eq!(first_free(u64::MAX, &[]), Some([10, 223, 255]));
}

#[test]
fn taken_subnets_are_stepped_over() {
    let used = [prefix("10.208.0.17/32"), prefix("10.208.1.0/25")];
    assert_eq!(first_free(0, &used), Some([10, 208, 2]));
}

#[test]
fn a_vpn_on_all_of_ten_moves_us_elsewhere() {
    assert_eq!(first_free(0, &[prefix("10.0.0.0/8")]), Some([172, 28, 0]));
    assert_eq!(first_free(0, &[prefix("10.0.0.0/8"), prefix("172.16.0.0/12")]), Some([192, 168, 128]));
}

#[test]
fn a_host_that_routes_everything_has_no_free_subnet() {
    assert_eq!(first_free(3, &[prefix("0.0.0.0/1"), prefix("128.0.0.0/1")]), None);
}
