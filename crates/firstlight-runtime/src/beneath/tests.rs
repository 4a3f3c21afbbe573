//! What leads out of a directory, what does not, and removal of trees that resist.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

fn dir(path: &Path) -> OwnedFd {
    fs::File::open(path).unwrap().into()
}

#[test]
fn a_link_out_is_refused_and_one_that_stays_is_followed() {
    let tmp = tempfile::tempdir().unwrap();
    fs::create_dir_all(tmp.path().join("in/real")).unwrap();
    fs::create_dir(tmp.path().join("out")).unwrap();
    for (name, target) in [("good", "real"), ("up", "../out"), ("abs", "/"), ("loop", "loop")] {
        symlink(target, tmp.path().join("in").join(name)).unwrap();
    }
    let root = dir(&tmp.path().join("in"));
    let open = |name: &str, links| open(root.as_fd(), Path::new(name), OFlags::PATH, links).map(|_| ());
    assert!(open("good", Links::Beneath).is_ok());
    assert!(open("", Links::Beneath).is_ok());
    for name in ["up", "abs", "loop", "..", "/", "real/../.."] {
        assert!(open(name, Links::Beneath).is_err(), "{name}");
    }
    assert!(open("good/.", Links::Refused).is_err());
}

#[test]
fn missing_directories_are_made_and_announced_but_not_behind_a_dangling_link() {
    let tmp = tempfile::tempdir().unwrap();
    fs::create_dir(tmp.path().join("a")).unwrap();
    symlink("nowhere", tmp.path().join("a/link")).unwrap();
    let root = dir(tmp.path());
    let mut made = 0;
    let count = |_: BorrowedFd<'_>| {
        made += 1;
        Ok(())
    };
    make_dirs(root.as_fd(), Path::new("a/b/c"), count).unwrap();
    assert_eq!(made, 2);
    assert!(tmp.path().join("a/b/c").is_dir());
    assert!(make_dirs(root.as_fd(), Path::new("a/link/x"), |_| Ok(())).is_err());
    assert!(!tmp.path().join("a/nowhere").exists());
}

#[test]
fn a_tree_deeper_than_any_path_is_removed_and_links_are_not_followed() {
    let tmp = tempfile::tempdir().unwrap();
    fs::create_dir(tmp.path().join("kept")).unwrap();
    fs::write(tmp.path().join("kept/file"), "x").unwrap();
    fs::create_dir(tmp.path().join("tree")).unwrap();
    let mut at = dir(&tmp.path().join("tree"));
    for depth in 0..3000 {
        rustix::fs::mkdirat(&at, "a-directory", Mode::RWXU).unwrap();
        rustix::fs::symlinkat(tmp.path().join("kept"), &at, format!("link-{depth}")).unwrap();
        at = open(at.as_fd(), Path::new("a-directory"), OFlags::PATH, Links::Refused).unwrap();
    }
    remove_tree(dir(tmp.path()).as_fd(), OsStr::new("tree")).unwrap();
    assert!(!tmp.path().join("tree").exists());
    assert!(tmp.path().join("kept/file").exists());
}

#[test]
fn removing_what_is_not_there_is_no_error_and_a_link_to_a_directory_is_only_a_link() {
    let tmp = tempfile::tempdir().unwrap();
    fs::create_dir(tmp.path().join("kept")).unwrap();
    symlink("kept", tmp.path().join("link")).unwrap();
    let root = dir(tmp.path());
    remove_tree(root.as_fd(), OsStr::new("gone")).unwrap();
    remove_tree(root.as_fd(), OsStr::new("link")).unwrap();
    assert!(tmp.path().join("kept").is_dir() && !tmp.path().join("link").exists());
}

#[test]
fn plain_paths_are_relative_and_do_not_climb() {
    for (path, plain) in [
        ("a", true),
        ("a/b", true),
        ("", false),
        ("/a", false),
        ("../a", false),
        ("a/../b", false),
        ("./a", false),
        ("a\0b", false),
    ] {
        assert_eq!(is_plain(Path::new(path)), plain, "{path:?}");
    }
}
