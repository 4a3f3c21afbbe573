//! What the log does with rows, schemas and files it does not know.

use super::*;
use crate::object::Object;
use crate::{Expect, Store, Write};
use firstlight_api::object::{Key, resources::PODS};
use serde_json::json;
use std::sync::Arc;

fn database(dir: &Path) -> Connection {
    Connection::open(dir.join("objects.1.sqlite")).unwrap()
}

async fn put(store: &Store, name: &str) {
    let key = Key::new(PODS, "default", name);
    store.commit(Write { key, expect: Expect::Absent, value: Some(json!({})) }).await.unwrap();
}

#[tokio::test]
async fn e6_a_newer_schema_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    database(dir.path()).execute("UPDATE schema SET version = 7", ()).unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("it has schema version 7, this engine knows version 1; start the engine version"),
        "{error}"
    );
}

#[tokio::test]
async fn e6_another_programs_database_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    database(dir.path()).execute_batch("CREATE TABLE schema (version INTEGER); INSERT INTO schema VALUES (1)").unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("it is not a Firstlight store; restore the data directory"), "{error}");
}

#[tokio::test]
async fn e6_a_row_that_is_gone_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    put(&store, "a").await;
    put(&store, "b").await;
    drop(store);
    database(dir.path()).execute("DELETE FROM objects WHERE name = 'a'", ()).unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("1 of 2 objects were found whole"), "{error}");
}

#[tokio::test]
async fn rows_of_resources_this_version_does_not_serve_are_kept_even_when_the_log_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    put(&store, "a").await;
    drop(store);
    let text = r#"{"kind":"Widget"}"#;
    let sum = rows::checksum_of_text("widgets.example.com", "default", "w", 5, text);
    let connection = database(dir.path());
    connection
        .execute("INSERT INTO objects VALUES (5, 'widgets.example.com', 'default', 'w', 5, ?1, ?2)", (sum, text))
        .unwrap();
    connection.execute("UPDATE state SET objects = objects + 1, sum = sum + ?1", [sum]).unwrap();
    drop(connection);

    let Opened { mut log, snapshot, totals } = Log::open(dir.path(), true).unwrap();
    assert_eq!(totals.objects, 2);
    assert_eq!(snapshot.entries().count(), 1);
    log.remake(&snapshot, totals).unwrap();
    drop(log);

    let Opened { log, snapshot, totals } = Log::open(dir.path(), true).unwrap();
    assert_eq!((log.files.database(), totals.objects), (dir.path().join("objects.2.sqlite"), 2));
    assert_eq!((log.foreign.len(), snapshot.entries().count()), (1, 1));
    assert!(!dir.path().join("objects.1.sqlite").exists());
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let Opened { mut log, totals, .. } = Log::open(dir.path(), true).unwrap();
    log.connection.pragma_update(None, "max_page_count", 1).unwrap();
    let object = Arc::new(Object::stamped(Key::new(PODS, "a", "b"), Revision(9), json!({"data": "x".repeat(100_000)})));
    let row = RowChange::Insert { row: 9, sum: checksum(&object), object };
    let failure = log.append(std::slice::from_ref(&row), totals).unwrap_err();
    assert!(matches!(&failure, Failure::Passing(reason) if reason.contains("full")), "{failure:?}");
    log.connection.pragma_update(None, "max_page_count", 10_000).unwrap();
    log.append(&[row], totals).unwrap();
}
