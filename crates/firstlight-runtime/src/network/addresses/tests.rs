//! Who holds which address, and when it is free again.

use super::*;

fn full() -> Addresses {
    let mut addresses = Addresses::new([10, 88, 0]);
    for pod in 0..253 {
        addresses.take(&format!("pod-{pod}/0")).unwrap();
    }
    addresses
}

#[test]
fn the_first_pod_gets_dot_two_and_no_two_pods_share() {
    let mut addresses = Addresses::new([10, 88, 0]);
    assert_eq!(addresses.take("a/0").unwrap(), Ipv4Addr::new(10, 88, 0, 2));
    assert_eq!(addresses.take("b/0").unwrap(), Ipv4Addr::new(10, 88, 0, 3));
}

#[test]
fn asking_again_changes_nothing() {
    let mut addresses = Addresses::new([10, 88, 0]);
    let first = addresses.take("a/0").unwrap();
    assert_eq!(addresses.take("a/0").unwrap(), first);
}

#[test]
fn a_full_subnet_says_so_and_says_what_to_do() {
    let error = full().take("late/0").unwrap_err();
    assert_eq!(error, Exhausted { subnet: [10, 88, 0], held: 253 });
    assert!(error.to_string().starts_with("no free address in 10.88.0.0/24: 253 pods hold all of them; delete a pod"));
}

#[test]
fn a_released_address_is_given_out_again_and_only_then() {
    let mut addresses = full();
    addresses.release("pod-7/0");
    assert_eq!(addresses.take("late/0").unwrap(), Ipv4Addr::new(10, 88, 0, 9));
    assert!(addresses.take("later/0").is_err());
}

#[test]
fn a_released_address_rests_while_others_are_free() {
    let mut addresses = Addresses::new([10, 88, 0]);
    let first = addresses.take("a/0").unwrap();
    addresses.release("a/0");
    assert_ne!(addresses.take("b/0").unwrap(), first);
}

#[test]
fn an_adopted_address_is_not_given_out() {
    let mut addresses = Addresses::new([10, 88, 0]);
    assert!(addresses.adopt(Ipv4Addr::new(10, 88, 0, 2), "survivor/1"));
    assert_eq!(addresses.take("new/0").unwrap(), Ipv4Addr::new(10, 88, 0, 3));
    assert_eq!(addresses.take("survivor/1").unwrap(), Ipv4Addr::new(10, 88, 0, 2));
}

#[test]
fn a_foreign_address_is_not_adopted() {
    let mut addresses = Addresses::new([10, 88, 0]);
    for foreign in [[10, 88, 1, 9], [10, 88, 0, 1], [10, 88, 0, 255], [10, 88, 0, 0]] {
        assert!(!addresses.adopt(Ipv4Addr::from(foreign), "x/0"), "{foreign:?}");
    }
}
