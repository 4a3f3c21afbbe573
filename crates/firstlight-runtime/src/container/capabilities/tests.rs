use super::*;

fn asked(add: &[&str], drop: &[&str]) -> Security {
    Security {
        add_capabilities: add.iter().map(|s| (*s).to_owned()).collect(),
        drop_capabilities: drop.iter().map(|s| (*s).to_owned()).collect(),
        ..Security::default()
    }
}

#[test]
fn s16_the_default_set_has_no_raw_sockets() {
    let set = of(&Security::default(), true).unwrap();
    assert_eq!(set.len(), 13);
    assert!(!set.contains(&"CAP_NET_RAW".to_owned()));
    assert!(set.contains(&"CAP_MKNOD".to_owned()));
}

#[test]
fn device_nodes_need_a_device_controller() {
    assert!(!of(&Security::default(), false).unwrap().contains(&"CAP_MKNOD".to_owned()));
    assert!(of(&asked(&["MKNOD"], &[]), false).unwrap_err().contains("MKNOD is refused"));
    assert!(!of(&asked(&["ALL"], &[]), false).unwrap().contains(&"CAP_MKNOD".to_owned()));
}

#[test]
fn drop_all_then_add_one() {
    assert_eq!(of(&asked(&["NET_BIND_SERVICE"], &["ALL"]), true).unwrap(), ["CAP_NET_BIND_SERVICE"]);
}

#[test]
fn add_all_but_one() {
    let set = of(&asked(&["ALL"], &["SYS_ADMIN"]), true).unwrap();
    assert_eq!(set.len(), 40);
    assert!(!set.contains(&"CAP_SYS_ADMIN".to_owned()));
}

#[test]
fn names_are_taken_in_any_case_with_or_without_prefix() {
    assert_eq!(of(&asked(&["cap_net_admin"], &["all"]), true).unwrap(), ["CAP_NET_ADMIN"]);
}

#[test]
fn an_unknown_name_is_refused_by_name() {
    assert!(of(&asked(&["NET_ADMINN"], &[]), true).unwrap_err().contains("\"NET_ADMINN\""));
}
