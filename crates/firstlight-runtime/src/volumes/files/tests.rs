//! File volumes: layout, swap, and what may have been planted in them.

use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

struct Volume {
    tmp: tempfile::TempDir,
}

impl Volume {
    fn new() -> Volume {
        Volume { tmp: tempfile::tempdir().unwrap() }
    }

    fn bring(&self, files: &[VolumeFile]) -> Result<(), String> {
        self.bring_for(files, None)
    }

    fn bring_for(&self, files: &[VolumeFile], fs_group: Option<u32>) -> Result<(), String> {
        let all: OwnedFd = fs::File::open(self.tmp.path()).unwrap().into();
        prepare(all.as_fd(), "vol", files, false, fs_group)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.tmp.path().join("vol").join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.at(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !is_generation(name))
            .collect();
        names.sort();
        names
    }

    fn generation(&self) -> PathBuf {
        fs::read_link(self.at("..data")).unwrap()
    }
}

fn file(path: &str, data: &str) -> VolumeFile {
    VolumeFile { path: path.into(), mode: 0o644, data: data.into() }
}

#[test]
fn vol_6_names_are_links_into_data_and_data_names_a_generation() {
    let volume = Volume::new();
    volume.bring(&[file("a", "1"), file("sub/b", "2")]).unwrap();
    assert_eq!((volume.read("a"), volume.read("sub/b")), ("1".into(), "2".into()));
    assert_eq!(fs::read_link(volume.at("a")).unwrap(), Path::new("..data/a"));
    assert_eq!(fs::read_link(volume.at("sub")).unwrap(), Path::new("..data/sub"));
    assert!(is_generation(volume.generation().to_str().unwrap()));
    assert_eq!(volume.names(), ["..data", "a", "sub"]);
}

#[test]
fn vol_6_a_change_is_one_swap_and_what_is_gone_is_gone() {
    let volume = Volume::new();
    volume.bring(&[file("a", "1"), file("old", "x")]).unwrap();
    let before = volume.generation();
    volume.bring(&[file("a", "2"), file("new", "y")]).unwrap();
    assert_ne!(volume.generation(), before);
    assert!(!volume.at(before.to_str().unwrap()).exists());
    assert_eq!((volume.read("a"), volume.read("new")), ("2".into(), "y".into()));
    assert_eq!(volume.names(), ["..data", "a", "new"]);
}

#[test]
fn vol_6_unchanged_content_is_not_rewritten() {
    let volume = Volume::new();
    volume.bring(&[file("a", "1"), file("d/e", "2")]).unwrap();
    let before = volume.generation();
    volume.bring(&[file("d/e", "2"), file("a", "1")]).unwrap();
    assert_eq!(volume.generation(), before);
}

#[test]
fn vol_3_a_change_of_mode_is_a_change() {
    let volume = Volume::new();
    volume.bring(&[file("a", "1")]).unwrap();
    volume.bring(&[VolumeFile { mode: 0o400, ..file("a", "1") }]).unwrap();
    assert_eq!(fs::metadata(volume.at("a")).unwrap().mode() & 0o7777, 0o400);
}

#[test]
fn vol_5_no_files_is_an_empty_volume_that_is_filled_later() {
    let volume = Volume::new();
    volume.bring(&[]).unwrap();
    assert_eq!(volume.names(), ["..data"]);
    volume.bring(&[file("a", "1")]).unwrap();
    assert_eq!(volume.read("a"), "1");
}

#[test]
fn vol_12_fs_group_owns_files_and_may_read_them() {
    let volume = Volume::new();
    volume.bring_for(&[VolumeFile { mode: 0o600, ..file("d/a", "1") }], Some(4711)).unwrap();
    let found = fs::metadata(volume.at("d/a")).unwrap();
    assert_eq!((found.gid(), found.mode() & 0o7777), (4711, 0o640));
    let directory = fs::metadata(volume.at("d")).unwrap();
    assert_eq!((directory.gid(), directory.mode() & 0o7777), (4711, 0o2755));
    let before = volume.generation();
    volume.bring_for(&[VolumeFile { mode: 0o600, ..file("d/a", "1") }], Some(4711)).unwrap();
    assert_eq!(volume.generation(), before);
}

#[test]
fn s13_paths_that_are_absolute_climb_or_hide_are_refused() {
    for path in ["/etc/x", "../x", "a/../b", "..", "..x", "", "a\0b", &"x".repeat(5000)] {
        let message = Volume::new().bring(&[file(path, "x")]).unwrap_err();
        assert!(message.starts_with("invalid path"), "{path:?}: {message}");
    }
}

#[test]
fn a_file_inside_another_file_is_refused() {
    let message = Volume::new().bring(&[file("a", "1"), file("a/b", "2")]).unwrap_err();
    assert_eq!(message, "paths a and a/b collide: one is inside the other");
}

#[test]
fn s9_links_planted_in_the_volume_are_replaced_not_followed() {
    let volume = Volume::new();
    volume.bring(&[file("a", "1"), file("d/b", "2")]).unwrap();
    let out = volume.tmp.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("a"), "canary").unwrap();
    let planted: [(&str, &Path); 4] = [("a", &out.join("a")), ("d", &out), ("..data_tmp", &out), ("..data", &out)];
    for (name, target) in planted {
        fs::remove_file(volume.at(name)).ok();
        symlink(target, volume.at(name)).unwrap();
    }
    volume.bring(&[file("a", "3"), file("d/b", "4")]).unwrap();
    assert_eq!((volume.read("a"), volume.read("d/b")), ("3".into(), "4".into()));
    assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "canary");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
}

#[test]
fn s9_a_generation_that_was_tampered_with_is_replaced() {
    let volume = Volume::new();
    volume.bring(&[file("a", "1")]).unwrap();
    let generation = volume.at(volume.generation().to_str().unwrap());
    fs::remove_file(generation.join("a")).unwrap();
    symlink("/etc/passwd", generation.join("a")).unwrap();
    volume.bring(&[file("a", "1")]).unwrap();
    assert_eq!(volume.read("a"), "1");
}

#[test]
fn a_directory_in_the_place_of_data_is_moved_out_of_the_way() {
    let volume = Volume::new();
    fs::create_dir_all(volume.at("..data/deep")).unwrap();
    volume.bring(&[file("a", "1")]).unwrap();
    assert_eq!(volume.read("a"), "1");
}

#[test]
fn what_a_killed_change_left_is_swept() {
    let volume = Volume::new();
    volume.bring(&[file("a", "1")]).unwrap();
    fs::create_dir(volume.at("..2020_01_01_00_00_00.0000000001")).unwrap();
    symlink("..2020_01_01_00_00_00.0000000001", volume.at("..data_tmp")).unwrap();
    volume.bring(&[file("a", "1")]).unwrap();
    assert_eq!(volume.names(), ["..data", "a"]);
    assert!(!volume.at("..2020_01_01_00_00_00.0000000001").exists());
}
