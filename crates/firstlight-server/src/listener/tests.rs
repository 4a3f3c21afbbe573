//! Which requests are admissible (S19), as a table.

use super::{admissible, host_of};
use http::{HeaderMap, HeaderValue, Uri, header};

fn hosts() -> Vec<String> {
    ["127.0.0.1", "localhost", "::1", "node.example"].map(str::to_owned).to_vec()
}

#[test]
fn only_own_names_are_served_whatever_the_port_and_case() {
    for (host, served) in [
        ("127.0.0.1", true),
        ("127.0.0.1:6443", true),
        ("localhost:1", true),
        ("LocalHost", true),
        ("[::1]:6443", true),
        ("[::1]", true),
        ("node.example:6443", true),
        ("evil.example", false),
        ("127.0.0.1.evil.example:6443", false),
        ("localhost.evil.example", false),
        ("evil.example:127", false),
        ("127.0.0.1@evil.example", false),
        ("localhost:80@evil.example:80", false),
        ("[::1].evil.example", false),
        ("", false),
        (":6443", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).expect("a header value"));
        let answer = admissible(&hosts(), &Uri::from_static("/api"), &headers);
        assert_eq!(answer.is_ok(), served, "{host}: {answer:?}");
    }
}

#[test]
fn an_origin_is_refused_even_with_a_good_host_unless_it_is_that_host() {
    for (host, origin, served) in [
        ("localhost:6443", "https://localhost:6443", true),
        ("localhost:6443", "http://localhost:6443", false),
        ("localhost:6443", "https://localhost", false),
        ("localhost:6443", "https://127.0.0.1:6443", false),
        ("localhost:6443", "https://localhost:6443.evil.example", false),
        ("localhost:6443", "https://evil.example", false),
        ("localhost:6443", "null", false),
        ("localhost:6443", "", false),
        ("evil.example", "https://evil.example", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).expect("a header value"));
        headers.insert(header::ORIGIN, HeaderValue::from_str(origin).expect("a header value"));
        let answer = admissible(&hosts(), &Uri::from_static("/api"), &headers);
        assert_eq!(answer.is_ok(), served, "{host} {origin}: {answer:?}");
    }
}

#[test]
fn the_authority_of_an_absolute_request_counts_as_much_as_its_host_header() {
    let mut headers = HeaderMap::new();
    let absolute = Uri::from_static("https://evil.example/api");
    assert!(admissible(&hosts(), &absolute, &headers).is_err());
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    assert!(admissible(&hosts(), &absolute, &headers).is_err());
    assert!(admissible(&hosts(), &Uri::from_static("https://localhost/api"), &headers).is_ok());
    headers.append(header::HOST, HeaderValue::from_static("evil.example"));
    assert!(admissible(&hosts(), &Uri::from_static("/api"), &headers).is_err());
}

#[test]
fn no_host_at_all_is_a_bad_request() {
    let refusal = admissible(&hosts(), &Uri::from_static("/api"), &HeaderMap::new()).expect_err("refused");
    assert_eq!(refusal.to_value()["code"], 400);
}

#[test]
fn the_host_of_an_authority() {
    assert_eq!(host_of("a:1"), "a");
    assert_eq!(host_of("[fe80::1]:1"), "fe80::1");
    assert_eq!(host_of("a"), "a");
}
