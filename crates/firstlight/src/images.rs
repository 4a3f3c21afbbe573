//! The images of this machine, with or without an engine running.

use anyhow::Result;
use firstlight_runtime::images::Store;
use firstlight_runtime::{Allow, Registries};
use std::path::Path;

/// Imports an OCI layout (directory or tar) or a docker-archive under a name; returns the image's id.
///
/// # Errors
/// If the path is not such an image, or something in it is refused: the entry is named.
pub fn import(image_dir: &Path, name: &str, path: &Path) -> Result<String> {
    Ok(open(image_dir)?.import(name, path)?.id)
}

/// The names and ids of the images that are here.
///
/// # Errors
/// If the directory cannot be read.
pub fn list(image_dir: &Path) -> Result<Vec<(String, String)>> {
    let images = open(image_dir)?.list()?;
    Ok(images.into_iter().map(|image| (image.reference, image.id)).collect())
}

fn open(image_dir: &Path) -> Result<Store> {
    Ok(Store::open(image_dir, &Registries::default(), Allow::default(), None)?)
}
