//! Images put together by tests: layers, configuration, manifest; written as a layout, an archive, or to a registry.

use crate::images::tarball::Tar;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `sha256:...` of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A layer as it is sent.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) media_type: &'static str,
    pub(crate) packed: Vec<u8>,
    pub(crate) diff_id: String,
}

impl Layer {
    pub(crate) fn plain(tar: Vec<u8>) -> Layer {
        let diff_id = digest(&tar);
        Layer { media_type: "application/vnd.oci.image.layer.v1.tar", packed: tar, diff_id }
    }

    pub(crate) fn gzip(tar: &[u8]) -> Layer {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(tar).unwrap();
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        Layer { media_type, packed: encoder.finish().unwrap(), diff_id: digest(tar) }
    }

    pub(crate) fn zstd(tar: &[u8]) -> Layer {
        let media_type = "application/vnd.oci.image.layer.v1.tar+zstd";
        Layer { media_type, packed: zstd::encode_all(tar, 1).unwrap(), diff_id: digest(tar) }
    }

    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": digest(&self.packed), "size": self.packed.len()})
    }
}

/// An image.
#[derive(Clone)]
pub(crate) struct Artifact {
    pub(crate) layers: Vec<Layer>,
    pub(crate) config: Value,
    pub(crate) manifest: Value,
}

impl Artifact {
    pub(crate) fn new(layers: Vec<Layer>, config: Value) -> Artifact {
        let diff_ids: Vec<&String> = layers.iter().map(|layer| &layer.diff_id).collect();
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let config = json!({
            "os": "linux", "architecture": architecture, "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let bytes = config.to_string();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(bytes.as_bytes()), "size": bytes.len(),
            },
            "layers": layers.iter().map(Layer::descriptor).collect::<Vec<_>>(),
        });
        Artifact { layers, config, manifest }
    }

    /// One gzipped layer with one file.
    pub(crate) fn with_file(name: &str, content: &str) -> Artifact {
        Artifact::new(vec![Layer::gzip(&Tar::new().file(name, content).finish())], json!({"Cmd": ["/x"]}))
    }

    /// Everything it consists of, but for the manifest.
    pub(crate) fn blobs(&self) -> Vec<Vec<u8>> {
        let layers = self.layers.iter().map(|layer| layer.packed.clone());
        layers.chain([self.config.to_string().into_bytes()]).collect()
    }

    pub(crate) fn manifest_bytes(&self) -> Vec<u8> {
        self.manifest.to_string().into_bytes()
    }

    pub(crate) fn id(&self) -> String {
        digest(self.config.to_string().as_bytes())
    }

    pub(crate) fn descriptor(&self) -> Value {
        let bytes = self.manifest_bytes();
        json!({"mediaType": MANIFEST, "digest": digest(&bytes), "size": bytes.len()})
    }

    /// Writes an OCI image layout.
    pub(crate) fn write_layout(&self, directory: &Path) {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        for blob in self.blobs().iter().chain([&self.manifest_bytes()]) {
            fs::write(blobs.join(digest(blob).trim_start_matches("sha256:")), blob).unwrap();
        }
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [self.descriptor()]});
        fs::write(directory.join("index.json"), index.to_string()).unwrap();
    }

    /// The same layout as a tar.
    pub(crate) fn layout_tar(&self) -> Vec<u8> {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [self.descriptor()]});
        let tar = Tar::new().dir("blobs/").dir("blobs/sha256/").file("index.json", index.to_string());
        let blobs = self.blobs().into_iter().chain([self.manifest_bytes()]);
        blobs.fold(tar, |tar, blob| tar.file(format!("blobs/{}", digest(&blob).replace(':', "/")), blob)).finish()
    }

    /// What `docker save` wrote before it wrote layouts, a layer that occurs twice as a link to the first.
    pub(crate) fn docker_archive(&self, tag: &str) -> Vec<u8> {
        let config = format!("{}.json", self.id().trim_start_matches("sha256:"));
        let mut tar = Tar::new().file(&config, self.config.to_string());
        let mut names: Vec<String> = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            let name = format!("layer{number}/layer.tar");
            let twin = self.layers[..number].iter().position(|earlier| earlier.diff_id == layer.diff_id);
            tar = tar.dir(format!("layer{number}/"));
            tar = match twin {
                Some(twin) => tar.symlink(&name, format!("../layer{twin}/layer.tar")),
                None => tar.file(&name, &layer.packed),
            };
            names.push(name);
        }
        let manifest = json!([{"Config": config, "RepoTags": [tag], "Layers": names}]);
        tar.file("manifest.json", manifest.to_string()).finish()
    }
}
