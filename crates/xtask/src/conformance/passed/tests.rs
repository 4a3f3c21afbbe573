use super::good;

#[test]
fn a_name_that_failed_or_was_ignored_anywhere_is_not_good() {
    let lines = "running 4 tests\n\
        test a::ini_1_x ... ok\n\
        test ini_2_x - should panic ... ok\n\
        test a::ini_3_x ... FAILED\n\
        test b::ini_3_x ... ok\n\
        test ini_4_x ... ignored\n\
        a test of ours says: test ini_5_x ... ok";
    let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    assert_eq!(good(&lines), ["ini_1_x", "ini_2_x"]);
}
