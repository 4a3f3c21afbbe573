//! Which entry of a pull secret fits which host, and that nothing of it is printed.

use super::*;

fn ring(auths: &str) -> Keyring {
    Keyring::parse(&[format!("{{\"auths\": {auths}}}").into_bytes()]).unwrap()
}

fn users(ring: &Keyring, host: &str, repository: &str) -> Vec<String> {
    let user = |credential: &Credential| match credential {
        Credential::Password { user, .. } => user.clone(),
        Credential::Identity(token) | Credential::Token(token) => token.clone(),
    };
    ring.matching(host, repository).into_iter().map(user).collect()
}

#[test]
fn s31_an_entry_is_for_its_exact_host_and_port() {
    let ring = ring(r#"{"registry.example:5000": {"username": "u", "password": "p"}}"#);
    assert_eq!(users(&ring, "registry.example:5000", "app"), ["u"]);
    for other in
        ["registry.example", "registry.example:5001", "registry.example.evil:5000", "xregistry.example:5000", "evil"]
    {
        assert!(users(&ring, other, "app").is_empty(), "{other}");
    }
}

#[test]
fn docker_hub_is_one_registry_whatever_it_is_called() {
    for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"] {
        let ring = ring(&format!(r#"{{"{key}": {{"auth": "dTpw"}}}}"#));
        assert_eq!(users(&ring, "docker.io", "library/nginx"), ["u"], "{key}");
        assert!(users(&ring, "docker.io.evil", "library/nginx").is_empty());
    }
}

#[test]
fn a_path_narrows_and_the_narrower_entry_comes_first() {
    let ring = ring(r#"{"r.example": {"auth": "YWxsOnA="}, "r.example/team": {"auth": "dGVhbTpw"}}"#);
    assert_eq!(users(&ring, "r.example", "team/app"), ["team", "all"]);
    assert_eq!(users(&ring, "r.example", "teammate/app"), ["all"]);
}

#[test]
fn a_star_stays_inside_its_label() {
    let ring = ring(r#"{"*.r.example": {"username": "u", "password": ""}, "a*z.x.example": {"username": "v"}}"#);
    assert_eq!(users(&ring, "eu.r.example", "app"), ["u"]);
    assert!(users(&ring, "eu.west.r.example", "app").is_empty());
    assert!(users(&ring, "r.example", "app").is_empty());
    assert_eq!(users(&ring, "abcz.x.example", "app"), ["v"]);
    assert!(users(&ring, "abc.x.example", "app").is_empty());
}

#[test]
fn tokens_are_known_and_nothing_is_printed() {
    let ring =
        ring(r#"{"a.example": {"identitytoken": "hush"}, "b.example": {"registrytoken": "hush"}, "c.example": {}}"#);
    assert_eq!(ring.matching("a.example", "x"), [&Credential::Identity("hush".into())]);
    assert_eq!(ring.matching("b.example", "x"), [&Credential::Token("hush".into())]);
    assert!(ring.matching("c.example", "x").is_empty());
    assert!(!format!("{ring:?}").contains("hush"));
}

#[test]
fn s25_an_unreadable_secret_is_named_by_number_and_not_quoted() {
    for secret in [
        "not json hunter2",
        r#"{"auths": {"a": {"auth": "hunter2!"}}}"#,
        r#"{"auths": {"a": {"auth": "aHVudGVyMg=="}}}"#,
    ] {
        let error = Keyring::parse(&[b"{}".to_vec(), secret.as_bytes().to_vec()]).unwrap_err();
        assert_eq!(error, "image pull secret 2 is not a readable .dockerconfigjson");
    }
}
