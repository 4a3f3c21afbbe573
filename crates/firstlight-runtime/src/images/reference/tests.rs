//! How references are filled in, and which are none.

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn short_names_are_filled_in_as_docker_does() {
    for (short, full) in [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("owner/app", "docker.io/owner/app:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x"),
        ("registry.example/app", "registry.example/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("Upper/app", "Upper/app:latest"),
        ("a__b/c.d-e--f_g", "docker.io/a__b/c.d-e--f_g:latest"),
        ("firstlight.local/toolbox", "firstlight.local/toolbox:latest"),
    ] {
        assert_eq!(Reference::parse(short).unwrap().to_string(), full, "{short}");
    }
}

#[test]
fn a_digest_decides_and_a_tag_beside_it_says_nothing_more() {
    let full = format!("docker.io/library/nginx@sha256:{HEX}");
    for text in [format!("nginx@sha256:{HEX}"), format!("nginx:1.25@sha256:{HEX}")] {
        assert_eq!(Reference::parse(&text).unwrap().to_string(), full);
    }
}

#[test]
fn img_8_what_is_no_reference_is_refused() {
    for text in [
        "",
        ":",
        "nginx:",
        "nginx:a b",
        "nginx:-x",
        "ngi nx",
        "nginx/",
        "/nginx",
        "a//b",
        "nginx@",
        "nginx@sha256:12",
        "nginx@md5:d41d8cd98f00b204e9800998ecf8427e",
        "a..b/c",
        "a___b",
        "-a",
        "a-",
        "https://nginx",
        "registry.example:x/a",
        "registry.example:70000/a",
        "[zz]:5/a",
        "../../etc/passwd",
        "registry.example/../x",
        "a.b/c?d",
        "-.b/c",
        "nginx\n",
    ] {
        assert!(Reference::parse(text).is_err(), "{text:?}: {:?}", Reference::parse(text));
    }
}

#[test]
fn refusals_are_in_the_grammars_words() {
    assert_eq!(
        Reference::parse("Nginx").unwrap_err(),
        "invalid reference format: repository name (library/Nginx) must be lowercase"
    );
    assert_eq!(Reference::parse("a b").unwrap_err(), "invalid reference format");
    assert!(Reference::parse(HEX).unwrap_err().contains("cannot specify 64-byte hexadecimal strings"));
    let long = format!("registry.example/{}", "x".repeat(250));
    assert_eq!(Reference::parse(&long).unwrap_err(), "repository name must not be more than 255 characters");
}
