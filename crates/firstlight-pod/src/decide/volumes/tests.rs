use super::*;

#[test]
fn labels_are_written_as_go_quotes_them() {
    let pairs = BTreeMap::from([
        ("a".to_owned(), "x \"y\" \\z".to_owned()),
        ("b".to_owned(), "two\nlines\tand\u{1}é".to_owned()),
    ]);
    assert_eq!(key_values(&pairs), "a=\"x \\\"y\\\" \\\\z\"\nb=\"two\\nlines\\tand\\x01é\"");
}

#[test]
fn vol_4_unknown_keys_are_named_in_kubernetes_words() {
    let map = SourceRef::ConfigMap("c".to_owned());
    let secret = SourceRef::Secret("s".to_owned());
    assert_eq!(no_such_key(&map, "k"), "configmap references non-existent config key: k");
    assert_eq!(no_such_key(&secret, "k"), "references non-existent secret key: k");
}
