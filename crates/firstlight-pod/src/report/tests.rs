use super::*;

#[test]
fn lengths_read_as_go_prints_them() {
    for (millis, expected) in [
        (0, "0s"),
        (7, "7ms"),
        (345, "345ms"),
        (1000, "1s"),
        (1200, "1.2s"),
        (61_005, "1m1.005s"),
        (600_000, "10m0s"),
        (3_600_000, "1h0m0s"),
        (36_610_500, "10h10m10.5s"),
    ] {
        assert_eq!(go_millis(Millis(millis)), expected);
    }
}
