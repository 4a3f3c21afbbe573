//! How registries write their challenges.

use super::*;

#[test]
fn challenges_are_read_as_registries_write_them() {
    let bearer = |realm: &str, service: Option<&str>| {
        Some(Challenge::Bearer { realm: realm.into(), service: service.map(str::to_owned) })
    };
    for (header, expected) in [
        (
            r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a:pull,push""#,
            bearer("https://auth.example/token", Some("r.example")),
        ),
        (r#"bearer  Realm="https://a.example/t""#, bearer("https://a.example/t", None)),
        ("Bearer realm=https://a.example/t, service=x", bearer("https://a.example/t", Some("x"))),
        (r#"Bearer realm="a\"b",service="""#, bearer("a\"b", Some(""))),
        (r#"Basic realm="x""#, Some(Challenge::Basic)),
        ("basic", Some(Challenge::Basic)),
        ("Negotiate", None),
        ("Bearer", None),
        (r#"Bearer service="x""#, None),
        (r#"Bearer realm="unfinished"#, bearer("unfinished", None)),
        ("", None),
    ] {
        assert_eq!(parse(header), expected, "{header}");
    }
}
