//! Which documents are taken, and by which name the others are refused.

use super::*;
use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn blob(media_type: &str) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(b"x").to_string(), "size": 7})
}

fn image() -> Value {
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": blob("application/vnd.oci.image.config.v1+json"),
        "layers": [blob("application/vnd.oci.image.layer.v1.tar+gzip")],
    })
}

fn with(mut document: Value, key: &str, value: Value) -> Value {
    document[key] = value;
    document
}

fn read(document: &Value, content_type: Option<&str>) -> Result<Document, String> {
    super::document(document.to_string().as_bytes(), content_type)
}

fn entry(platform: Option<&str>) -> IndexEntry {
    let platform = platform.map(str::to_owned);
    IndexEntry { digest: Digest::of(platform.clone().unwrap_or_default().as_bytes()), platform, name: None }
}

#[test]
fn an_image_is_read_whatever_the_registry_calls_it_in_general() {
    let descriptor = Descriptor { digest: Digest::of(b"x"), size: 7 };
    let expected =
        Document::Manifest(Manifest { config: descriptor.clone(), layers: vec![(descriptor, Compression::Gzip)] });
    for content_type in [
        Some(MANIFEST),
        Some("application/json"),
        Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
        None,
    ] {
        assert_eq!(read(&image(), content_type).as_ref(), Ok(&expected), "{content_type:?}");
    }
    assert_eq!(read(&with(image(), "mediaType", Value::Null), Some(MANIFEST)), Ok(expected));
}

#[test]
fn every_layer_kind_of_oci_and_docker_is_known() {
    for (media_type, compression) in [
        ("application/vnd.oci.image.layer.v1.tar", Compression::None),
        ("application/vnd.oci.image.layer.v1.tar+zstd", Compression::Zstd),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", Compression::Gzip),
    ] {
        let Ok(Document::Manifest(manifest)) = read(&with(image(), "layers", json!([blob(media_type)])), None) else {
            panic!("{media_type}")
        };
        assert_eq!(manifest.layers[0].1, compression);
    }
}

#[test]
fn s32_what_is_not_known_is_refused_by_name() {
    let layer = |value: Value| with(image(), "layers", json!([value]));
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let elsewhere = with(blob("application/vnd.oci.image.layer.v1.tar"), "urls", json!(["http://evil/"]));
    for (document, reason) in [
        (with(image(), "schemaVersion", json!(1)), "schema version 1"),
        (with(image(), "fsLayers", json!([])), "schema version"),
        (with(image(), "mediaType", json!("application/vnd.docker.distribution.manifest.v1+json")), "not an image"),
        (with(image(), "manifests", json!([])), "not an image"),
        (with(image(), "mediaType", json!(INDEX)), "not an image"),
        (with(image(), "config", blob("application/vnd.cncf.helm.config.v1+json")), "not a container image"),
        (layer(blob(foreign)), "foreign"),
        (layer(blob(nondistributable)), "foreign"),
        (layer(blob("text/html")), "text/html"),
        (layer(elsewhere), "urls"),
        (with(image(), "layers", json!(vec![blob("application/vnd.oci.image.layer.v1.tar"); 128])), "128 layers"),
        (
            with(
                image(),
                "config",
                json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"").to_string(), "size": 5_000_000}),
            ),
            "5000000 bytes",
        ),
        (
            layer(
                json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:../../x", "size": 1}),
            ),
            "not a digest",
        ),
        (
            layer(
                json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": Digest::of(b"").to_string(), "size": -1}),
            ),
            "cannot be read",
        ),
        (json!([]), "cannot be read"),
        (json!({"schemaVersion": 2}), "no known kind"),
    ] {
        let error = read(&document, None).unwrap_err();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn s32_a_document_with_two_names_is_refused() {
    let error = read(&image(), Some(INDEX)).unwrap_err();
    assert!(error.contains("calls itself") && error.contains(INDEX), "{error}");
}

#[test]
fn an_index_gives_the_image_for_this_machine() {
    let here = platform();
    let entries = [entry(Some("linux/s390x")), entry(Some("unknown/unknown")), entry(Some(&here))];
    assert_eq!(for_this_machine(&entries).unwrap(), &entries[2]);
    assert_eq!(for_this_machine(&[entry(None)]).unwrap(), &entry(None));
    let error = for_this_machine(&entries[..2]).unwrap_err();
    assert!(error.starts_with("no match for platform in manifest: it has linux/s390x, unknown/unknown"), "{error}");
    assert!(for_this_machine(&[]).is_err());
}

#[test]
fn an_index_is_read() {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": MANIFEST, "digest": Digest::of(b"x").to_string(), "size": 3,
         "platform": {"os": "linux", "architecture": "amd64"}, "annotations": {"org.opencontainers.image.ref.name": "v1"}}
    ]});
    let Ok(Document::Index(entries)) = read(&index, Some(INDEX)) else { panic!("not an index") };
    assert_eq!((entries[0].platform.as_deref(), entries[0].name.as_deref()), (Some("linux/amd64"), Some("v1")));
}
