//! Images from files.

use super::artifact::{Artifact, INDEX, Layer, digest};
use super::tarball::Tar;
use super::{Allow, Here, Registries, Store};
use rustix::mount::{MountFlags, UnmountFlags};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

fn image() -> Artifact {
    let layer = |content: &str| Layer::gzip(&Tar::new().file("x", content).finish());
    Artifact::new(vec![layer("1"), layer("2"), layer("1")], json!({"Cmd": ["/x"]}))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write(here: &Here, bytes: &[u8]) -> PathBuf {
    let path = here.tmp.path().join("file.tar");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn layouts_and_archives_give_the_same_image_compressed_or_not() {
    let image = image();
    let (layout, archive) = (image.layout_tar(), image.docker_archive("localhost/app:v1"));
    for file in [&layout, &gzip(&layout), &zstd::encode_all(&*layout, 1).unwrap(), &archive, &gzip(&archive)] {
        let here = Here::new();
        let imported = here.store.import("localhost/app:v1", &write(&here, file)).unwrap();
        assert_eq!(imported.id, image.id());
        assert_eq!(imported.layers.len(), 2, "the layer that occurs twice is stacked once, where it is uppermost");
        assert_eq!(fs::read(imported.layers[0].join("x")).unwrap(), b"1");
        assert_eq!(here.store.local("localhost/app:v1").unwrap(), imported);
    }
    let here = Here::new();
    let directory = here.tmp.path().join("layout");
    image.write_layout(&directory);
    assert_eq!(here.store.import("localhost/app:v1", &directory).unwrap().id, image.id());
}

#[test]
fn an_archive_with_several_images_gives_the_one_that_is_named() {
    let (one, two) = (Artifact::with_file("x", "1"), Artifact::with_file("x", "2"));
    let manifest: Vec<_> = [("one", &one), ("two", &two)]
        .map(|(tag, image)| json!({"Config": format!("{tag}.json"), "RepoTags": [format!("localhost/{tag}:latest")], "Layers": [format!("{tag}.tar")], "Id": image.id()}))
        .into();
    let tar = [("one", &one), ("two", &two)].iter().fold(Tar::new(), |tar, (tag, image)| {
        tar.file(format!("{tag}.json"), image.config.to_string()).file(format!("{tag}.tar"), &image.layers[0].packed)
    });
    let here = Here::new();
    let file = write(&here, &tar.file("manifest.json", json!(manifest).to_string()).finish());
    assert_eq!(here.store.import("localhost/two", &file).unwrap().id, two.id());
    let error = here.store.import("localhost/three", &file).unwrap_err().to_string();
    assert!(error.contains("none of them is tagged localhost/three:latest"), "{error}");
}

#[test]
fn an_index_inside_the_layouts_index_is_followed_once() {
    let image = image();
    let here = Here::new();
    let layout = here.tmp.path().join("layout");
    image.write_layout(&layout);
    let mut inner = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image.descriptor()]}).to_string();
    for (depth, works) in [(1, true), (2, false)] {
        fs::write(layout.join("blobs").join(digest(inner.as_bytes()).replace(':', "/")), &inner).unwrap();
        inner = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": INDEX, "digest": digest(inner.as_bytes()), "size": inner.len()}
        ]})
        .to_string();
        fs::write(layout.join("index.json"), &inner).unwrap();
        assert_eq!(here.store.import("localhost/app", &layout).is_ok(), works, "depth {depth}");
    }
}

#[test]
fn an_image_without_layers_has_an_empty_root() {
    let here = Here::new();
    let file = write(&here, &Artifact::new(Vec::new(), json!({})).layout_tar());
    let image = here.store.import("localhost/scratch", &file).unwrap();
    assert_eq!(image.layers.len(), 1);
    assert_eq!(fs::read_dir(&image.layers[0]).unwrap().count(), 0);
}

#[test]
fn what_is_no_image_or_a_damaged_one_is_refused_and_leaves_nothing() {
    let image = Artifact::with_file("x", "1");
    let here = Here::new();
    let layout = here.tmp.path().join("layout");
    image.write_layout(&layout);
    let blob = layout.join("blobs").join(digest(&image.layers[0].packed).replace(':', "/"));
    // In the content, and in gzip's header, which says nothing about the content.
    for at in [20, 4] {
        let mut damaged = image.layers[0].packed.clone();
        damaged[at] ^= 1;
        fs::write(&blob, &damaged).unwrap();
        assert!(here.store.import("localhost/app", &layout).is_err(), "byte {at}");
        here.assert_empty();
    }
    fs::remove_file(&blob).unwrap();
    assert!(here.store.import("localhost/app", &layout).unwrap_err().to_string().contains("is missing in it"));

    for (file, reason) in [
        (Tar::new().file("hello", "x").finish(), "neither an OCI image layout"),
        (b"not a tar".to_vec(), "inside a header"),
        (gzip(b"x")[..8].to_vec(), "cannot import"),
        (Tar::new().symlink("index.json", "/etc/passwd").finish(), "links out"),
        (Tar::new().symlink("index.json", "index.json").finish(), "link to a link"),
        (Tar::new().file("../index.json", "{}").finish(), "climbs"),
        (Tar::new().file("manifest.json", r#"[{"Config":"../../etc/passwd","Layers":[]}]"#).finish(), "climbs"),
        (Tar::new().file("index.json", vec![b' '; 5 << 20]).finish(), "more than 4194304 bytes"),
    ] {
        let error = here.store.import("localhost/app", &write(&here, &file)).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
        here.assert_empty();
    }
    assert!(here.store.import("localhost/app", &here.tmp.path().join("nothing")).is_err());
    assert!(
        here.store.import("firstlight.local/host", &layout).unwrap_err().to_string().contains("made by the engine")
    );
}

#[test]
fn a_layouts_links_do_not_lead_out_of_it() {
    let here = Here::new();
    let layout = here.tmp.path().join("layout");
    let image = Artifact::with_file("x", "1");
    image.write_layout(&layout);
    let outside = here.tmp.path().join("index.json");
    fs::rename(layout.join("index.json"), &outside).unwrap();
    std::os::unix::fs::symlink("../index.json", layout.join("index.json")).unwrap();
    assert!(here.store.import("localhost/app", &layout).is_err());
}

#[test]
fn fault_12_a_full_disk_leaves_no_part_of_a_layer() {
    let here = Here::new();
    let file = write(&here, &Artifact::with_file("big", &"x".repeat(4 << 20)).layout_tar());
    let images = here.tmp.path().join("small");
    fs::create_dir(&images).unwrap();
    rustix::mount::mount("tmpfs", &images, "tmpfs", MountFlags::empty(), c"size=2m").unwrap();
    let store = Store::open(&images, &Registries::default(), Allow::default(), None).unwrap();
    let full = store.import("localhost/app", &file).unwrap_err().to_string();
    let left = fs::read_dir(images.join("layers")).unwrap().count() + fs::read_dir(images.join("tmp")).unwrap().count();
    rustix::mount::mount_remount(&images, MountFlags::empty(), c"size=20m").unwrap();
    let freed = store.import("localhost/app", &file).map(|image| image.layers.len());
    rustix::mount::unmount(&images, UnmountFlags::DETACH).unwrap();
    assert!(full.contains("entry \"big\": No space left on device"), "{full}");
    assert_eq!((left, freed), (1, Ok(1)), "only the lock is left, and it works again when there is room");
}
