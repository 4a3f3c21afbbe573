//! The seeds' own manifests run, with their own image names, from a real registry behind a mirror.

use crate::harness::{Engine, assert_ok, text};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use xtask::registry::Registry;

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

fn registry(engine_dir: &Path) -> Registry {
    xtask::registry::with_examples(engine_dir).unwrap()
}

/// The page that a port of a pod serves, through `kubectl port-forward`.
fn page(engine: &Engine, pod: &str) -> String {
    let mut forward = engine.kubectl_command(&["port-forward", pod, ":80"]).stdout(Stdio::piped()).spawn().unwrap();
    let first = BufReader::new(forward.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let mut stream = std::net::TcpStream::connect(first.split_whitespace().nth(2).unwrap()).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    forward.kill().unwrap();
    forward.wait().unwrap();
    answer
}

#[test]
fn the_nginx_pod_starts_as_written_and_serves_its_page_when_corrected() {
    let directory = tempfile::tempdir().unwrap();
    let registry = registry(directory.path());
    let engine = Engine::with(&["--mirror", &format!("docker.io={}", registry.address)]);
    let up = engine.command("up").arg(example("nginx")).output().unwrap();
    assert_ok(&up);
    assert_eq!(engine.field("pod my-app-pod", "{.status.phase}"), "Running");
    assert!(page(&engine, "my-app-pod-corrected").contains("Welcome to nginx!"));
}

#[test]
fn the_weather_pod_shows_the_weather_through_port_forward() {
    let directory = tempfile::tempdir().unwrap();
    let registry = registry(directory.path());
    let engine = Engine::with(&["--mirror", &format!("docker.io={}", registry.address), "--max-backoff", "1s"]);
    let up = engine.command("up").arg(example("weather")).output().unwrap();
    assert_ok(&up);
    let page = page(&engine, "init-container-example");
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
