//! What watchers see: everything after their revision, in order, once; or `Expired` (E7, E8).

use crate::{create, delete, mark, pod, update};
use firstlight_api::object::{Key, resources};
use firstlight_store::{Expired, Options, Revision, Store};
use std::path::Path;

fn small(dir: &Path) -> Store {
    Store::open_with(dir, Options { max_changes: 8, max_bytes: 1 << 20 }).unwrap()
}

#[tokio::test]
async fn e7_a_watch_replays_what_came_after_its_revision_and_goes_on_live() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let a = create(&store, pod("a"), 1).await.unwrap();
    let b = create(&store, pod("b"), 2).await.unwrap();
    let mut watch = store.watch(resources::PODS, None, a.revision).unwrap();
    assert_eq!(watch.next().await.unwrap().revision, b.revision);

    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            let a = update(&store, pod("a"), a.revision, 3).await.unwrap();
            delete(&store, pod("a"), a.revision).await.unwrap()
        }
    });
    let changed = watch.next().await.unwrap();
    assert_eq!((mark(&changed.object), changed.before.as_deref().map(mark), changed.deleted), (3, Some(1), false));
    let gone = watch.next().await.unwrap();
    assert_eq!((mark(&gone.object), gone.before.as_deref().map(mark), gone.deleted), (3, Some(3), true));
    let answered = writer.await.unwrap();
    assert_eq!(gone.object.revision, answered.revision);
    assert_eq!(gone.object.value["metadata"]["resourceVersion"], gone.revision.0.to_string());
    assert_eq!(watch.seen(), gone.revision);
}

#[tokio::test]
async fn e7_fifty_writers_and_every_watcher_sees_the_order_of_revisions() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut watches: Vec<_> = (0..4).map(|_| store.watch(resources::PODS, None, store.revision()).unwrap()).collect();
    let writers: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { create(&store, pod(&n.to_string()), n).await.unwrap().revision })
        })
        .collect();
    let mut revisions = Vec::new();
    for writer in writers {
        revisions.push(writer.await.unwrap());
    }
    revisions.sort();
    for watch in &mut watches {
        let mut seen = Vec::new();
        for _ in 0..50 {
            seen.push(watch.next().await.unwrap().revision);
        }
        assert_eq!(seen, revisions);
        assert!(watch.try_next().unwrap().is_none());
    }
}

#[tokio::test]
async fn a_watch_sees_its_resource_and_namespace_only_but_knows_how_far_it_has_seen() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut watch = store.watch(resources::PODS, Some("default"), store.revision()).unwrap();
    create(&store, Key::new(resources::CONFIGMAPS, "default", "x"), 1).await.unwrap();
    create(&store, Key::new(resources::PODS, "other", "x"), 2).await.unwrap();
    assert_eq!(watch.seen(), store.revision());
    assert!(watch.try_next().unwrap().is_none());
    let mine = create(&store, pod("mine"), 3).await.unwrap();
    assert_eq!(watch.seen(), Revision(mine.revision.0 - 1));
    assert_eq!(watch.next().await.unwrap().revision, mine.revision);
    assert_eq!(watch.seen(), mine.revision);
}

#[tokio::test]
async fn e8_a_slow_watcher_is_expired_and_a_quick_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let start = store.revision();
    let (mut slow, mut quick) =
        (store.watch(resources::PODS, None, start).unwrap(), store.watch(resources::PODS, None, start).unwrap());
    let mut last = start;
    for n in 0..20 {
        last = create(&store, pod(&n.to_string()), n).await.unwrap().revision;
        assert_eq!(mark(&quick.next().await.unwrap().object), n);
    }
    let oldest = Revision(last.0 - 8);
    assert_eq!(slow.next().await.unwrap_err(), Expired { asked: start, oldest });
    assert_eq!(store.watch(resources::PODS, None, start).unwrap_err(), Expired { asked: start, oldest });
    assert_eq!(
        store.watch(resources::PODS, None, oldest).unwrap().try_next().unwrap().unwrap().revision.0,
        oldest.0 + 1
    );
}

#[tokio::test]
async fn e8_history_is_bounded_by_bytes_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(dir.path(), Options { max_changes: 1000, max_bytes: 10_000 }).unwrap();
    let start = store.revision();
    for n in 0..40 {
        create(&store, pod(&n.to_string()), n).await.unwrap();
    }
    let Expired { asked, oldest } = store.watch(resources::PODS, None, start).unwrap_err();
    assert_eq!(asked, start);
    assert!(oldest > start && oldest < store.revision());
}

#[tokio::test]
async fn a_watch_from_before_the_last_opening_is_expired() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let before = create(&store, pod("a"), 1).await.unwrap().revision;
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.watch(resources::PODS, None, before).unwrap_err().oldest, store.revision());
    store.watch(resources::PODS, None, store.list(resources::PODS, None).revision).unwrap();
}
