//! `cargo xtask schema --from DIR`: writes what `firstlight-api` knows of Kubernetes' types from the descriptions
//! Kubernetes publishes. A maintainer runs it when the pinned minor version changes; its output is committed.
//!
//! `DIR` holds `fields.json` (every API struct's fields, from the struct tags of `k8s.io/api`), `openapi-v3/` (the
//! published documents) and `golden/` (the serialisation samples of `k8s.io/api/testdata`), all of one minor version.

mod fields;
mod openapi;
mod served;
mod tables;

use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with Kubernetes' descriptions.
    #[arg(long)]
    from: PathBuf,
    /// Write nothing; fail if a committed file differs from what would be written.
    #[arg(long)]
    check: bool,
}

/// Files to write, by path below `crates/firstlight-api`.
type Output = BTreeMap<PathBuf, Vec<u8>>;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut output = Output::new();
    let fields = fields::Packages::new(read_json(&args.from.join("fields.json"))?)?;
    let documents = documents(&args.from.join("openapi-v3"))?;
    output.insert("src/schema/tables.rs".into(), tables::generate(&fields, &documents)?.into_bytes());
    openapi::generate(&documents, &mut output)?;
    for name in served::GOLDEN.iter().flat_map(|name| [format!("{name}.json"), format!("{name}.pb")]) {
        let path = args.from.join("golden").join(&name);
        let sample = std::fs::read(&path).with_context(|| path.display().to_string())?;
        output.insert(Path::new("tests/golden").join(name), sample);
    }
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firstlight-api");
    if args.check { check(&home, &output) } else { write(&home, &output) }
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// The OpenAPI document of each served group, by its file name without `.json`.
fn documents(folder: &Path) -> anyhow::Result<BTreeMap<&'static str, Value>> {
    served::DOCUMENTS.iter().map(|name| Ok((*name, read_json(&folder.join(format!("{name}.json")))?))).collect()
}

fn check(home: &Path, output: &Output) -> anyhow::Result<()> {
    let stale: Vec<_> = output
        .iter()
        .filter(|(path, content)| std::fs::read(home.join(path)).ok().as_ref() != Some(content))
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !stale.is_empty() {
        bail!("not what the inputs give: {}; run `cargo xtask schema --from DIR` and commit", stale.join(", "));
    }
    println!("{} files are what the inputs give", output.len());
    Ok(())
}

fn write(home: &Path, output: &Output) -> anyhow::Result<()> {
    for (path, content) in output {
        let path = home.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    println!("{} files written", output.len());
    Ok(())
}
