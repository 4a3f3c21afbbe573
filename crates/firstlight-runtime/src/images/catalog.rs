//! Which references are known, and which image does each mean? Asked for every look-up; written by pulls and imports.
//!
//! ```text
//! IMAGES/names/HEX.json    one reference: what it led to; HEX is the digest of its text
//! IMAGES/configs/HEX       an image's configuration, named by its digest: the image's id
//! ```
//!
//! Both are written beside and renamed, and checked when read: what a power cut tore counts as absent and is fetched
//! again.

use super::Image;
use super::digest::Digest;
use super::layers::{Layers, hides_all_below};
use super::manifest::{self, DOCUMENT_MAX};
use super::reference::Reference;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The directory of names and configurations.
#[derive(Debug)]
pub(super) struct Catalog {
    names: PathBuf,
    configs: PathBuf,
}

/// What a reference led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// In full.
    pub(super) reference: String,
    /// Digest of the manifest or index that the registry gave for it.
    pub(super) resolved: Digest,
    /// Digest of the configuration.
    pub(super) config: Digest,
    /// Bytes of manifest, configuration and packed layers.
    pub(super) size: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    reference: String,
    resolved: String,
    config: String,
    size: u64,
}

impl Catalog {
    pub(super) fn open(images: &Path) -> io::Result<Catalog> {
        let catalog = Catalog { names: images.join("names"), configs: images.join("configs") };
        for directory in [&catalog.names, &catalog.configs] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        Ok(catalog)
    }

    /// The image this reference means here; `None` if it is not known, or not all of it is here any more.
    ///
    /// # Errors
    /// If it is here and unusable: why.
    pub(super) fn find(&self, layers: &Layers, reference: &Reference) -> Result<Option<(Record, Image)>, String> {
        let Some(record) = read_record(&self.name(&reference.to_string())) else { return Ok(None) };
        self.image(layers, &record).map(|image| image.map(|image| (record, image)))
    }

    /// Every reference that is known, in the order of their names.
    pub(super) fn all(&self, layers: &Layers) -> io::Result<Vec<(Record, Image)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.names)? {
            let path = entry?.path();
            if let Some(record) = read_record(&path)
                && let Ok(Some(image)) = self.image(layers, &record)
            {
                found.push((record, image));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.reference.cmp(&b.reference));
        Ok(found)
    }

    /// Makes the reference mean this image, whose layers are here.
    pub(super) fn add(
        &self,
        layers: &Layers,
        reference: &Reference,
        record: &Record,
        config: &[u8],
    ) -> Result<Image, String> {
        let Record { reference: name, resolved, config: id, size } = record;
        let stored =
            Stored { reference: name.clone(), resolved: resolved.to_string(), config: id.to_string(), size: *size };
        let write = || -> io::Result<()> {
            let work = layers.workspace()?;
            publish(work.path(), &self.configs.join(id.hex()), config)?;
            publish(work.path(), &self.name(&reference.to_string()), &serde_json::to_vec(&stored)?)
        };
        write().map_err(|e| format!("cannot record the image: {e}"))?;
        self.image(layers, record)?.ok_or_else(|| "a layer vanished while the image was put together".to_owned())
    }

    /// Forgets what the reference means; whether it meant anything. Layers stay, since pods may run on them.
    pub(super) fn remove(&self, reference: &Reference) -> io::Result<bool> {
        match fs::remove_file(self.name(&reference.to_string())) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn name(&self, reference: &str) -> PathBuf {
        self.names.join(format!("{}.json", Digest::of(reference.as_bytes()).hex()))
    }

    fn image(&self, layers: &Layers, record: &Record) -> Result<Option<Image>, String> {
        let Ok(bytes) = read(&self.configs.join(record.config.hex())) else { return Ok(None) };
        if Digest::of(&bytes) != record.config {
            return Ok(None);
        }
        let (config, diff_ids) = manifest::config(&bytes)?;
        let Some(found) = diff_ids.iter().rev().map(|id| layers.find(id)).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let stack = if found.is_empty() { vec![layers.empty().map_err(|e| e.to_string())?] } else { stack(found) };
        let Record { reference, resolved: _, config: id, size: _ } = record;
        let (reference, id) = (reference.clone(), id.to_string());
        Ok(Some(Image { id, reference, layers: stack, masks: Vec::new(), config, pulled: None }))
    }
}

/// What an overlay is given: the topmost first, and each directory once, since the kernel refuses twins. Of a layer that
/// occurs twice the upper one hides the lower wherever they say anything.
fn stack(topmost_first: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut stack: Vec<PathBuf> = Vec::new();
    for layer in topmost_first {
        if !stack.contains(&layer) {
            let last = hides_all_below(&layer);
            stack.push(layer);
            if last {
                break;
            }
        }
    }
    stack
}

fn read_record(path: &Path) -> Option<Record> {
    let Stored { reference, resolved, config, size } = serde_json::from_slice(&read(path).ok()?).ok()?;
    Some(Record { reference, resolved: Digest::parse(&resolved).ok()?, config: Digest::parse(&config).ok()?, size })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(DOCUMENT_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn publish(work: &Path, to: &Path, content: &[u8]) -> io::Result<()> {
    let beside = work.join("document");
    fs::write(&beside, content)?;
    fs::rename(&beside, to)
}
