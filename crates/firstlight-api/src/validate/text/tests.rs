use super::*;

fn ok(rule: Rule, texts: &[&str]) {
    for text in texts {
        assert_eq!(rule(text), Vec::<String>::new(), "{text:?}");
    }
}

fn wrong(rule: Rule, texts: &[&str]) {
    for text in texts {
        assert!(!rule(text).is_empty(), "{text:?}");
    }
}

#[test]
fn names() {
    let long = "a".repeat(64);
    ok(dns_label, &["a", "0", "a-b", "0a", &long[..63]]);
    wrong(dns_label, &["", "-a", "a-", "A", "a_b", "a.b", "ä", &long]);
    ok(dns_subdomain, &["a", "a.b-c.d", "0.0", &"a.".repeat(126)[..251]]);
    wrong(dns_subdomain, &["", ".a", "a.", "a..b", "A", "a_b", "a/b", &"a".repeat(254)]);
    ok(dns_1035, &["a", "a-0"]);
    wrong(dns_1035, &["0a", "", "a-", "a.b"]);
}

#[test]
fn keys_and_values() {
    ok(qualified_name, &["a", "A_b.c-d", "example.com/Name", "0"]);
    wrong(qualified_name, &["", "/a", "a/", "a/b/c", "-a", "a b", "Example.com/a", &"a".repeat(64)]);
    ok(label_value, &["", "a", "A_b.c-d", "12345"]);
    wrong(label_value, &["-", "a-", " ", "a/b", &"a".repeat(64)]);
    assert!(
        qualified_name("a/b/c")[0]
            .ends_with("with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")
    );
    assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
}

#[test]
fn s13_config_keys_never_climb() {
    ok(config_key, &["a", "A.b_c-d", ".hidden", "a..b"]);
    wrong(config_key, &["", ".", "..", "..a", "a/b", "../a", "a b", "a\0", &"a".repeat(254)]);
}

#[test]
fn env_names_are_nearly_any_printable_ascii() {
    ok(env_name, &["A", "a-b", "a.b", "1", "a b", "$(x)"]);
    wrong(env_name, &["", "A=B", "ä", "a\n", "\x7f"]);
}

#[test]
fn port_names() {
    ok(port_name, &["a", "http", "p2p-0", "1a"]);
    wrong(port_name, &["", "80", "A", "a--b", "-a", "a-", "abcdefghijklmnop"]);
}

#[test]
fn paths_stay_inside() {
    ok(descending_path, &["", "a", "a/b", "..a", "a..", "./a"]);
    wrong(descending_path, &["/a", "..", "a/../b", "../a", "a/.."]);
    ok(ip, &["10.0.0.1", "::1"]);
    wrong(ip, &["", "10.0.0", "a", "10.0.0.256"]);
}
