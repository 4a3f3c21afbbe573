//! Two engines on one data directory: the second is told who holds it (fault row 9).

use crate::{create, pod};
use firstlight_store::{OpenError, Store};

#[tokio::test]
async fn a_second_opener_is_refused_and_told_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    match Store::open(dir.path()) {
        Err(OpenError::Locked(path, process)) => {
            assert_eq!((path.as_path(), process), (dir.path(), std::process::id()))
        }
        other => panic!("{other:?}"),
    }
    create(&store, pod("a"), 1).await.unwrap();
    let clone = store.clone();
    drop(store);
    assert!(matches!(Store::open(dir.path()), Err(OpenError::Locked(..))));
    drop(clone);
    assert!(Store::open(dir.path()).unwrap().get(&pod("a")).is_some());
}

#[test]
fn a_lock_file_nobody_holds_locks_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    std::fs::write(dir.path().join("lock"), "1\n").unwrap();
    Store::open(dir.path()).unwrap();
}
