//! Images that would like to lead the engine out of their root (S4, decision 6).

use super::script;
use super::world::{IMAGE, busybox, instance, mount, with_world_of};
use crate::images::tarball::Tar;
use firstlight_pod::{Event, Launch};
use firstlight_runtime::Allow;
use std::fs;
use std::path::Path;

/// A directory of the host that nothing may be written to, and what it holds.
struct Canary {
    dir: tempfile::TempDir,
}

impl Canary {
    fn new() -> Canary {
        let dir = tempfile::tempdir().unwrap();
        for name in ["hosts", "hostname", "resolv.conf", "passwd"] {
            fs::write(dir.path().join(name), "canary\n").unwrap();
        }
        Canary { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A link target that climbs out of any root.
    fn climbing(&self) -> String {
        format!("{}{}", "../".repeat(20), self.path().display().to_string().trim_start_matches('/'))
    }

    fn is_untouched(&self) {
        let mut names: Vec<_> = fs::read_dir(self.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["hostname", "hosts", "passwd", "resolv.conf"]);
        for name in names {
            assert_eq!(fs::read_to_string(self.path().join(&name)).unwrap(), "canary\n", "{name:?}");
        }
    }
}

/// An image with busybox as `/busybox` alone, so that everything else can be hostile.
fn bare() -> Tar {
    Tar::new().program("busybox", fs::read("/bin/busybox").unwrap())
}

fn sh(text: &str) -> Launch {
    Launch { command: ["/busybox", "sh", "-c", text].map(str::to_owned).to_vec(), ..script("") }
}

#[test]
fn s4_links_in_every_place_the_runtime_mounts_at_lead_nowhere() {
    let canary = Canary::new();
    let absolute = canary.path().display().to_string();
    let mut images = Vec::new();
    for (kind, target) in [("absolute", absolute), ("climbing", canary.climbing())] {
        for place in ["dev", "proc", "sys", "etc"] {
            images.push((format!("localhost/{kind}-{place}:latest"), bare().symlink(place, &target)));
        }
        for file in ["hosts", "hostname", "resolv.conf"] {
            let tar = bare().dir("etc/").symlink(format!("etc/{file}"), format!("{target}/{file}"));
            images.push((format!("localhost/{kind}-etc-{file}:latest"), tar));
        }
        images.push((format!("localhost/{kind}-data:latest"), bare().symlink("data", &target)));
        images.push((format!("localhost/{kind}-cwd:latest"), bare().symlink("work", &target)));
    }
    let named: Vec<(&str, Tar)> = images.iter().map(|(name, tar)| (name.as_str(), tar.clone())).collect();
    with_world_of(Allow::default(), &named, async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        for (number, (name, _)) in named.iter().enumerate() {
            let launch = Launch {
                image: (*name).to_owned(),
                mounts: vec![mount("v", "/data/inner")],
                working_dir: Some("/work/here".to_owned()),
                ..sh("/busybox touch /data/inner/x && /busybox touch /work/here/y && echo fine; \
                      echo overwritten > /etc/passwd; echo overwritten > /etc/hostname")
            };
            let (exit, log) = world.run(&format!("c{number}"), launch).await;
            assert_eq!((exit.code, log.as_str()), (0, "fine\n"), "{name}");
            canary.is_untouched();
        }
    });
    canary.is_untouched();
}

#[test]
fn a_volume_behind_the_images_own_links_lands_where_they_lead_inside() {
    let tar = busybox().dir("run/").dir("var/").symlink("var/run", "/run");
    with_world_of(Allow::default(), &[("localhost/links:latest", tar)], async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        let launch = Launch {
            image: "localhost/links".to_owned(),
            mounts: vec![mount("v", "/var/run/secrets/token")],
            ..script("touch /run/secrets/token/x; ls /var/run/secrets/token; ls -l /var | grep -c 'run -> '")
        };
        assert_eq!(world.run("c", launch).await.1, "x\n1\n");
    });
}

#[test]
fn places_no_volume_can_take() {
    with_world_of(Allow::default(), &[], async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        for (number, place) in ["/", "/proc", "/proc/self", "/bin/../proc"].iter().enumerate() {
            let launch = Launch { image: IMAGE.to_owned(), mounts: vec![mount("v", place)], ..script("") };
            match world.create(&instance(&format!("c{number}")), launch).await {
                Event::StartFailed { message, .. } => assert!(message.contains("a volume cannot"), "{message}"),
                other => panic!("{place}: {other:?}"),
            }
        }
    });
}

#[test]
fn the_hosts_own_root_can_be_an_image_without_its_secrets_and_without_writing_to_it() {
    let secret = Path::new("/var/tmp").join(format!("firstlight-secret-{}", std::process::id()));
    fs::write(&secret, "secret").unwrap();
    let allow = Allow { host_image: true, ..Allow::default() };
    with_world_of(allow, &[], async |world| {
        let launch = Launch {
            image: "firstlight.local/host".to_owned(),
            command: ["/bin/busybox", "sh", "-c"].map(str::to_owned).to_vec(),
            args: vec![format!(
                "exec 2>&1; cat {}; cat /etc/shadow; echo x > /usr/written && echo written; ls -A /root; busybox stat -c %a /tmp",
                secret.display()
            )],
            ..script("")
        };
        let log = world.prints(launch).await;
        assert!(!log.contains("secret\n") && log.contains("/etc/shadow"), "{log}");
        assert!(log.ends_with("written\n1777\n"), "{log}");
        assert!(!Path::new("/usr/written").exists());
    });
    fs::remove_file(secret).unwrap();
}
