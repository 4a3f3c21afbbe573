use super::*;

fn table(capabilities: &[&str]) -> Table {
    Table::read(TABLE, |name| capabilities.contains(&name))
}

#[test]
fn no_name_is_both_allowed_and_refused() {
    let table = table(&["SYS_ADMIN", "SYS_CHROOT"]);
    assert!(table.allowed.iter().all(|name| !table.refused.contains(name)));
}

#[test]
fn s16_io_uring_is_refused_whatever_the_capabilities() {
    let everything = Table::read(TABLE, |_| true);
    assert!(everything.refused.contains(&"io_uring_setup".to_owned()));
}

#[test]
fn mount_needs_its_capability() {
    assert!(table(&[]).refused.contains(&"mount".to_owned()));
    assert!(table(&["SYS_ADMIN"]).allowed.contains(&"mount".to_owned()));
    assert!(table(&["SYSLOG"]).allowed.contains(&"syslog".to_owned()));
}

#[test]
fn clone_is_judged_by_its_flags_without_the_capability_to_make_namespaces() {
    assert!(table(&["SYS_ADMIN"]).allowed.contains(&"clone".to_owned()));
    assert!(!table(&[]).allowed.contains(&"clone".to_owned()));
    assert!(!table(&[]).refused.contains(&"clone".to_owned()));
}

#[test]
fn a_filter_is_compiled_once_per_set_of_capabilities_and_travels_unchanged() {
    let filters = Filters::default();
    let none = filters.of(&[]).unwrap();
    assert_eq!(filters.of(&[]).unwrap(), none);
    assert_ne!(filters.of(&["CAP_SYS_ADMIN".to_owned()]).unwrap(), none);
    let written = serde_json::to_string(&none).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&written).unwrap(), none);
}
