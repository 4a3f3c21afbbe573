use super::*;
use std::fs;
use std::os::unix::fs::symlink;

/// A root beside a canary that must never be reached.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/usr/lib")).unwrap();
        fs::create_dir(dir.path().join("canary")).unwrap();
        World { dir }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn fd(&self) -> OwnedFd {
        rustix::fs::open(self.at(""), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    fn resolved(&self, path: &str) -> Real {
        resolve(self.fd().as_fd(), Path::new(path)).unwrap()
    }

    fn canary(&self) -> PathBuf {
        self.dir.path().join("canary")
    }
}

fn real(path: &str, missing: bool) -> Real {
    Real { path: PathBuf::from(path), missing }
}

#[test]
fn links_are_followed_inside_the_root_only() {
    let world = World::new();
    symlink("usr/lib", world.at("lib")).unwrap();
    symlink("/usr", world.at("absolute")).unwrap();
    symlink("../../../../usr", world.at("climbing")).unwrap();
    symlink(world.canary(), world.at("out")).unwrap();
    assert_eq!(world.resolved("/lib/x"), real("usr/lib/x", true));
    assert_eq!(world.resolved("/absolute/lib"), real("usr/lib", false));
    assert_eq!(world.resolved("climbing/lib/../.."), real("", false));
    // Inside the root there is no such directory: it would be made there.
    let inside = world.canary().strip_prefix("/").unwrap().join("x");
    assert_eq!(world.resolved("/out/x"), Real { path: inside, missing: true });
}

#[test]
fn endless_links_are_refused() {
    let world = World::new();
    symlink("loop", world.at("loop")).unwrap();
    assert!(resolve(world.fd().as_fd(), Path::new("loop/x")).is_err());
}

#[test]
fn s4_a_link_in_place_of_a_directory_becomes_one_and_its_target_is_untouched() {
    let world = World::new();
    for path in ["dev", "proc", "sys", "etc"] {
        symlink(world.canary(), world.at(path)).unwrap();
        make_real(world.fd().as_fd(), Path::new(path), Kind::Directory).unwrap();
        assert!(world.at(path).symlink_metadata().unwrap().is_dir(), "{path}");
    }
    symlink(world.canary().join("passwd"), world.at("etc/hosts")).unwrap();
    make_real(world.fd().as_fd(), Path::new("etc/hosts"), Kind::File).unwrap();
    assert!(world.at("etc/hosts").symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read_dir(world.canary()).unwrap().count(), 0);
}

#[test]
fn s4_parents_that_are_links_or_files_become_directories() {
    let world = World::new();
    symlink(world.canary(), world.at("a")).unwrap();
    fs::write(world.at("f"), "").unwrap();
    make_real(world.fd().as_fd(), Path::new("a/b/c"), Kind::Directory).unwrap();
    make_real(world.fd().as_fd(), Path::new("f/x"), Kind::File).unwrap();
    assert!(world.at("a/b/c").is_dir());
    assert!(world.at("f/x").is_file());
    assert_eq!(fs::read_dir(world.canary()).unwrap().count(), 0);
}

#[test]
fn a_directory_where_a_file_has_to_be_is_refused() {
    let world = World::new();
    fs::create_dir_all(world.at("etc/hosts")).unwrap();
    assert!(make_real(world.fd().as_fd(), Path::new("etc/hosts"), Kind::File).is_err());
}

#[test]
fn what_is_real_already_stays() {
    let world = World::new();
    fs::create_dir(world.at("etc")).unwrap();
    fs::write(world.at("etc/hosts"), "kept").unwrap();
    make_real(world.fd().as_fd(), Path::new("etc/hosts"), Kind::File).unwrap();
    assert_eq!(fs::read_to_string(world.at("etc/hosts")).unwrap(), "kept");
}
