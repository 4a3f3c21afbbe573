//! What becomes of volumes while a container has them, and of mounts below them, seen from inside (VOL-7, VOL-14).

use super::world::{World, instance, mount, soon, with_world_of};
use super::{script, with_world};
use crate::images::tarball::Tar;
use firstlight_pod::action::{VolumeContent, VolumeFile, VolumeSetup};
use firstlight_pod::event::ImageFailure;
use firstlight_pod::spec::{HostPathType, Mount, PullPolicy};
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

/// A volume of this image.
fn image_volume(reference: &str) -> Do {
    let (reference, policy) = (reference.to_owned(), PullPolicy::IfNotPresent);
    let content = VolumeContent::Image { reference, policy, credentials: Vec::new() };
    Do::PrepareVolumes { volumes: vec![VolumeSetup { name: "i".to_owned(), content }], fs_group: None }
}

#[test]
fn vol_16_an_images_files_are_a_volume_that_nobody_writes_or_executes() {
    let data = Tar::new().dir("models/").file("models/one", "weights\n").program("run", b"#!/bin/sh\necho ran\n");
    with_world_of(Allow { privileged: true, ..Allow::default() }, &[("localhost/data:1", data)], async |world| {
        world.ask(image_volume("localhost/data:1")).await;
        assert!(matches!(world.event().await, Event::VolumesReady { .. }));
        world.ask(image_volume("localhost/data:1")).await;
        assert!(matches!(world.event().await, Event::VolumesReady { .. }), "safe to repeat");
        world.sandbox().await;
        let part = Mount { sub_path: "models".to_owned(), ..mount("i", "/part") };
        let text = "cat /i/models/one /part/one; ls -l /i/run | grep -o ^...x; \
                    touch /i/new 2>/dev/null || echo not written; /i/run 2>/dev/null || echo not executed";
        let launch = Launch { mounts: vec![mount("i", "/i"), part], ..script(text) };
        let expected = "weights\nweights\n-rwx\nnot written\nnot executed\n";
        assert_eq!(world.run("c", launch.clone()).await.1, expected);
        let security = firstlight_pod::spec::Security { privileged: true, ..Default::default() };
        assert_eq!(world.run("p", Launch { security, ..launch }).await.1, expected, "with all powers too");
        let missing = Mount { sub_path: "none".to_owned(), ..mount("i", "/part") };
        let refused = world.create(&instance("m"), Launch { mounts: vec![missing], ..script("true") }).await;
        assert!(matches!(refused, Event::StartFailed { .. }), "{refused:?}");
    });
}

#[test]
fn vol_16_an_image_that_cannot_be_had_is_told_as_that() {
    with_world(async |world| {
        world.ask(image_volume("127.0.0.1:1/none:1")).await;
        match world.event().await {
            Event::VolumesFailed { volume, image: Some(ImageFailure::Pull), .. } => assert_eq!(volume, "i"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn dln_4_how_much_a_bounded_volume_holds_is_told_every_ten_seconds_when_it_has_changed() {
    with_world(async |world| {
        let volume = |name: &str, memory, size_limit| {
            let content = VolumeContent::Empty { memory, size_limit };
            VolumeSetup { name: name.to_owned(), content }
        };
        let volumes = vec![volume("m", true, Some(9000)), volume("free", false, None), volume("v", false, Some(1000))];
        world.ask(Do::PrepareVolumes { volumes, fs_group: None }).await;
        assert!(matches!(world.event().await, Event::VolumesReady { .. }));
        world.sandbox().await;
        let mounts = ["v", "free", "m"].map(|name| mount(name, &format!("/{name}"))).to_vec();
        let text = "for d in v free m; do head -c 5000 /dev/zero > /$d/file; done";
        world.start("c", Launch { mounts, ..script(text) }).await;
        let told = world.until(|event| match event {
            Event::VolumeUsed { volume, bytes, .. } if bytes > 5000 => Some(volume),
            Event::VolumeUsed { volume, .. } if volume != "v" => panic!("{volume} is bounded by nobody but itself"),
            _ => None,
        });
        assert_eq!(told.await, "v");
    });
}
