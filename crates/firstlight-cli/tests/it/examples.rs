//! The seeds' own manifests run, with their own image names, from a real registry behind a mirror.

use crate::harness::{Engine, assert_ok, text};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use xtask::registry::Registry;

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

fn registry(engine_dir: &Path) -> Registry {
    xtask::registry::with_examples(engine_dir).unwrap()
}

#[test]
fn the_nginx_pod_starts_as_written_and_serves_its_page_when_corrected() {
    let directory = tempfile::tempdir().unwrap();
    let registry = registry(directory.path());
    let engine = Engine::with(&["--mirror", &format!("docker.io={}", registry.address)]);
    let up = engine.command("up").arg(example("nginx")).output().unwrap();
    assert_ok(&up);
    assert_eq!(engine.field("pod my-app-pod", "{.status.phase}"), "Running");
    assert!(engine.page("my-app-pod-corrected", 80, 1).contains("Welcome to nginx!"));
}

#[test]
fn the_weather_pod_shows_the_weather_through_port_forward() {
    let directory = tempfile::tempdir().unwrap();
    let registry = registry(directory.path());
    let engine = Engine::with(&["--mirror", &format!("docker.io={}", registry.address), "--max-backoff", "1s"]);
    let up = engine.command("up").arg(example("weather")).output().unwrap();
    assert_ok(&up);
    let page = engine.page("init-container-example", 80, 1);
    assert!(page.contains("17 degrees"), "{page}");
}

#[test]
fn an_image_that_is_not_there_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let registry = registry(directory.path());
    let engine = Engine::with(&["--mirror", &format!("docker.io={}", registry.address)]);
    let up =
        engine.command("up").args(["--timeout", "3s", "-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut up = up.unwrap();
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: m, image: nosuch:1}]}\n";
    up.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
    let output = up.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    let said = text(&output.stderr);
    assert!(said.contains("ErrImagePull") || said.contains("ImagePullBackOff"), "{said}");
}
