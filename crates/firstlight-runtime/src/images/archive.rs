//! How does an image come from a file? Asked by imports: an OCI layout (directory or tar) or what `docker save` and
//! `podman save` write; tars may be compressed.

mod source;

use super::catalog::Record;
use super::digest::Digest;
use super::layers::Packed;
use super::manifest::{self, Compression, Document, IndexEntry, Manifest};
use super::reference::{Reference, Version};
use super::{Image, Inner};
use serde::Deserialize;
use source::Source;
use std::path::Path;

/// An index in an index in a layout: `docker buildx` writes that. Deeper is refused.
const INDEXES_MAX: usize = 2;

/// One image of a docker-archive.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Reads the image in the file or directory at `path` into the store, as `reference`. Blocking.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn import(inner: &Inner, reference: &Reference, path: &Path) -> Result<Image, String> {
    let source = Source::open(&inner.layers, path)?;
    if let Some(index) = source.document("index.json")? {
        return import_layout(inner, reference, &source, &index);
    }
    if let Some(manifest) = source.document("manifest.json")? {
        return import_saved(inner, reference, &source, &manifest);
    }
    Err("it is neither an OCI image layout (no index.json) nor a docker archive (no manifest.json)".to_owned())
}

fn import_layout(inner: &Inner, reference: &Reference, source: &Source, index: &[u8]) -> Result<Image, String> {
    let mut document = manifest::document(index, None)?;
    let mut resolved = Digest::of(index);
    let mut bytes = index.len();
    let mut depth = 0;
    let manifest = loop {
        match document {
            Document::Manifest(manifest) => break manifest,
            Document::Index(_) if depth == INDEXES_MAX => {
                return Err(format!("more than {INDEXES_MAX} indexes inside each other are refused"));
            }
            Document::Index(entries) => {
                depth += 1;
                resolved = choose(&entries, reference)?.digest.clone();
                let inner_document = blob(source, &resolved)?;
                bytes = inner_document.len();
                document = manifest::document(&inner_document, None)?;
            }
        }
    };
    let config = blob(source, &manifest.config.digest)?;
    let (_, diff_ids) = manifest::config(&config)?;
    let Manifest { config: descriptor, layers } = &manifest;
    same_number(layers.len(), diff_ids.len())?;
    for ((layer, compression), diff_id) in layers.iter().zip(&diff_ids) {
        let promised = Some((layer.digest.clone(), layer.size));
        add(inner, source, &place(&layer.digest), &Packed { compression: *compression, promised }, diff_id)?;
    }
    let packed: u64 = layers.iter().map(|(layer, _)| layer.size).sum();
    let size = packed.saturating_add((bytes + config.len()) as u64);
    let record = Record { reference: reference.to_string(), resolved, config: descriptor.digest.clone(), size };
    inner.catalog.add(&inner.layers, reference, &record, &config)
}

fn import_saved(inner: &Inner, reference: &Reference, source: &Source, manifest: &[u8]) -> Result<Image, String> {
    let saved: Vec<Saved> =
        serde_json::from_slice(manifest).map_err(|e| format!("its manifest.json cannot be read: {e}"))?;
    let named = |image: &&Saved| {
        let tags = image.repo_tags.iter().flatten();
        tags.into_iter().any(|tag| Reference::parse(tag).as_ref() == Ok(reference))
    };
    let image = match saved.as_slice() {
        [only] => only,
        several => several.iter().find(named).ok_or_else(|| {
            format!("it holds {} images and none of them is tagged {reference}; save one by itself", several.len())
        })?,
    };
    let config = source.document(&image.config)?.ok_or_else(|| format!("{} is missing in it", image.config))?;
    let id = Digest::of(&config);
    let (_, diff_ids) = manifest::config(&config)?;
    same_number(image.layers.len(), diff_ids.len())?;
    let mut size = config.len() as u64;
    for (layer, diff_id) in image.layers.iter().zip(&diff_ids) {
        let compression = source.compression(layer)?;
        add(inner, source, layer, &Packed { compression, promised: None }, diff_id)?;
        size = size.saturating_add(source.size(layer)?);
    }
    let record = Record { reference: reference.to_string(), resolved: id.clone(), config: id, size };
    inner.catalog.add(&inner.layers, reference, &record, &config)
}

/// The image of a layout that is meant: the one named like the reference if any is, then the one for this machine.
fn choose<'a>(entries: &'a [IndexEntry], reference: &Reference) -> Result<&'a IndexEntry, String> {
    let is_meant = |name: &str| {
        matches!(&reference.version, Version::Tag(tag) if tag == name)
            || Reference::parse(name).as_ref() == Ok(reference)
    };
    match entries.iter().find(|entry| entry.name.as_deref().is_some_and(is_meant)) {
        Some(named) => Ok(named),
        None => manifest::for_this_machine(entries),
    }
}

fn same_number(layers: usize, diff_ids: usize) -> Result<(), String> {
    if layers == diff_ids {
        Ok(())
    } else {
        Err(format!("it has {layers} layers and its configuration names {diff_ids}"))
    }
}

fn add(inner: &Inner, source: &Source, name: &str, packed: &Packed, diff_id: &Digest) -> Result<(), String> {
    if inner.layers.find(diff_id).is_some() {
        return Ok(());
    }
    let file = source.open_file(name)?;
    inner.layers.add(file, packed, diff_id).map(drop).map_err(|e| format!("failed to unpack layer {name}: {e}"))
}

fn blob(source: &Source, digest: &Digest) -> Result<Vec<u8>, String> {
    let bytes = source.document(&place(digest))?.ok_or_else(|| format!("{digest} is missing in it"))?;
    let found = Digest::of(&bytes);
    if found == *digest { Ok(bytes) } else { Err(format!("{digest} is damaged: its digest is {found}")) }
}

fn place(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// How a file is packed, by the bytes it begins with.
fn sniff(start: &[u8]) -> Compression {
    match start {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        _ => Compression::None,
    }
}
