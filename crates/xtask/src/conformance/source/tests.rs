use super::{items, tests};
use crate::shell::root;

#[test]
fn only_functions_that_run_as_tests_are_tests() {
    let text = r##"
        // #[test] fn ini_1_in_a_comment() {}
        /* #[test] /* nested */ fn ini_2_in_a_comment() {} */
        const A: &str = "#[test] fn ini_3_in_a_string() {}";
        const B: &str = r#"" #[test] fn ini_4_in_a_raw_string() {}"#;
        const C: (char, &'static str) = ('"', "\" #[test] fn ini_5_after_a_quote() {}");
        #[test]
        fn ini_6_plain() {}
        #[tokio::test(flavor = "multi_thread")]
        #[expect(clippy::x, reason = "[y]")]
        async fn ini_7_async() {}
        #[test]
        #[ignore = "slow"]
        fn ini_8_ignored() {}
        #[test]
        #[cfg(feature = "never")]
        fn ini_9_behind_a_feature() {}
        fn ini_10_no_test() {}
        #[test]
        const D: u8 = b'"';
        pub(crate) fn ini_11_no_test() {}
        #[cfg(test)]
        mod tests;
        #[cfg(windows)]
        mod windows;
        mod inline { #[test] fn ini_12_inline() {} }
        pub(crate) mod plain;
    "##;
    let found = items(text);
    assert_eq!(found.tests, ["ini_6_plain", "ini_7_async", "ini_12_inline"]);
    assert_eq!(found.modules, ["tests", "plain"]);
}

#[test]
fn this_test_is_found_and_one_that_is_not_there_is_not() {
    let tests = tests(&root()).unwrap();
    let has = |name: &str| tests.iter().any(|test| test.package == "xtask" && test.name == name);
    assert!(has("this_test_is_found_and_one_that_is_not_there_is_not"));
    assert!(!has("ini_1_in_a_comment") && !has("ini_6_plain"));
}
