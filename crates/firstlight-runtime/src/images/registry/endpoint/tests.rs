//! Where TLS is the rule, and which addresses are this machine.

use super::*;

fn origin(text: &str) -> Result<String, String> {
    Endpoint::parse(text, &["plain.example".to_owned(), "port.example:5000".to_owned()], None).map(|e| e.origin)
}

#[test]
fn tls_is_the_rule_and_loopback_the_exception() {
    for (text, expected) in [
        ("registry.example", "https://registry.example"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("localhost:5000", "http://localhost:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("https://127.0.0.1:5000/", "https://127.0.0.1:5000"),
        ("plain.example", "http://plain.example"),
        ("plain.example:81", "http://plain.example:81"),
        ("port.example:5000", "http://port.example:5000"),
        ("port.example:5001", "https://port.example:5001"),
        ("http://plain.example", "http://plain.example"),
    ] {
        assert_eq!(origin(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_registry_is_refused_with_the_way_out() {
    for text in ["", "a/b", "user@host", "ftp://host", "host?x", "https://"] {
        assert!(origin(text).is_err(), "{text}");
    }
    let error = origin("http://registry.example").unwrap_err();
    assert!(error.contains("allow plain HTTP for it"), "{error}");
}

#[test]
fn internal_addresses_are_known_however_they_are_written() {
    for host in [
        "127.0.0.1",
        "127.9.9.9",
        "localhost",
        "x.localhost",
        "[::1]",
        "::1",
        "169.254.169.254",
        "[fe80::1]",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "[fd00:ec2::254]",
    ] {
        assert!(is_internal(host), "{host}");
    }
    for host in ["registry.example", "192.0.2.1", "10.0.0.1", "[2001:db8::1]"] {
        assert!(!is_internal(host), "{host}");
    }
}
