//! Kubernetes' own serialisation samples: the same object as JSON and as protobuf.

use serde_json::Value;
use std::path::Path;

pub(crate) struct Sample {
    /// `core.v1.Pod`
    pub(crate) name: String,
    pub(crate) json: Value,
    pub(crate) protobuf: Vec<u8>,
}

/// Every sample in the folder.
pub(crate) fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut samples = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the golden folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "json") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let json = serde_json::from_slice(&std::fs::read(&path).expect("readable")).expect("JSON");
            let protobuf = std::fs::read(path.with_extension("pb")).expect("a protobuf twin");
            samples.push(Sample { name, json, protobuf });
        }
    }
    assert!(samples.len() >= 20, "only {} samples in {}", samples.len(), folder.display());
    samples
}
