//! Volumes on real file systems: memory, hostPath, subPath, and what a container may have planted in them.

use firstlight_pod::action::{VolumeContent, VolumeFile, VolumeSetup};
use firstlight_pod::spec::HostPathType;
use firstlight_runtime::volumes::{Ground, VolumeError};
use firstlight_runtime::{Allow, volumes};
use rustix::fs::{RenameFlags, renameat_with};
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A pod's directory whose volumes are removed with it, mounts included.
struct Pod {
    tmp: tempfile::TempDir,
}

impl Drop for Pod {
    fn drop(&mut self) {
        volumes::remove(&self.dir()).unwrap();
    }
}

impl Pod {
    fn new() -> Pod {
        Pod { tmp: tempfile::tempdir().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.tmp.path().join("pod")
    }

    fn prepare(&self, content: VolumeContent) -> Result<(), String> {
        self.prepare_for(content, None, Allow { host_path: true, ..Allow::default() })
    }

    fn prepare_for(&self, content: VolumeContent, fs_group: Option<u32>, allow: Allow) -> Result<(), String> {
        let setup = VolumeSetup { name: "vol".into(), content };
        self.prepare_all(&[setup], fs_group, allow).map_err(|e| {
            assert_eq!(e.volume, "vol");
            e.message
        })
    }

    fn prepare_all(&self, setups: &[VolumeSetup], fs_group: Option<u32>, allow: Allow) -> Result<(), VolumeError> {
        let (pod_dir, images) = (self.dir(), BTreeMap::new());
        let ground = Ground { pod_dir: &pod_dir, data: self.tmp.path(), fs_group, allow, images: &images };
        volumes::prepare(&ground, setups)
    }

    fn at(&self, path: &str) -> PathBuf {
        volumes::path(&self.dir(), "vol").join(path)
    }

    fn sub_path(&self, path: &str) -> std::io::Result<OwnedFd> {
        volumes::open_sub_path(volumes::open(&self.dir(), "vol").unwrap().as_fd(), path)
    }
}

fn empty(memory: bool, size_limit: Option<u64>) -> VolumeContent {
    VolumeContent::Empty { memory, size_limit }
}

fn files(memory: bool, data: &str) -> VolumeContent {
    let files = vec![VolumeFile { path: "key".into(), mode: 0o644, data: data.into() }];
    VolumeContent::Files { files, memory }
}

fn host(path: &Path, check: HostPathType) -> VolumeContent {
    VolumeContent::Host { path: path.to_str().unwrap().into(), check }
}

fn claim(directory: &str, trust_root: bool) -> VolumeContent {
    VolumeContent::Claim { directory: directory.into(), trust_root }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn file_system(path: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let path = path.to_str().unwrap();
    mounts
        .lines()
        .filter(|line| line.split(' ').nth(1) == Some(path))
        .map(|line| line.split(' ').skip(2).take(2).collect::<Vec<_>>().join(" "))
        .collect()
}

fn path_of(fd: &OwnedFd) -> PathBuf {
    fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap()
}

#[test]
fn vol_2_an_empty_dir_is_open_to_all_and_kept_when_prepared_again() {
    let pod = Pod::new();
    pod.prepare(empty(false, None)).unwrap();
    assert_eq!(mode(&pod.at("")), 0o777);
    fs::write(pod.at("data"), "kept").unwrap();
    fs::set_permissions(pod.at(""), fs::Permissions::from_mode(0o700)).unwrap();
    pod.prepare(empty(false, None)).unwrap();
    assert_eq!(fs::read_to_string(pod.at("data")).unwrap(), "kept");
    assert_eq!(mode(&pod.at("")), 0o700, "what a container did stays");
}

#[test]
fn vol_2_in_memory_it_is_a_tmpfs_of_the_size_asked() {
    let pod = Pod::new();
    pod.prepare(empty(true, Some(1 << 20))).unwrap();
    let mount = file_system(&volumes::path(&pod.dir(), "vol"));
    assert!(mount.starts_with("tmpfs ") && mount.contains("size=1024k") && mount.contains("nosuid"), "{mount}");
    assert_eq!(mode(&pod.at("")), 0o777);
    let error = fs::write(pod.at("big"), vec![0; 2 << 20]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    fs::remove_file(pod.at("big")).unwrap();
    fs::write(pod.at("data"), "kept").unwrap();
    pod.prepare(empty(true, Some(1 << 20))).unwrap();
    assert_eq!(fs::read_to_string(pod.at("data")).unwrap(), "kept");
}

#[test]
fn vol_12_fs_group_owns_empty_dirs_on_disk_and_in_memory() {
    for memory in [false, true] {
        let pod = Pod::new();
        pod.prepare_for(empty(memory, None), Some(4711), Allow::default()).unwrap();
        let found = fs::metadata(pod.at("")).unwrap();
        assert_eq!((found.gid(), found.mode() & 0o7777), (4711, 0o2777), "memory: {memory}");
    }
}

#[test]
fn vol_3_files_in_memory_are_on_a_tmpfs_and_change_there() {
    let pod = Pod::new();
    pod.prepare(files(true, "one")).unwrap();
    let mount = file_system(&volumes::path(&pod.dir(), "vol"));
    assert!(mount.starts_with("tmpfs ") && mount.contains("nodev"), "{mount}");
    pod.prepare(files(true, "two")).unwrap();
    assert_eq!(fs::read_to_string(pod.at("key")).unwrap(), "two");
}

#[test]
fn volumes_of_files_are_read_only_and_no_others() {
    let pod = Pod::new();
    for (content, read_only) in [(files(false, "x"), true), (files(true, "x"), true), (empty(false, None), false)] {
        let pod = Pod::new();
        pod.prepare(content).unwrap();
        assert_eq!(volumes::is_read_only(&pod.dir(), "vol"), read_only);
    }
    assert!(!volumes::is_read_only(&pod.dir(), "vol") && !volumes::is_read_only(&pod.dir(), "../x"));
}

#[test]
fn vol_6_a_reader_who_holds_the_old_file_keeps_it_and_a_new_reader_gets_the_new_one() {
    let pod = Pod::new();
    pod.prepare(files(false, "one")).unwrap();
    let mut old = fs::File::open(pod.at("key")).unwrap();
    pod.prepare(files(false, "two")).unwrap();
    let mut text = String::new();
    old.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), fs::read_to_string(pod.at("key")).unwrap().as_str()), ("one", "two"));
}

#[test]
fn removal_takes_mounts_and_trees_and_leaves_what_host_paths_point_at() {
    let pod = Pod::new();
    let target = pod.tmp.path().join("host");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("canary"), "x").unwrap();
    let volume = |name: &str, content| VolumeSetup { name: name.into(), content };
    let setups = [
        volume("a", empty(true, None)),
        volume("b", files(true, "x")),
        volume("c", empty(false, None)),
        volume("d", host(&target, HostPathType::Directory)),
    ];
    pod.prepare_all(&setups, None, Allow { host_path: true, ..Allow::default() }).unwrap();
    symlink(&target, volumes::path(&pod.dir(), "c").join("planted")).unwrap();
    volumes::remove(&pod.dir()).unwrap();
    assert!(!pod.dir().join("volumes").exists());
    assert!(target.join("canary").exists());
    assert!(!fs::read_to_string("/proc/self/mounts").unwrap().contains(pod.tmp.path().to_str().unwrap()));
    volumes::remove(&pod.dir()).unwrap();
}

#[test]
fn s14_a_host_path_is_refused_unless_the_engine_allows_it() {
    let pod = Pod::new();
    let error = pod.prepare_for(host(Path::new("/etc"), HostPathType::Unset), None, Allow::default()).unwrap_err();
    assert!(error.starts_with("hostPath /etc is refused"), "{error}");
    assert!(volumes::open(&pod.dir(), "vol").is_err());
}

#[test]
fn vol_10_host_path_checks_say_what_is_wrong_in_the_kubelets_words() {
    let pod = Pod::new();
    let (dir, file, none) = (pod.tmp.path().join("dir"), pod.tmp.path().join("file"), pod.tmp.path().join("none"));
    fs::create_dir(&dir).unwrap();
    fs::write(&file, "").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(pod.tmp.path().join("socket")).unwrap();
    let socket = pod.tmp.path().join("socket");
    for (path, check, wrong) in [
        (&dir, HostPathType::Directory, None),
        (&file, HostPathType::Directory, Some("a directory")),
        (&none, HostPathType::Directory, Some("a directory")),
        (&file, HostPathType::DirectoryOrCreate, Some("a directory")),
        (&file, HostPathType::File, None),
        (&dir, HostPathType::File, Some("a file")),
        (&none, HostPathType::File, Some("a file")),
        (&dir, HostPathType::FileOrCreate, Some("a file")),
        (&socket, HostPathType::Socket, None),
        (&file, HostPathType::Socket, Some("a socket file")),
        (&PathBuf::from("/dev/null"), HostPathType::CharDevice, None),
        (&file, HostPathType::CharDevice, Some("a character device")),
        (&file, HostPathType::BlockDevice, Some("a block device")),
        (&file, HostPathType::Unset, None),
    ] {
        let expected = wrong.map(|what| format!("hostPath type check failed: {} is not {what}", path.display()));
        assert_eq!(pod.prepare(host(path, check)).err(), expected, "{} {check:?}", path.display());
    }
}

#[test]
fn vol_10_what_is_asked_to_be_made_is_made() {
    let pod = Pod::new();
    for (name, check) in
        [("a/b", HostPathType::DirectoryOrCreate), ("c/d", HostPathType::Unset), ("e", HostPathType::FileOrCreate)]
    {
        let path = pod.tmp.path().join(name);
        pod.prepare(host(&path, check)).unwrap();
        assert_eq!(path.is_file(), check == HostPathType::FileOrCreate, "{name}");
        assert_eq!(
            fs::canonicalize(volumes::path(&pod.dir(), "vol")).unwrap(),
            path,
            "the volume is that path, and follows a change of it"
        );
    }
    let error = pod.prepare(host(&pod.tmp.path().join("no/parent"), HostPathType::FileOrCreate)).unwrap_err();
    assert!(error.contains("cannot make the file"), "{error}");
}

#[test]
fn a_host_path_that_climbs_or_is_relative_is_refused() {
    for path in ["etc", "/etc/../root", ""] {
        let error = Pod::new().prepare(host(Path::new(path), HostPathType::Unset)).unwrap_err();
        assert!(error.contains("must be an absolute path without '..'"), "{error}");
    }
}

#[test]
fn a_volume_name_that_is_a_path_is_refused() {
    for name in ["", "..", "a/b", "A", "-a", &"x".repeat(64)] {
        let pod = Pod::new();
        let setup = VolumeSetup { name: name.into(), content: empty(false, None) };
        assert!(pod.prepare_all(&[setup], None, Allow::default()).is_err(), "{name}");
        assert!(volumes::open(&pod.dir(), name).is_err(), "{name}");
    }
}

#[test]
fn vol_9_a_missing_sub_path_becomes_a_directory_with_the_volumes_mode() {
    let pod = Pod::new();
    pod.prepare(empty(false, None)).unwrap();
    let fd = pod.sub_path("a/b").unwrap();
    assert_eq!(path_of(&fd), pod.at("a/b"));
    assert_eq!((mode(&pod.at("a")), mode(&pod.at("a/b"))), (0o777, 0o777));
}

#[test]
fn vol_9_a_sub_path_may_be_a_file_and_may_follow_links_that_stay() {
    let pod = Pod::new();
    pod.prepare(files(false, "one")).unwrap();
    let fd = pod.sub_path("key").unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap(), "one");
}

#[test]
fn s8_a_sub_path_that_leaves_the_volume_is_refused() {
    let pod = Pod::new();
    pod.prepare(empty(false, None)).unwrap();
    for (name, target) in [("abs", "/etc"), ("up", "../../.."), ("loop", "loop"), ("dangling", "nowhere")] {
        symlink(target, pod.at(name)).unwrap();
    }
    fs::write(pod.at("file"), "").unwrap();
    for path in
        ["abs", "abs/passwd", "up", "up/x", "loop", "dangling", "dangling/x", "file/x", "..", "/etc", "a/../..", ""]
    {
        let error = pod.sub_path(path).unwrap_err();
        assert!(error.to_string().starts_with(&format!("subPath {path:?}: ")), "{path}: {error}");
    }
    assert!(!pod.at("nowhere").exists());
}

#[test]
fn s8_swapping_a_component_for_a_link_while_it_is_resolved_never_leads_out() {
    let pod = Pod::new();
    pod.prepare(empty(false, None)).unwrap();
    let outside = pod.tmp.path().join("outside");
    fs::create_dir_all(outside.join("in")).unwrap();
    fs::create_dir_all(pod.at("a/in")).unwrap();
    symlink(&outside, pod.at("link")).unwrap();
    let directory: OwnedFd = fs::File::open(pod.at("")).unwrap().into();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1_000_000 {
                renameat_with(&directory, "a", &directory, "link", RenameFlags::EXCHANGE).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let volume = volumes::open(&pod.dir(), "vol").unwrap();
        let mut inside = 0;
        while !done.load(Ordering::Relaxed) {
            for path in ["a/in", "a/new"] {
                if let Ok(fd) = volumes::open_sub_path(volume.as_fd(), path) {
                    let found = path_of(&fd);
                    assert!(found.starts_with(pod.at("")), "escaped to {}", found.display());
                    inside += 1;
                }
            }
        }
        assert!(inside > 0);
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was made outside");
}

/// Mode, owner and group, of the thing itself.
fn owned(path: &Path) -> (u32, u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.mode() & 0o7777, found.uid(), found.gid())
}

#[test]
fn vol_11_a_claims_directory_outlives_the_pods_that_use_it_and_goes_with_its_claim() {
    let one = Pod::new();
    let data = one.tmp.path();
    assert_eq!(volumes::claimed(data).unwrap(), [] as [&str; 0]);
    one.prepare(claim("pvc-1", false)).unwrap();
    assert_eq!(mode(&one.at("")), 0o777);
    fs::write(one.at("kept"), "kept").unwrap();
    volumes::remove(&one.dir()).unwrap();
    one.prepare(claim("pvc-1", false)).unwrap();
    assert_eq!(fs::read_to_string(one.at("kept")).unwrap(), "kept");
    one.prepare(claim("pvc-2", false)).unwrap();
    assert!(!one.at("kept").exists(), "another claim is another directory");
    assert_eq!(fs::metadata(data.join("claims")).unwrap().mode() & 0o777, 0o700);
    let mut all = volumes::claimed(data).unwrap();
    all.sort();
    assert_eq!(all, ["pvc-1", "pvc-2"]);
    volumes::unclaim(data, "pvc-1").unwrap();
    volumes::unclaim(data, "pvc-1").unwrap();
    assert_eq!(volumes::claimed(data).unwrap(), ["pvc-2"]);
    for name in ["", ".", "..", "a/b", "../pods"] {
        assert!(one.prepare(claim(name, false)).is_err() && volumes::unclaim(data, name).is_err(), "{name:?}");
    }
}

#[test]
fn vol_12_a_claim_is_given_to_the_group_whole_and_once_for_each_pod() {
    let pod = Pod::new();
    let with = |trust_root, gid| pod.prepare_for(claim("pvc-1", trust_root), Some(gid), Allow::default()).unwrap();
    let again = || fs::remove_file(pod.dir().join("volumes/vol.owned")).unwrap();
    pod.prepare(claim("pvc-1", false)).unwrap();
    let outside = pod.tmp.path().join("outside");
    fs::write(&outside, "").unwrap();
    let before = owned(&outside);
    fs::create_dir_all(pod.at("deep/er")).unwrap();
    fs::write(pod.at("deep/er/file"), "").unwrap();
    symlink(&outside, pod.at("link")).unwrap();
    let modes = [("deep", 0o700), ("deep/er", 0o755), ("deep/er/file", 0o604)];
    for (path, mode) in modes {
        fs::set_permissions(pod.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    with(false, 4711);
    assert_eq!(owned(&pod.at("").canonicalize().unwrap()), (0o2777, 0, 4711));
    assert_eq!(owned(&pod.at("deep")), (0o2770, 0, 4711));
    assert_eq!(owned(&pod.at("deep/er")), (0o2775, 0, 4711));
    assert_eq!(owned(&pod.at("deep/er/file")), (0o664, 0, 4711));
    assert_eq!((owned(&pod.at("link")).2, owned(&outside)), (4711, before), "the link, never what it leads to");
    fs::write(pod.at("deep/new"), "").unwrap();
    std::os::unix::fs::chown(pod.at("deep/new"), Some(1), Some(1)).unwrap();
    with(false, 4711);
    assert_eq!(owned(&pod.at("deep/new")).2, 1, "what containers do meanwhile is theirs");
    again();
    with(true, 4711);
    assert_eq!(owned(&pod.at("deep/new")).2, 1, "OnRootMismatch: the root fits");
    again();
    with(true, 4712);
    assert_eq!(owned(&pod.at("deep/new")).2, 4712, "OnRootMismatch: the root did not fit");
    again();
    std::os::unix::fs::chown(pod.at("deep/new"), None, Some(1)).unwrap();
    with(false, 4712);
    assert_eq!(owned(&pod.at("deep/new")).2, 4712, "Always");
}

#[test]
fn dln_4_what_a_volume_holds_is_counted_as_the_disk_counts_it() {
    let pod = Pod::new();
    pod.prepare(empty(false, Some(1))).unwrap();
    let used = || volumes::usage(&pod.dir(), "vol").unwrap();
    let nothing = used();
    fs::create_dir_all(pod.at("a/b/c")).unwrap();
    fs::write(pod.at("a/b/c/file"), vec![1; 100_000]).unwrap();
    let with_file = used();
    assert!((100_000..200_000).contains(&(with_file - nothing)), "{with_file} {nothing}");
    fs::hard_link(pod.at("a/b/c/file"), pod.at("twice")).unwrap();
    symlink("/usr", pod.at("elsewhere")).unwrap();
    symlink("/bin/busybox", pod.at("large")).unwrap();
    assert!(used() - with_file < 10_000, "neither counted twice nor followed");
    let sparse = fs::File::create(pod.at("sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    assert!(used() - with_file < 10_000, "what is not on the disk is not counted");
}
