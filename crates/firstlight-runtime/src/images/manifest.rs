//! Is this manifest, index or configuration one that we take, and what does it say? Asked by pulls and imports. Pure.
//!
//! Whatever is not known is refused by name: schema 1, foreign layers, unknown media types, an index inside an index,
//! a document that could be read as two kinds (S32, CVE-2021-41190).

mod config;

pub(super) use config::config;

use super::digest::Digest;
use serde::Deserialize;

/// Largest manifest, index or configuration (S6).
pub(super) const DOCUMENT_MAX: u64 = 4 << 20;
/// Most layers; also what Docker allows.
pub(super) const LAYERS_MAX: usize = 127;

/// The document kinds asked for, as an `Accept` header.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// A document that a reference can lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    /// One image per platform.
    Index(Vec<IndexEntry>),
    /// One image.
    Manifest(Manifest),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) digest: Digest,
    /// `os/architecture`; `None` where the index does not say.
    platform: Option<String>,
    /// The annotation by which an OCI layout names its images.
    pub(super) name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    /// Bottom first, as written.
    pub(super) layers: Vec<(Descriptor, Compression)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) digest: Digest,
    /// Size in bytes.
    pub(super) size: u64,
}

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<Vec<RawDescriptor>>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    // Schema 1's own member: its presence beside the others is an attempt at being two things.
    fs_layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<RawPlatform>,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
}

/// Reads a manifest or an index; `content_type` is what the registry said it is.
///
/// # Errors
/// Why it is refused.
pub(super) fn document(bytes: &[u8], content_type: Option<&str>) -> Result<Document, String> {
    let raw: Raw = serde_json::from_slice(bytes).map_err(|e| format!("the manifest cannot be read: {e}"))?;
    if raw.schema_version != 2 || raw.fs_layers.is_some() {
        return Err(format!("manifest schema version {} is not supported, only 2", raw.schema_version));
    }
    let content_type = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
    let said = match (&raw.media_type, content_type) {
        // Registries without better knowledge serve files under a general type.
        (Some(inside), Some("application/json" | "application/octet-stream" | "text/plain")) => Some(inside.as_str()),
        (Some(inside), Some(outside)) if inside != outside => {
            return Err(format!("the manifest calls itself {inside} and the registry calls it {outside}"));
        }
        (Some(inside), _) => Some(inside.as_str()),
        (None, outside) => outside,
    };
    let is_index = match (said, &raw.manifests, &raw.config, &raw.layers) {
        (
            Some(
                "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json",
            ),
            Some(_),
            None,
            None,
        ) => true,
        (
            Some("application/vnd.oci.image.manifest.v1+json" | "application/vnd.docker.distribution.manifest.v2+json"),
            None,
            Some(_),
            Some(_),
        ) => false,
        (None | Some("application/json" | "application/octet-stream" | "text/plain"), Some(_), None, None) => true,
        (None | Some("application/json" | "application/octet-stream" | "text/plain"), None, Some(_), Some(_)) => false,
        (said, ..) => {
            return Err(format!(
                "{} is not an image this engine can run",
                said.unwrap_or("a document of no known kind")
            ));
        }
    };
    if is_index {
        let entries = raw.manifests.unwrap_or_default().into_iter().map(index_entry).collect::<Result<_, _>>()?;
        return Ok(Document::Index(entries));
    }
    match (raw.config, raw.layers) {
        (Some(config), Some(layers)) => Ok(Document::Manifest(manifest(config, layers)?)),
        _ => Err("the manifest has no config or no layers".to_owned()),
    }
}

/// This machine's platform, as indexes name it.
pub(super) fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    format!("linux/{architecture}")
}

/// The entry for this machine.
///
/// # Errors
/// If there is none: in containerd's words, with what there is.
pub(super) fn for_this_machine(entries: &[IndexEntry]) -> Result<&IndexEntry, String> {
    let here = platform();
    let fitting = entries.iter().find(|entry| entry.platform.as_deref() == Some(here.as_str()));
    let only = match entries {
        // A layout with one image need not say for which platform; its configuration does.
        [only] if only.platform.is_none() => Some(only),
        _ => None,
    };
    fitting.or(only).ok_or_else(|| {
        let there: Vec<&str> = entries.iter().filter_map(|entry| entry.platform.as_deref()).collect();
        format!("no match for platform in manifest: it has {}, and this machine is {here}", there.join(", "))
    })
}

fn index_entry(raw: RawDescriptor) -> Result<IndexEntry, String> {
    Ok(IndexEntry {
        digest: Digest::parse(&raw.digest)?,
        platform: raw.platform.map(|RawPlatform { os, architecture }| format!("{os}/{architecture}")),
        name: raw.annotations.get("org.opencontainers.image.ref.name").cloned(),
    })
}

fn manifest(config: RawDescriptor, layers: Vec<RawDescriptor>) -> Result<Manifest, String> {
    if !matches!(
        config.media_type.as_str(),
        "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json"
    ) {
        return Err(format!("its configuration is {}, so it is not a container image", config.media_type));
    }
    if layers.len() > LAYERS_MAX {
        return Err(format!("it has {} layers, and at most {LAYERS_MAX} are allowed", layers.len()));
    }
    let layers = layers.into_iter().enumerate().map(|(number, layer)| {
        let compression = compression(&layer.media_type).map_err(|e| format!("layer {number}: {e}"))?;
        if !layer.urls.is_empty() {
            return Err(format!("layer {number}: it is to be fetched from elsewhere (urls), which is refused"));
        }
        Ok((descriptor(&layer)?, compression))
    });
    let config = descriptor(&config)?;
    if config.size > DOCUMENT_MAX {
        return Err(format!("its configuration has {} bytes, and at most {DOCUMENT_MAX} are allowed", config.size));
    }
    Ok(Manifest { config, layers: layers.collect::<Result<_, String>>()? })
}

fn descriptor(raw: &RawDescriptor) -> Result<Descriptor, String> {
    Ok(Descriptor { digest: Digest::parse(&raw.digest)?, size: raw.size })
}

fn compression(media_type: &str) -> Result<Compression, String> {
    match media_type {
        "application/vnd.oci.image.layer.v1.tar" | "application/vnd.docker.image.rootfs.diff.tar" => {
            Ok(Compression::None)
        }
        "application/vnd.oci.image.layer.v1.tar+gzip" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
            Ok(Compression::Gzip)
        }
        "application/vnd.oci.image.layer.v1.tar+zstd" | "application/vnd.docker.image.rootfs.diff.tar.zstd" => {
            Ok(Compression::Zstd)
        }
        other if other.contains("nondistributable") || other.contains("foreign") => {
            Err(format!("{other} is a foreign layer, which is refused"))
        }
        other => Err(format!("media type {other} is not supported")),
    }
}

#[cfg(test)]
mod tests;
