//! Where a redirect may lead, and what of a URL is shown.

use super::*;

fn redirect(from: &str, to: &str) -> Result<(), String> {
    let http = Http::new(vec!["plain.example".to_owned()]);
    http.check_redirect(&Url::parse(from).unwrap(), &Url::parse(to).unwrap())
}

#[test]
fn redirects_lead_outward_and_never_from_tls_to_plain_text() {
    for (from, to) in [
        ("https://r.example/v2/", "https://cdn.example/blob?signature=x"),
        ("http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/blob"),
        ("http://127.0.0.1:5000/v2/", "https://cdn.example/blob"),
        ("https://r.example/v2/", "http://plain.example/blob"),
    ] {
        assert_eq!(redirect(from, to), Ok(()), "{from} {to}");
    }
    for (from, to) in [
        ("https://r.example/v2/", "http://cdn.example/blob"),
        ("https://r.example/v2/", "https://127.0.0.1/"),
        ("https://r.example/v2/", "http://localhost:8080/"),
        ("https://r.example/v2/", "https://169.254.169.254/latest/meta-data"),
        ("https://r.example/v2/", "https://[::ffff:127.0.0.1]/"),
        ("https://r.example/v2/", "file:///etc/passwd"),
        ("https://r.example/v2/", "https://user@cdn.example/"),
    ] {
        assert!(redirect(from, to).is_err(), "{from} {to}");
    }
}

#[test]
fn s25_what_is_shown_of_a_url_has_no_query_and_no_user() {
    let url = Url::parse("https://user:pass@cdn.example:8443/blob?X-Signature=hush#f").unwrap();
    assert_eq!(shown(&url), "https://cdn.example:8443/blob");
}
