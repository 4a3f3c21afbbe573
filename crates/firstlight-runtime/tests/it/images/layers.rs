//! Layers stacked by the kernel as a container sees them: whiteouts hide, and hide no more than they should.

use super::Here;
use super::artifact::{Artifact, Layer};
use super::tarball::Tar;
use firstlight_runtime::images::Image;
use rustix::mount::{MountFlags, UnmountFlags};
use serde_json::json;
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

/// An image's layers mounted as one.
struct Stacked {
    _here: Here,
    root: PathBuf,
}

impl Drop for Stacked {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.root, UnmountFlags::DETACH).unwrap();
    }
}

impl Stacked {
    fn new(layers: Vec<Tar>) -> Stacked {
        let here = Here::new();
        let layout = here.tmp.path().join("layout");
        let layers = layers.into_iter().map(|tar| Layer::gzip(&tar.finish())).collect();
        Artifact::new(layers, json!({})).write_layout(&layout);
        let image: Image = here.store.import("localhost/app", &layout).unwrap();
        let root = here.tmp.path().join("root");
        for name in ["root", "upper", "work"] {
            fs::create_dir(here.tmp.path().join(name)).unwrap();
        }
        let lower: Vec<&str> = image.layers.iter().map(|layer| layer.to_str().unwrap()).collect();
        let tmp = here.tmp.path().display();
        let options = format!("lowerdir={},upperdir={tmp}/upper,workdir={tmp}/work", lower.join(":"));
        let options = CString::new(options).unwrap();
        rustix::mount::mount("overlay", &root, "overlay", MountFlags::empty(), options.as_c_str()).unwrap();
        Stacked { _here: here, root }
    }

    /// Every file, sorted.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut left = vec![self.root.clone()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let shown = path.strip_prefix(&self.root).unwrap_or(Path::new("")).to_str().unwrap().to_owned();
                if path.is_dir() { left.push(path) } else { files.push(shown) }
            }
        }
        files.sort();
        files
    }
}

fn base() -> Tar {
    Tar::new().dir("a").file("a/one", "1").file("a/two", "2").dir("b").file("b/three", "3").file("top", "t")
}

#[test]
fn a_whiteout_hides_what_lies_below() {
    let stacked =
        Stacked::new(vec![base(), Tar::new().file("a/.wh.one", "").file(".wh.b", "").file(".wh.nothing", "")]);
    assert_eq!(stacked.files(), ["a/two", "top"]);
}

#[test]
fn an_opaque_directory_shows_only_its_own() {
    let stacked = Stacked::new(vec![base(), Tar::new().dir("a").file("a/.wh..wh..opq", "").file("a/new", "n")]);
    assert_eq!(stacked.files(), ["a/new", "b/three", "top"]);
}

#[test]
fn an_opaque_root_shows_only_its_own() {
    let stacked = Stacked::new(vec![base(), Tar::new().file(".wh..wh..opq", "").file("new", "n")]);
    assert_eq!(stacked.files(), ["new"]);
}

#[test]
fn a_whiteout_says_nothing_about_its_own_layer_whichever_comes_first() {
    let whiteout_first = Tar::new().file(".wh.a", "").dir("a").file("a/new", "n").file(".wh.top", "").file("top", "2");
    let whiteout_last = Tar::new().dir("a").file("a/new", "n").file(".wh.a", "").file("top", "2").file(".wh.top", "");
    let without_directory = Tar::new().file(".wh.a", "").file("a/new", "n").file("top", "2");
    for layer in [whiteout_first, whiteout_last, without_directory] {
        let stacked = Stacked::new(vec![base(), layer]);
        assert_eq!(stacked.files(), ["a/new", "b/three", "top"]);
        assert_eq!(fs::read_to_string(stacked.root.join("top")).unwrap(), "2");
    }
}

#[test]
fn bookkeeping_of_aufs_is_left_out() {
    let stacked = Stacked::new(vec![
        Tar::new().file(".wh..wh.aufs", "").dir(".wh..wh.plnk").file(".wh..wh.plnk/1.2", "x").file("x", ""),
    ]);
    assert_eq!(stacked.files(), ["x"]);
}

#[test]
fn a_layer_that_occurs_twice_is_mounted_once_and_wins_where_it_is_uppermost() {
    let again = || Tar::new().file("x", "first");
    let stacked = Stacked::new(vec![again(), Tar::new().file("x", "second").file("y", ""), again()]);
    assert_eq!(stacked.files(), ["x", "y"]);
    assert_eq!(fs::read_to_string(stacked.root.join("x")).unwrap(), "first");
}
