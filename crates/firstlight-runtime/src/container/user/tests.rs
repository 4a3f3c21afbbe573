use super::*;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/false\nbroken line\nshort:x:7\n";
const GROUP: &str = "root:x:0:\nadm:x:4:web,other\nstaff:x:50:web\nwww:x:34:\n";

fn resolved(name: &str) -> io::Result<User> {
    resolve_in(PASSWD, GROUP, &ImageUser { name: name.to_owned(), ..ImageUser::default() })
}

fn user(uid: u32, gid: u32, groups: &[u32], home: &str) -> User {
    User { uid, gid, groups: groups.to_vec(), home: home.to_owned() }
}

#[test]
fn no_user_is_root() {
    assert_eq!(resolved("").unwrap(), user(0, 0, &[], "/root"));
}

#[test]
fn a_name_brings_its_group_its_groups_and_its_home() {
    assert_eq!(resolved("web").unwrap(), user(33, 34, &[4, 50], "/srv"));
}

#[test]
fn a_number_known_to_the_image_is_as_good_as_the_name() {
    assert_eq!(resolved("33").unwrap(), user(33, 34, &[4, 50], "/srv"));
}

#[test]
fn an_unknown_number_has_group_0_and_no_home() {
    assert_eq!(resolved("1234").unwrap(), user(1234, 0, &[], "/"));
}

#[test]
fn a_group_is_taken_by_name_or_number() {
    assert_eq!(resolved("web:www").unwrap().gid, 34);
    assert_eq!(resolved("web:77").unwrap().gid, 77);
    assert_eq!(resolved("web:").unwrap().gid, 34);
}

#[test]
fn unknown_names_are_refused_in_containerds_words() {
    let error = resolved("nobody").unwrap_err().to_string();
    assert_eq!(error, "unable to find user nobody: no matching entries in passwd file");
    let error = resolved("web:nogroup").unwrap_err().to_string();
    assert_eq!(error, "unable to find group nogroup: no matching entries in group file");
}

#[test]
fn sec_5_the_specs_ids_win_and_its_groups_are_merged() {
    let wanted = ImageUser { name: "root".to_owned(), uid: Some(33), gid: Some(99), groups: vec![50, 7, 99] };
    assert_eq!(resolve_in(PASSWD, GROUP, &wanted).unwrap(), user(33, 99, &[4, 50, 7], "/srv"));
}

#[test]
fn without_files_only_numbers_resolve() {
    assert_eq!(resolve_in("", "", &ImageUser::default()).unwrap(), user(0, 0, &[], "/"));
}
