//! Names and hardware addresses that follow from the pod.

use super::*;

#[test]
fn the_name_fits_the_kernel_and_follows_from_pod_and_generation() {
    let name = interface_name("6b1f0d0a-97c5-4ef0-a1f5-0b7b5a3d9c11", 0);
    assert_eq!(name.len(), 15);
    assert!(name.starts_with("fl"));
    assert_eq!(name, interface_name("6b1f0d0a-97c5-4ef0-a1f5-0b7b5a3d9c11", 0));
    assert_ne!(name, interface_name("6b1f0d0a-97c5-4ef0-a1f5-0b7b5a3d9c11", 1));
    assert_ne!(interface_name("a", 11), interface_name("a1", 1));
}

#[test]
fn the_hardware_address_follows_from_the_address() {
    assert_eq!(hardware_address(Ipv4Addr::new(10, 88, 0, 7)), [0x0a, 0x58, 10, 88, 0, 7]);
}
