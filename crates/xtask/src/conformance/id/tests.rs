use super::{in_list, in_name, in_parentheses};

fn said(ids: &[super::Id]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_name_claims_the_ids_it_begins_with_and_no_others() {
    for (name, ids) in [
        ("ini_7_a_created_init_starts_again", "INI-7"),
        ("def_1_and_2_of_a_bare_pod", "DEF-1 DEF-2"),
        ("log_2_and_log_4_what_is_logged", "LOG-2 LOG-4"),
        ("t041_to_t044_sidecars_between_inits", "T041 T042 T043 T044"),
        ("syn_3_to_5_and_t001_and_so_on", "SYN-3 SYN-4 SYN-5 T001"),
        ("b3_a_lost_sandbox", "B3"),
        ("bkf_2_restarts_come_at_0_10_30", "BKF-2"),
        ("a_test_about_ini_7", ""),
        ("the_7_dwarfs", "THE-7"),
        ("t1_is_no_row", ""),
        ("ini_5_to_3_goes_nowhere", "INI-5"),
        ("ini_5_to_t001_goes_nowhere", "INI-5"),
        ("ini_7b_is_none", ""),
    ] {
        assert_eq!(said(&in_name(name)), ids, "{name}");
    }
}

#[test]
fn a_parenthesis_claims_only_if_it_holds_nothing_but_ids() {
    let text =
        "Retried (INI-9, IMG-4 to IMG-6; B3) here (T041-T043), as (BKF-8 and KRE-4 say) the kubelet (INI-1) does (";
    assert_eq!(said(&in_parentheses(text)), "INI-9 IMG-4 IMG-5 IMG-6 B3 T041 T042 T043 INI-1");
    assert_eq!(in_list("see INI-9"), None);
    assert_eq!(said(&in_list("VOL-3-VOL-5 and T001").unwrap()), "VOL-3 VOL-4 VOL-5 T001");
}
