//! What an image may say about running it.

use super::*;
use serde_json::{Value, json};

fn read(config: Value) -> Result<(ImageConfig, Vec<Digest>), String> {
    let (os, architecture) = platform().split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let id = Digest::of(b"layer").to_string();
    let whole = json!({"os": os, "architecture": architecture, "rootfs": {"diff_ids": [id]}, "config": config});
    super::config(whole.to_string().as_bytes())
}

#[test]
fn everything_a_process_needs_is_read() {
    let (config, layers) = read(json!({
        "User": "app:staff", "Env": ["PATH=/bin", "A=b=c", "EMPTY"], "Entrypoint": ["/e"], "Cmd": ["c"],
        "WorkingDir": "/srv", "StopSignal": "SIGQUIT", "Labels": {"x": "y"}, "Volumes": {"/": {}}
    }))
    .unwrap();
    let env = [("PATH", "/bin"), ("A", "b=c"), ("EMPTY", "")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(
        config,
        ImageConfig {
            entrypoint: vec!["/e".into()],
            cmd: vec!["c".into()],
            env: env.into(),
            user: "app:staff".into(),
            working_dir: "/srv".into(),
            stop_signal: Some("SIGQUIT".into()),
        }
    );
    assert_eq!(layers, [Digest::of(b"layer")]);
}

#[test]
fn nothing_said_is_nothing_set() {
    assert_eq!(read(json!(null)).unwrap().0, ImageConfig::default());
    assert_eq!(read(json!({"Env": null, "Cmd": null, "StopSignal": ""})).unwrap().0, ImageConfig::default());
}

#[test]
fn s7_what_no_process_can_be_given_is_refused() {
    for bad in [
        json!({"Env": ["=x"]}),
        json!({"Env": [""]}),
        json!({"Env": ["A=\u{0}"]}),
        json!({"Entrypoint": ["a\u{0}"]}),
        json!({"WorkingDir": "relative"}),
        json!({"WorkingDir": "/a/../../b"}),
        json!({"Env": "PATH=/bin"}),
    ] {
        assert!(read(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn an_image_for_another_machine_is_refused_with_both_platforms() {
    let other = json!({"os": "linux", "architecture": "s390x", "rootfs": {"diff_ids": []}});
    let error = super::config(other.to_string().as_bytes()).unwrap_err();
    assert!(error.contains("linux/s390x") && error.contains(&platform()), "{error}");
}
