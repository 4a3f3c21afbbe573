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
    let conditions = |capabilities: &[String]| {
        let profile = profile(capabilities).unwrap();
        let rules = profile.syscalls().clone().unwrap();
        let of_clone = rules.iter().filter(|r| r.names().contains(&"clone".to_owned()));
        of_clone.map(|r| r.args().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(conditions(&[]), [true]);
    assert_eq!(conditions(&["CAP_SYS_ADMIN".to_owned()]), [false]);
}
