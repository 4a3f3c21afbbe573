//! Damaged files: the store opens to an acknowledged state or refuses by name; never a panic, never silently empty (E6).

use crate::{create, delete, mark, pod, update};
use firstlight_api::object::resources::PODS;
use firstlight_store::{OpenError, Revision, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The state after each acknowledged write: what the store may open to, if it opens.
type States = Vec<BTreeMap<String, u64>>;

/// A directory as a killed engine leaves it, with objects in the database file and in the WAL, and every state it
/// was in since the last checkpoint.
async fn scene(dir: &Path) -> (PathBuf, States) {
    let live = dir.join("live");
    let store = Store::open(&live).unwrap();
    for n in 0..30 {
        create(&store, pod(&n.to_string()), n).await.unwrap();
    }
    drop(store);
    let store = Store::open(&live).unwrap();
    let mut states = vec![state(&store)];
    for n in 0..12 {
        let object = store.get(&pod(&n.to_string())).unwrap();
        if n % 3 == 0 {
            delete(&store, pod(&n.to_string()), object.revision).await.unwrap();
        } else {
            update(&store, pod(&n.to_string()), object.revision, n + 1000).await.unwrap();
        }
        states.push(state(&store));
    }
    let still = dir.join("still");
    copy(&live, &still);
    (still, states)
}

fn state(store: &Store) -> BTreeMap<String, u64> {
    store.list(PODS, None).items.iter().map(|object| (object.key.name.clone(), mark(object))).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Opens what is there: one of the states, or refused.
fn judge(dir: &Path, states: &States) -> Result<Revision, String> {
    match Store::open(dir) {
        Ok(store) => {
            let found = state(&store);
            assert!(states.contains(&found), "not a state it was ever in: {found:?}");
            Ok(store.revision())
        }
        Err(OpenError::Unreadable { path, problem, way_out }) => {
            assert!(path.starts_with(dir) && !problem.is_empty() && !way_out.is_empty());
            Err(problem)
        }
        Err(other) => panic!("{other}"),
    }
}

fn still_scene() -> (tempfile::TempDir, PathBuf, States) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (still, states) = runtime.block_on(scene(dir.path()));
    (dir, still, states)
}

/// The database and its WAL, with their sizes.
fn files(dir: &Path) -> [(PathBuf, u64); 2] {
    ["objects.1.sqlite", "objects.1.sqlite-wal"].map(|name| {
        let path = dir.join(name);
        let size = fs::metadata(&path).unwrap().len();
        (path, size)
    })
}

#[test]
fn e6_an_undamaged_directory_opens_to_the_last_state_and_later_revisions() {
    let (_dir, still, states) = still_scene();
    judge(&still, &vec![states.last().unwrap().clone()]).unwrap();
}

#[test]
fn e6_truncated_anywhere_the_store_opens_to_a_state_it_was_in_or_refuses() {
    let (dir, still, states) = still_scene();
    let (mut opened, mut refused) = (0, 0);
    for (file, size) in files(&still) {
        let step = usize::try_from(size / 97).unwrap().max(1);
        for length in (0..size).step_by(step).chain([size - 1]) {
            let trial = dir.path().join("trial");
            copy(&still, &trial);
            let target = trial.join(file.file_name().unwrap());
            fs::OpenOptions::new().write(true).open(target).unwrap().set_len(length).unwrap();
            match judge(&trial, &states) {
                Ok(_) => opened += 1,
                Err(_) => refused += 1,
            }
            fs::remove_dir_all(trial).unwrap();
        }
    }
    assert!(opened > 20 && refused > 20, "the test damages too little or too much: {opened} {refused}");
}

#[test]
fn e6_a_log_that_lost_its_tail_does_not_give_its_revisions_out_again() {
    let (_dir, still, states) = still_scene();
    let before = judge(&still, &states).unwrap();
    let [_, (wal, _)] = files(&still);
    fs::OpenOptions::new().write(true).open(wal).unwrap().set_len(0).unwrap();
    assert!(judge(&still, &states).unwrap() > before);
}

#[test]
fn e6_a_database_that_is_gone_empty_or_something_else_is_refused() {
    let (_dir, still, states) = still_scene();
    let [(database, _), (wal, _)] = files(&still);
    fs::write(&database, "").unwrap();
    assert!(judge(&still, &states).unwrap_err().contains("the database is empty"));
    fs::write(&database, "not a database, but long enough to have been one".repeat(100)).unwrap();
    assert!(judge(&still, &states).unwrap_err().contains("not a database"));
    fs::remove_file(&database).unwrap();
    assert!(judge(&still, &states).unwrap_err().contains("its write-ahead log is still there"));
    fs::remove_file(&wal).unwrap();
    assert!(judge(&still, &states).unwrap_err().contains("the database is gone"));
}

#[test]
fn e6_bits_flipped_anywhere_the_store_opens_to_a_state_it_was_in_or_refuses() {
    let (dir, still, states) = still_scene();
    let files = files(&still);
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let flips = prop::collection::vec((0..2_usize, any::<prop::sample::Index>(), 0..8_u32), 1..3);
    proptest!(config, |(flips in flips)| {
        let trial = dir.path().join("trial");
        copy(&still, &trial);
        for (file, at, bit) in flips {
            let (path, size) = &files[file];
            let target = trial.join(path.file_name().unwrap());
            let mut bytes = fs::read(&target).unwrap();
            bytes[at.index(usize::try_from(*size).unwrap())] ^= 1 << bit;
            fs::write(&target, bytes).unwrap();
        }
        let _ = judge(&trial, &states);
        fs::remove_dir_all(&trial).unwrap();
    });
}
