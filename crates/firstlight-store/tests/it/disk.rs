//! Disks that refuse: writes are refused by name, reads go on, nothing acknowledged is lost (fault rows 12, 14-16).

use crate::child::Writer;
use crate::{content, create, mark, pod};
use firstlight_api::object::resources::PODS;
use firstlight_store::{Expect, Refused, Store, Write};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file system of one megabyte, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(at: &Path) -> SmallDisk {
        std::fs::create_dir(at).unwrap();
        mount("firstlight-store-test", at, "tmpfs", MountFlags::empty(), Some(c"size=1m")).unwrap();
        SmallDisk(at.to_owned())
    }

    fn remount(&self, flags: MountFlags) {
        mount_remount(&self.0, flags, "size=1m").unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_keeps_reads_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(&dir.path().join("disk"));
    let store = Store::open(&disk.0.join("data")).unwrap();
    create(&store, pod("a"), 1).await.unwrap();
    let ballast = disk.0.join("ballast");
    let mut block = vec![0_u8; 1 << 20];
    while !block.is_empty() && std::fs::write(&ballast, &block).is_err() {
        block.truncate(block.len() - 4096);
    }
    let mut value = content(2);
    value["data"] = "x".repeat(100_000).into();
    let big = Write { key: pod("b"), expect: Expect::Absent, value: Some(value) };
    match store.commit(big.clone()).await {
        Err(Refused::Unavailable(reason)) => assert!(reason.contains("full"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(mark(&store.get(&pod("a")).unwrap()), 1);
    assert!(store.get(&pod("b")).is_none());
    std::fs::remove_file(&ballast).unwrap();
    store.commit(big).await.unwrap();
    drop(store);
    assert_eq!(Store::open(&disk.0.join("data")).unwrap().list(PODS, None).items.len(), 2);
}

#[tokio::test]
async fn a_store_on_a_read_only_disk_is_refused_and_whole_when_it_is_writable_again() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(&dir.path().join("disk"));
    let data = disk.0.join("data");
    let store = Store::open(&data).unwrap();
    create(&store, pod("a"), 1).await.unwrap();
    drop(store);
    disk.remount(MountFlags::RDONLY);
    let error = Store::open(&data).unwrap_err().to_string();
    assert!(error.contains("Read-only file system"), "{error}");
    disk.remount(MountFlags::empty());
    assert_eq!(mark(&Store::open(&data).unwrap().get(&pod("a")).unwrap()), 1);
}

#[tokio::test]
async fn a_write_whose_fsync_failed_is_not_acknowledged_and_the_log_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    // strace counts by thread: the twelfth is one of the writer thread's commits.
    let inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync,fdatasync:error=EIO:when=12"];
    let mut writer = Writer::start(dir.path(), &inject);
    let (mut acknowledged, mut refused) = (BTreeSet::new(), BTreeSet::new());
    // Until the store has recovered: acknowledged again after a refusal.
    let mut recovered = false;
    while !recovered {
        let said = writer.hear().expect("the child goes on");
        match said.strip_prefix("refused ") {
            Some(rest) => refused.insert(rest.split_once(' ').unwrap().0.parse::<u64>().unwrap()),
            None => {
                recovered = !refused.is_empty();
                acknowledged.insert(said.parse::<u64>().unwrap())
            }
        };
    }
    acknowledged.extend(writer.kill().iter().filter_map(|said| said.parse::<u64>().ok()));
    // The second log, or a later one: the thread that writes it may have come to its own twelfth meanwhile.
    let logs = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let logs: Vec<String> = logs.filter(|name| name.ends_with(".sqlite")).collect();
    assert!(!logs.is_empty() && !logs.contains(&"objects.1.sqlite".to_owned()), "{logs:?}");
    let store = Store::open(dir.path()).unwrap();
    let kept: BTreeSet<u64> = store.list(PODS, None).items.iter().map(|object| mark(object)).collect();
    assert!(acknowledged.is_subset(&kept));
}
