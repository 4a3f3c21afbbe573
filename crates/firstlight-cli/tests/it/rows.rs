//! Rows: upstream's cases of a pod's life, played with real containers on a real engine.
//!
//! A file in `tests/rows/` is a list of scenes. A scene is a pod, what happens to it, and rows: lines that begin with the ids of
//! upstream's cases and say what must be true. `docs/conformance/rows.md` is the page about their form.

mod acts;
mod claim;
mod diary;
mod judge;
mod laws;
mod layouts;
mod objects;
mod outside;
mod part;
mod play;
mod processes;
mod scene;
mod sessions;
mod stage;
mod step;
mod watched;
mod words;

use futures::StreamExt;
use outside::Outside;
use scene::Scene;
use stage::Stage;
use std::path::Path;
use std::sync::Arc;

/// How many scenes are played at once: most of a scene is waiting.
const AT_ONCE: usize = 16;

/// How many at once have an engine of their own.
const ENGINES_AT_ONCE: usize = 4;

#[test]
fn rows_of_order() {
    play("order");
}

#[test]
fn rows_of_sidecars() {
    play("sidecars");
}

#[test]
fn rows_of_images() {
    play("images");
}

#[test]
fn rows_of_termination() {
    play("termination");
}

#[test]
fn rows_of_the_engine() {
    play("engine");
}

#[test]
fn rows_of_config_maps_as_volumes() {
    play("configmaps");
}

#[test]
fn rows_of_secrets_as_volumes() {
    play("secrets");
}

#[test]
fn rows_of_the_pods_own_fields_as_files() {
    play("downward");
}

#[test]
fn rows_of_empty_directories() {
    play("emptydirs");
}

#[test]
fn rows_of_other_volumes() {
    play("subpaths");
}

#[test]
fn rows_of_objects_as_variables() {
    play("env");
}

#[test]
fn rows_of_files_as_variables() {
    play("envfiles");
}

#[test]
fn rows_of_inits() {
    play("inits");
}

#[test]
fn rows_of_hooks() {
    play("hooks");
}

#[test]
fn rows_of_policies() {
    play("policies");
}

#[test]
fn rows_of_backoff() {
    play("backoff");
}

#[test]
fn rows_of_deletion() {
    play("deletion");
}

#[test]
fn rows_of_runtime() {
    play("runtime");
}

#[test]
fn rows_of_probes() {
    play("probes");
}

#[test]
fn rows_of_names() {
    play("names");
}

#[test]
fn rows_of_pods() {
    play("pods");
}

#[test]
fn rows_of_pulls() {
    play("pulls");
}

#[test]
fn rows_of_stateful_sets() {
    play("sets");
}

/// Plays all scenes of a file; every row that fails is told.
fn play(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/rows/{file}.txt"));
    let text = std::fs::read_to_string(path).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let failures = runtime.block_on(all(file, &text));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn all(file: &str, text: &str) -> Vec<String> {
    let only = std::env::var("SCENE").unwrap_or_default();
    let outside = Outside::open().await;
    let scenes = scene::scenes(file, text, &outside);
    let scenes = scenes.into_iter().filter(|scene| format!("{} {}", scene.name, scene.title).contains(&only));
    let (own, shared): (Vec<Scene>, Vec<Scene>) = scenes.partition(|scene| scene.engine.is_some());
    let (mut failures, others) =
        tokio::join!(on_one_engine(&shared, outside.clone()), on_engines_of_their_own(&own, outside.clone()));
    failures.extend(others);
    failures.retain(|failure| !failure.is_empty());
    failures
}

async fn on_one_engine(scenes: &[Scene], outside: Arc<Outside>) -> Vec<String> {
    if scenes.is_empty() {
        return Vec::new();
    }
    let stage = Stage::open(Vec::new(), outside).await;
    let plays = futures::stream::iter(scenes).map(|scene| play::play(&stage, scene));
    let failures = plays.buffer_unordered(AT_ONCE).collect().await;
    stage.close().await;
    failures
}

async fn on_engines_of_their_own(scenes: &[Scene], outside: Arc<Outside>) -> Vec<String> {
    let plays = futures::stream::iter(scenes).map(|scene| async {
        let stage = Stage::open(scene.engine.clone().unwrap_or_default(), outside.clone()).await;
        let failure = play::play(&stage, scene).await;
        stage.close().await;
        failure
    });
    plays.buffer_unordered(ENGINES_AT_ONCE).collect().await
}
