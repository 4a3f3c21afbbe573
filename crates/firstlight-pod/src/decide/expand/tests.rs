use super::expand;

fn expanded(text: &str) -> String {
    expand(text, |name| match name {
        "A" => Some("1".to_owned()),
        "B" => Some("$(A)".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    })
}

#[test]
fn env_2_references_are_replaced_and_unknown_ones_stay() {
    for (text, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("$(A)", "1"),
        ("x$(A)y$(A)z", "x1y1z"),
        ("$(EMPTY)", ""),
        ("$(NOPE)", "$(NOPE)"),
        // A value is not expanded again.
        ("$(B)", "$(A)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$A", "$A"),
        ("$", "$"),
        ("$$", "$"),
        ("a$", "a$"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        ("$(A$(B)", "$(A$(B)"),
        ("é$(A)ü", "é1ü"),
    ] {
        assert_eq!(expanded(text), expected, "{text}");
    }
}
