//! Killed at any instant: every acknowledged write is there (E1), and no revision is given out twice.

use crate::child::Writer;
use crate::{create, delete, mark, pod};
use firstlight_api::object::resources::PODS;
use firstlight_store::{Revision, Store};
use std::collections::BTreeSet;

#[tokio::test]
async fn e1_every_acknowledged_write_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = Revision(0);
    for round in 0..12_u64 {
        let mut writer = Writer::start(dir.path(), &[]);
        let mut acknowledged: BTreeSet<u64> = (0..round * round).filter_map(|_| writer.hear()?.parse().ok()).collect();
        acknowledged.extend(writer.kill().iter().filter_map(|said| said.parse::<u64>().ok()));

        let store = Store::open(dir.path()).unwrap();
        let kept: BTreeSet<u64> = store.list(PODS, None).items.iter().map(|object| mark(object)).collect();
        assert!(acknowledged.is_subset(&kept), "lost {:?}", acknowledged.difference(&kept));
        for object in store.list(PODS, None).items {
            assert!(object.revision > last);
            delete(&store, object.key.clone(), object.revision).await.unwrap();
        }
        last = create(&store, pod("marker"), 0).await.unwrap().revision;
        delete(&store, pod("marker"), last).await.unwrap();
        last = store.revision();
    }
}
