//! What becomes of volumes while a container has them, and of mounts below them, seen from inside (VOL-7, VOL-14).

use super::world::{World, mount, soon, with_world_of};
use super::{script, with_world};
use firstlight_pod::action::{VolumeContent, VolumeFile, VolumeSetup};
use firstlight_pod::spec::{HostPathType, Mount};
use firstlight_pod::{Do, Event, Launch};
use firstlight_runtime::Allow;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount_change, unmount};
use std::path::{Path, PathBuf};

/// A directory of the host with a mount of its own, shared as systemd shares all, and one more mount below it.
struct Host {
    tmp: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host { tmp: tempfile::tempdir().unwrap() };
        tmpfs(host.tmp.path());
        mount_change(host.tmp.path(), MountPropagationFlags::SHARED).unwrap();
        for name in ["below", "later", "plain"] {
            std::fs::create_dir(host.at(name)).unwrap();
        }
        tmpfs(&host.at("below"));
        host
    }

    fn at(&self, name: &str) -> PathBuf {
        self.tmp.path().join(name)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        while unmount(self.tmp.path(), UnmountFlags::DETACH).is_ok() {}
    }
}

fn tmpfs(at: &Path) {
    rustix::mount::mount("tmpfs", at, "tmpfs", MountFlags::empty(), None).unwrap();
}

fn with_host(test: impl AsyncFnOnce(&mut World, &Host)) {
    with_world_of(Allow { host_path: true, ..Allow::default() }, &[], async |world| {
        let host = Host::new();
        let path = host.tmp.path().display().to_string();
        let content = VolumeContent::Host { path, check: HostPathType::Directory };
        let volumes = vec![VolumeSetup { name: "h".to_owned(), content }];
        world.ask(Do::PrepareVolumes { volumes, fs_group: None }).await;
        assert!(matches!(world.event().await, Event::VolumesReady { .. }));
        world.sandbox().await;
        test(world, &host).await;
    });
}

#[test]
fn vol_14_read_only_is_the_mounts_own_and_recursive_is_of_all_below_it() {
    with_host(async |world, host| {
        for (name, read_only, recursive, expected) in
            [("w", false, false, "plain below "), ("r", true, false, "below "), ("rr", true, true, "")]
        {
            let mounts = vec![Mount { read_only, recursive_read_only: recursive, ..mount("h", "/h") }];
            let text = "for d in plain below; do touch /h/$d/x 2>/dev/null && echo -n \"$d \"; done; true";
            let (exit, log) = world.run(name, Launch { mounts, ..script(text) }).await;
            assert_eq!((exit.code, log.trim_end_matches('\n')), (0, expected), "{name}");
        }
        assert!(host.at("below").join("x").exists(), "it was the host's");
    });
}

#[test]
fn vol_14_what_the_host_mounts_later_is_seen_only_where_that_is_asked_for() {
    with_host(async |world, host| {
        let waits = "while [ ! -e /h/plain/mounted ]; do sleep 0.05; done; ls /h/later";
        for (name, from_host) in [("none", false), ("from-host", true)] {
            let mounts = vec![Mount { from_host, ..mount("h", "/h") }];
            world.start(name, Launch { mounts, ..script(waits) }).await;
        }
        tmpfs(&host.at("later"));
        std::fs::write(host.at("later").join("new"), "").unwrap();
        std::fs::write(host.at("plain").join("mounted"), "").unwrap();
        for _ in 0..2 {
            soon(world.until(|event| matches!(event, Event::Exited { .. }).then_some(()))).await;
        }
        assert_eq!(world.log("none").await, "");
        assert_eq!(world.log("from-host").await, "new\n");
    });
}

#[test]
fn vol_14_what_a_container_mounts_never_reaches_the_host() {
    with_world_of(Allow { host_path: true, privileged: true, ..Allow::default() }, &[], async |world| {
        let host = Host::new();
        let path = host.tmp.path().display().to_string();
        let content = VolumeContent::Host { path, check: HostPathType::Directory };
        let volumes = vec![VolumeSetup { name: "h".to_owned(), content }];
        world.ask(Do::PrepareVolumes { volumes, fs_group: None }).await;
        assert!(matches!(world.event().await, Event::VolumesReady { .. }));
        let security = firstlight_pod::spec::Security { privileged: true, ..Default::default() };
        let mounts = vec![Mount { from_host: true, ..mount("h", "/h") }];
        let text = "mount -t tmpfs x /h/later && touch /h/later/inside && ls /h/later";
        assert_eq!(world.prints(Launch { mounts, security, ..script(text) }).await, "inside\n");
        assert!(!host.at("later").join("inside").exists());
    });
}

#[test]
fn vol_7_new_files_reach_a_running_container_but_not_where_it_has_a_part_of_the_volume() {
    with_world(async |world| {
        let files = |text: &str| {
            let file = VolumeFile { path: "key".to_owned(), mode: 0o644, data: text.into() };
            let content = VolumeContent::Files { files: vec![file], memory: true };
            Do::PrepareVolumes { volumes: vec![VolumeSetup { name: "v".to_owned(), content }], fs_group: None }
        };
        world.ask(files("one\n")).await;
        assert!(matches!(world.event().await, Event::VolumesReady { .. }));
        world.sandbox().await;
        let part = Mount { sub_path: "key".to_owned(), ..mount("v", "/part") };
        let text = "while grep -q one /v/key; do sleep 0.05; done; cat /v/key /part";
        world.start("c", Launch { mounts: vec![mount("v", "/v"), part], ..script(text) }).await;
        world.ask(files("two\n")).await;
        assert_eq!(world.exit("c").await.code, 0);
        assert_eq!(world.log("c").await, "two\none\n");
    });
}
