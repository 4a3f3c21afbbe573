//! Layers from strangers (S5, S6): none may touch anything outside its own directory, and each that tries is refused by
//! name and leaves nothing behind.

use super::artifact::{Artifact, Layer};
use super::tarball::{Header, Tar};
use super::{Allow, Here, Registries, Store};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A tree outside the store that links point at, and that must stay as it is.
struct Canary {
    tmp: tempfile::TempDir,
}

impl Canary {
    fn new() -> Canary {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join("dir")).unwrap();
        fs::write(tmp.path().join("dir/inner"), "inner").unwrap();
        fs::write(tmp.path().join("file"), "canary").unwrap();
        symlink("file", tmp.path().join("link")).unwrap();
        Canary { tmp }
    }

    fn path(&self) -> &Path {
        self.tmp.path()
    }

    /// Everything that could have changed.
    fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        let mut left = vec![self.path().to_owned()];
        while let Some(path) = left.pop() {
            let m = path.symlink_metadata().unwrap();
            let content = if m.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            state.push(format!("{path:?} {:o} {} {} {} {content:?}", m.mode(), m.uid(), m.nlink(), m.mtime_nsec()));
            if m.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        state.sort();
        state
    }
}

fn import(layer: Layer) -> (Here, Result<PathBuf, String>) {
    let here = Here::new();
    let layout = here.tmp.path().join("layout");
    Artifact::new(vec![layer], json!({})).write_layout(&layout);
    let outcome = here.store.import("localhost/app", &layout);
    (here, outcome.map(|mut image| image.layers.remove(0)).map_err(|e| e.to_string()))
}

fn taken(tar: Tar) -> (Here, PathBuf) {
    let (here, outcome) = import(Layer::plain(tar.finish()));
    (here, outcome.unwrap())
}

/// What tries to get out, or to confuse, and the reason it is refused for.
fn hostile(canary: &Path) -> Vec<(&'static str, Tar, &'static str)> {
    let out = canary.to_str().unwrap().as_bytes().to_vec();
    let file = [&out, b"/file".as_slice()].concat();
    let up = "../".repeat(30);
    let climbing = format!("{up}{}", canary.to_str().unwrap());
    let new = Tar::new;
    let device = |name: &str, kind| new().entry(Header::new(name, kind), "");
    let pax = |key: &str, value: &[u8]| new().pax(key, value).file("x", "x");
    vec![
        ("a file above", new().file("../evil", "x"), "climbs"),
        ("a file above, inside", new().dir("a").file("a/../../evil", "x"), "climbs"),
        ("dots after a dot", new().file("./../evil", "x"), "climbs"),
        ("the parent as a directory", new().dir(".."), "climbs"),
        ("the parent at the end", new().dir("a/.."), "climbs"),
        ("an absolute file", new().file("/evil", "x"), "absolute"),
        ("the canary by its path", new().file(&file, "x"), "absolute"),
        ("no name", new().file("", "x"), "empty"),
        ("a link, then through it", new().symlink("l", &out).file("l/evil", "x"), "leads out"),
        ("a climbing link, then through it", new().symlink("l", &climbing).file("l/evil", "x"), "leads out"),
        ("one level up, then down", new().symlink("l", "../..").file("l/evil", "x"), "leads out"),
        ("a chain of links", new().symlink("a", &out).symlink("b", "a").file("b/evil", "x"), "leads out"),
        ("a link deep down", new().dir("d").symlink("d/l", &out).dir("d/l/new"), "leads out"),
        ("a directory behind a link", new().symlink("l", &out).dir("l/dir"), "leads out"),
        ("a file over one behind a link", new().symlink("l", &out).file("l/file", "x"), "leads out"),
        ("a link made behind a link", new().symlink("l", &out).symlink("l/evil", "x"), "leads out"),
        ("a fifo behind a link", new().symlink("l", &out).entry(Header::new("l/evil", b'6'), ""), "leads out"),
        ("a link to nowhere, then through it", new().symlink("l", "nowhere").file("l/evil", "x"), "leads out"),
        ("a link to itself, then through it", new().symlink("l", "l").file("l/evil", "x"), "leads out"),
        ("magic links", new().symlink("l", "/proc/self/root").file("l/tmp/evil", "x"), "leads out"),
        (
            "a directory swapped for a link",
            new().dir("d").file("d/a", "").symlink("d", &out).file("d/evil", "x"),
            "leads out",
        ),
        ("a whiteout behind a link", new().symlink("l", &out).file("l/.wh.file", ""), "leads out"),
        ("an opaque mark behind a link", new().symlink("l", &out).file("l/.wh..wh..opq", ""), "leads out"),
        ("a hard link to an absolute file", new().hardlink("h", &file), "absolute"),
        ("a hard link above", new().hardlink("h", &climbing), "climbs"),
        ("a hard link through a link", new().symlink("l", &out).hardlink("h", "l/file"), "not a file of this layer"),
        ("a hard link to nothing", new().hardlink("h", "nothing"), "not a file of this layer"),
        ("a hard link to a directory", new().dir("d").hardlink("h", "d"), "not a file of this layer"),
        ("a hard link to the root", new().hardlink("h", "./"), "root of the layer"),
        ("a hard link to itself", new().file("h", "x").hardlink("h", "h"), "link to itself"),
        (
            "a hard link over what it is in",
            new().dir("d").file("d/t", "x").hardlink("d", "d/t"),
            "not a file of this layer",
        ),
        (
            "a hard link to a link out, then through it",
            new().symlink("l", &out).hardlink("h", "l").file("h/evil", "x"),
            "leads out",
        ),
        ("the root as a link (GHSA-9m95)", new().symlink(".", &out).file("evil", "x"), "replace the root"),
        ("the root as a link, in disguise", new().symlink("./././", &out), "replace the root"),
        ("the root as a file", new().file("./", "x").file(".//.", "x"), "only a file may"),
        ("the root as a hard link", new().hardlink(".", "x"), "replace the root"),
        ("a block device", device("sda", b'4'), "is a device"),
        ("a character device", device("null", b'3'), "is a device"),
        ("a device that climbs out of dev", device("dev/../sda", b'4'), "climbs"),
        ("a whiteout of the parent", new().file("a/.wh...", ""), "whiteout of nothing"),
        ("a whiteout of itself", new().file("a/.wh..", ""), "whiteout of nothing"),
        ("a whiteout of nothing", new().file(".wh.", ""), "whiteout of nothing"),
        ("a file as a directory", new().file("f", "x").file("f/x", "x"), "not a directory"),
        ("a fifo as a directory", new().entry(Header::new("f", b'6'), "").file("f/x", "x"), "not a directory"),
        ("pax: a path that climbs", pax("path", b"../evil"), "climbs"),
        ("pax: an absolute path", pax("path", &file), "absolute"),
        ("pax: a zero byte in a path", pax("path", b"a\0b"), "zero byte"),
        ("pax: a hard link out", new().pax("linkpath", &file).hardlink("h", "ok"), "absolute"),
        ("pax: a number that is none", pax("uid", b"-1"), "no number"),
        ("pax: an owner beyond all", pax("uid", b"4294967296"), "out of range"),
        ("pax: nobody at all", pax("gid", b"4294967295"), "out of range"),
        ("pax: no records", new().entry(Header::new("p", b'x'), "nonsense").file("x", ""), "malformed"),
        ("pax: a record longer than all", new().entry(Header::new("p", b'x'), "99 a=b\n").file("x", ""), "malformed"),
        ("pax: a size that is not true", pax("size", b"99999999999"), "ends inside an entry"),
        ("pax: too much", new().entry(Header::new("p", b'x'), vec![b' '; (1 << 20) + 1]), "extension header"),
        ("pax: sparse", pax("GNU.sparse.major", b"1"), "sparse"),
        ("steering: redirect", pax("SCHILY.xattr.trusted.overlay.redirect", b"/etc"), "steer the overlay"),
        ("steering: opaque", pax("SCHILY.xattr.trusted.overlay.opaque", b"y"), "steer the overlay"),
        ("steering: by a user", pax("SCHILY.xattr.user.overlay.whiteout", b""), "steer the overlay"),
        ("GNU: a long name that climbs", new().gnu_long(b'L', "../evil").file("x", "x"), "climbs"),
        ("GNU: a long target out", new().gnu_long(b'K', &file).hardlink("h", "x"), "absolute"),
        ("GNU: sparse", new().entry(Header::new("s", b'S'), ""), "sparse"),
        ("a volume header", new().entry(Header::new("v", b'V'), ""), "not supported"),
        ("a continued file", new().entry(Header::new("m", b'M'), ""), "not supported"),
        ("a directory with content", new().entry(Header::new("d", b'5'), "x"), "only a file may"),
        (
            "a link with content",
            new().entry(Header { link: b"x".to_vec(), ..Header::new("l", b'2') }, "x"),
            "only a file may",
        ),
        ("a link to nothing", new().symlink("l", ""), "target is empty"),
        ("a part too long", new().gnu_long(b'L', "x".repeat(256)).file("x", ""), "more than 255"),
        ("a path too long", new().gnu_long(b'L', "x/".repeat(3000)).file("x", ""), "more than 4096"),
        ("a path too deep", new().gnu_long(b'L', "x/".repeat(300)).dir("x"), "more than 255"),
        ("a checksum that is off by one", off_by_one(), "checksum"),
        ("a checksum that is none", new().raw([b'x'; 512]), "checksum"),
        ("an end inside a header", new().file("x", "x").raw([b'x'; 100]), "checksum"),
    ]
}

fn off_by_one() -> Tar {
    let mut block = Header::new("x", b'0').block();
    block[0] = b'y';
    Tar::new().raw(block)
}

#[test]
fn s5_no_hostile_layer_touches_anything_outside_itself() {
    let canary = Canary::new();
    let before = canary.state();
    let corpus = hostile(canary.path());
    assert!(corpus.len() >= 60, "{}", corpus.len());
    for (name, tar, reason) in corpus {
        let (here, outcome) = import(Layer::plain(tar.finish()));
        let error = outcome.expect_err(name);
        assert!(error.contains(reason), "{name}: {error}");
        assert_eq!(canary.state(), before, "{name}");
        here.assert_empty();
    }
}

#[test]
fn s5_hostile_layers_with_bytes_changed_at_random_touch_nothing_either() {
    let canary = Canary::new();
    let before = canary.state();
    let corpus: Vec<Vec<u8>> =
        hostile(canary.path()).into_iter().map(|(_, tar, _)| tar.finish()).filter(|tar| tar.len() < 100_000).collect();
    let seed = 20_261_120u64;
    let mut state = seed;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for _ in 0..300 {
        // Two strangers' layers as one, a few bytes changed, the checksums right again: nothing is refused for those.
        let mut tar = corpus[below(corpus.len())].clone();
        tar.truncate(tar.len() - 1024);
        tar.extend(&corpus[below(corpus.len())]);
        for _ in 0..below(4) {
            let block = below(tar.len() / 512) * 512;
            tar[block + below(512)] = b"\0/.01257xLghl"[below(13)];
        }
        mend(&mut tar);
        let (here, _) = import(Layer::plain(tar));
        drop(here);
        assert_eq!(canary.state(), before, "seed {seed}");
    }
}

/// Writes the checksum of every block that looks like a header.
fn mend(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

#[test]
fn the_entry_that_is_refused_is_named() {
    let (_here, outcome) = import(Layer::plain(Tar::new().dir("fine").file("fine/../../evil", "x").finish()));
    assert!(outcome.unwrap_err().contains("entry \"fine/../../evil\": its name climbs out with '..'"));
}

#[test]
fn fault_36_a_damaged_layer_leaves_nothing() {
    let tar = Tar::new().file("x", vec![7; 100_000]).finish();
    let (gzip, zstd) = (Layer::gzip(&tar), Layer::zstd(&tar));
    let with = |layer: &Layer, packed: Vec<u8>| Layer { packed, ..layer.clone() };
    let flip = |layer: &Layer, at: usize| {
        let mut packed = layer.packed.clone();
        packed[at] ^= 0xff;
        with(layer, packed)
    };
    let half = |layer: &Layer| with(layer, layer.packed[..layer.packed.len() / 2].to_vec());
    let and = |layer: &Layer, more: &[u8]| with(layer, [&layer.packed, more].concat());
    for (name, layer) in [
        ("gzip: not at all", with(&gzip, tar.clone())),
        ("gzip: truncated", half(&gzip)),
        ("gzip: flipped", flip(&gzip, gzip.packed.len() / 2)),
        ("gzip: wrong checksum", flip(&gzip, gzip.packed.len() - 6)),
        ("gzip: garbage behind", and(&gzip, b"garbage behind")),
        ("zstd: not at all", with(&zstd, tar.clone())),
        ("zstd: truncated", half(&zstd)),
        ("zstd: flipped", flip(&zstd, 2)),
        ("zstd: garbage behind", and(&zstd, b"garbage behind")),
        ("another diff id", Layer { diff_id: Layer::plain(Vec::new()).diff_id, ..gzip.clone() }),
        ("data behind the end", Layer::plain([tar.clone(), b"more".to_vec()].concat())),
        ("an end inside an entry", Layer::plain(tar[..2000].to_vec())),
        ("an end inside a header", Layer::plain(Tar::new().file("x", "").unfinished()[..300].to_vec())),
    ] {
        let (here, outcome) = import(layer);
        assert!(outcome.is_err(), "{name}");
        here.assert_empty();
    }
}

#[test]
fn a_later_entry_replaces_a_link_instead_of_following_it() {
    let canary = Canary::new();
    let before = canary.state();
    let file = canary.path().join("file").to_str().unwrap().to_owned();
    let dir = canary.path().join("dir").to_str().unwrap().to_owned();
    let (_here, layer) = taken(
        Tar::new()
            .symlink("a", &file)
            .file("a", "mine")
            .symlink("b", &dir)
            .dir("b")
            .file("b/x", "mine")
            .dir("c")
            .file("c/x", "gone")
            .file("c", "mine"),
    );
    assert_eq!(canary.state(), before);
    assert!(
        layer.join("a").symlink_metadata().unwrap().is_file() && layer.join("b").symlink_metadata().unwrap().is_dir()
    );
    assert_eq!(fs::read_to_string(layer.join("c")).unwrap(), "mine");
}

#[test]
fn what_images_need_is_kept() {
    let (_here, layer) = taken(
        Tar::new()
            .entry(Header { mode: 0o755, uid: 7, gid: 8, modified: 1_600_000_000, ..Header::new("./", b'5') }, "")
            .entry(Header { mode: 0o1777, modified: 1_500_000_000, ..Header::new("tmp/", b'5') }, "")
            .entry(
                Header { mode: 0o4755, uid: 1000, gid: 2000, modified: 1_400_000_000, ..Header::new("tmp/su", b'0') },
                "x",
            )
            .hardlink("tmp/twin", "tmp/su")
            .symlink("abs", "/etc/passwd")
            .symlink("rel", "../../x")
            .file("implied/parent/file", "x")
            .symlink("lib", "usr/lib")
            .dir("usr/lib")
            .file("lib/through", "x")
            .entry(Header { mode: 0o622, ..Header::new("fifo", b'6') }, "")
            .pax("mtime", "1300000000.25")
            .pax("SCHILY.xattr.user.note", "a\nb")
            .pax("SCHILY.xattr.security.selinux", "left behind")
            .pax("path", "a-name-from-pax")
            .file("x", "x")
            .gnu_long(b'L', format!("{}/x", "long".repeat(40)))
            .file("x", "x")
            .entry(Header::new("dev/null", b'3'), ""),
    );
    let stat = |path: &str| layer.join(path).symlink_metadata().unwrap();
    assert_eq!((stat("").uid(), stat("").gid(), stat("").mtime()), (7, 8, 1_600_000_000));
    assert_eq!((stat("tmp").mode() & 0o7777, stat("tmp").mtime()), (0o1777, 1_500_000_000));
    let su = stat("tmp/su");
    assert_eq!((su.mode() & 0o7777, su.uid(), su.gid(), su.mtime()), (0o4755, 1000, 2000, 1_400_000_000));
    assert_eq!(stat("tmp/twin").ino(), su.ino());
    assert_eq!(fs::read_link(layer.join("abs")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::read_link(layer.join("rel")).unwrap(), Path::new("../../x"));
    assert_eq!(stat("implied/parent").permissions().mode() & 0o7777, 0o755);
    assert!(layer.join("usr/lib/through").is_file());
    assert!(stat("fifo").file_type().is_fifo() && stat("fifo").mode() & 0o7777 == 0o622);
    let pax = stat("a-name-from-pax");
    assert_eq!((pax.mtime(), pax.mtime_nsec()), (1_300_000_000, 250_000_000));
    let mut note = [0u8; 16];
    assert_eq!(rustix::fs::getxattr(layer.join("a-name-from-pax"), "user.note", &mut note).unwrap(), 3);
    assert_eq!(&note[..3], b"a\nb");
    assert!(layer.join("long".repeat(40)).join("x").is_file());
    assert!(!layer.join("dev/null").exists(), "a container has its own /dev");
}

#[test]
fn opening_the_store_again_sweeps_what_was_under_way_and_keeps_what_is_whole() {
    let (here, layer) = taken(Tar::new().file("x", "x"));
    let images = here.tmp.path().join("images");
    fs::create_dir_all(images.join("tmp/999999-0/content/deep")).unwrap();
    let torn = images.join("layers").join("0".repeat(64));
    fs::create_dir_all(torn.join("deep")).unwrap();
    fs::write(torn.with_extension("unsynced"), "an earlier boot").unwrap();
    let fresh = images.join("layers").join("1".repeat(64));
    fs::create_dir_all(&fresh).unwrap();
    fs::copy("/proc/sys/kernel/random/boot_id", fresh.with_extension("unsynced")).unwrap();
    Store::open(&images, &Registries::default(), Allow::default(), None).unwrap();
    assert!(!images.join("tmp/999999-0").exists(), "work that nobody holds");
    assert!(!torn.exists() && !torn.with_extension("unsynced").exists(), "what a power cut may have torn");
    assert!(fresh.exists(), "unpacked in this boot");
    assert!(layer.join("x").exists());
    assert!(!layer.with_extension("unsynced").exists(), "an import waits for the disk");
}
