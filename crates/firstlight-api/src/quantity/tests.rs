use super::Quantity;
use proptest::prelude::*;

fn read(text: &str) -> Quantity {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is a quantity"))
}

#[test]
fn quantities_are_written_canonically() {
    for (from, to) in [
        ("0", "0"),
        ("0.0Gi", "0"),
        ("1", "1"),
        ("1.0", "1"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("1000m", "1"),
        ("100m", "100m"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("1023Ki", "1023Ki"),
        ("0.1Ki", "102400m"),
        ("1e3", "1e3"),
        ("12E2", "1200"),
        ("5E", "5E"),
        ("-5Mi", "-5Mi"),
        ("+3", "3"),
        (".5", "500m"),
        ("1.", "1"),
        ("1u", "1u"),
        ("1000n", "1u"),
        ("1e-9", "1e-9"),
    ] {
        assert_eq!(read(from).to_string(), to, "{from}");
    }
}

#[test]
fn more_than_billionths_round_away_from_zero() {
    assert_eq!(read("0.1n").to_string(), "1n");
    assert_eq!(read("-0.1n").to_string(), "-1n");
    assert_eq!(read("0.00000000051Gi").nano(), 547_608_331);
    assert_eq!(read("1e-400").nano(), 1);
}

#[test]
fn more_than_the_largest_is_the_largest() {
    assert_eq!(read("9223372036854775808").units(), i128::from(i64::MAX));
    assert_eq!(read("100000000Ei").units(), i128::from(i64::MAX));
    assert_eq!(read("-1e999999").units(), -i128::from(i64::MAX));
}

#[test]
fn readings_round_away_from_zero() {
    assert_eq!(read("1500u").milli(), 2);
    assert_eq!(read("0.1").units(), 1);
    assert_eq!(read("-0.1").units(), -1);
    assert_eq!(read("1m").micro(), 1000);
    assert_eq!(read("64Mi").units(), 64 << 20);
}

#[test]
fn what_is_not_a_quantity_is_refused() {
    for text in
        ["", " 1", "1 ", "1.2.3", "Mi", "1mi", "1KiB", "e3", "1e", "1e+", "--1", "0x10", "1Kii", ".", "1_0", "NaN"]
    {
        assert!(text.parse::<Quantity>().is_err(), "{text:?}");
    }
    assert!(Quantity::of(&serde_json::json!(0.5)).is_ok_and(|q| q.to_string() == "500m"));
    assert!(Quantity::of(&serde_json::json!(2)).is_ok_and(|q| q.to_string() == "2"));
    assert!(Quantity::of(&serde_json::json!(["1"])).is_err());
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,40}") {
        let _ = text.parse::<Quantity>();
    }

    #[test]
    fn canonical_form_keeps_the_value(text in "[+-]?[0-9]{1,40}(\\.[0-9]{0,40})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e-?[0-9]{1,3})?") {
        let once = read(&text);
        let again = read(&once.to_string());
        prop_assert_eq!(once.nano(), again.nano());
        prop_assert_eq!(once.to_string(), again.to_string());
    }
}
