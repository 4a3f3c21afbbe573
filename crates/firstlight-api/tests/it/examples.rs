//! The examples of this repository are well formed and ask for nothing that is not honoured.

use firstlight_api::schema::{Kind, by_gvk, group_version};
use firstlight_api::{admit, defaults, fields, settle, validate};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn manifests(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            manifests(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
}

fn problems(kind: &Kind, mut object: Value) -> Vec<String> {
    let mut problems = fields::unknown(kind.ty, &object);
    defaults::apply(kind, &mut object);
    admit::create(kind, &mut object);
    problems.extend(validate::create(kind, &object).iter().map(ToString::to_string));
    if kind.kind == "Pod" && problems.is_empty() {
        assert!(settle::pod(&object).is_ok());
    }
    problems
}

#[test]
fn every_example_is_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = Vec::new();
    manifests(&root.join("examples"), &mut paths);
    assert!(!paths.is_empty());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            let (group, version) = group_version(document["apiVersion"].as_str().unwrap());
            let kind = by_gvk(group, version, document["kind"].as_str().unwrap());
            let kind = kind.unwrap_or_else(|| panic!("{}: {} is not served", path.display(), document["kind"]));
            assert_eq!(problems(kind, document), Vec::<String>::new(), "{}", path.display());
        }
    }
}
