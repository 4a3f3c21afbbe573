//! What the genesis recipe needs: CometBFT from its Go module, and the image that holds it beside `fl`.

use crate::images::{self, Entry, Image};
use crate::shell::{self, run};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The chain of the recipe, with its built-in key-value application. The newest patch of the 0.38 line.
const MODULE: &str = "github.com/cometbft/cometbft/cmd/cometbft@v0.38.26";

/// As `recipes/genesis/values.yaml` names it.
const NAME: &str = "genesis-node";
/// See [`NAME`].
const TAG: &str = "0.1";

/// The user the recipe's containers run as.
const USER: &str = "65532:65532";

/// CometBFT as a static binary under `target/tools`: built once, from its pinned module.
///
/// # Errors
/// No Go toolchain could be had, or the module did not build.
pub fn install_cometbft() -> Result<PathBuf> {
    let tools = shell::tools()?;
    let built = tools.join("cometbft");
    if version(&built).is_some_and(|found| MODULE.ends_with(&format!("@v{found}"))) {
        return Ok(built);
    }
    eprintln!("building {MODULE}; this takes a few minutes once");
    // Into a directory of its own: `go install` writes in place, and an interrupted build must not look finished.
    let staging = tools.join("cometbft-build");
    run(Command::new(crate::go::go()?)
        .args(["install", "-trimpath", "-ldflags", "-s -w", MODULE])
        .env("CGO_ENABLED", "0")
        .env("GOBIN", &staging))?;
    std::fs::rename(staging.join("cometbft"), &built).context("cannot put cometbft into place")?;
    match version(&built) {
        Some(_) => Ok(built),
        None => bail!("{} does not run", built.display()),
    }
}

fn version(program: &Path) -> Option<String> {
    let text = shell::output(Command::new(program).arg("version")).ok()?;
    Some(text.trim().trim_start_matches('v').to_owned())
}

/// The image of every node, as an OCI layout in `directory`: `firstlight.dev/genesis-node:0.1`.
///
/// # Errors
/// A binary could not be read or the layout not written.
pub fn image(directory: &Path, fl: &Path, cometbft: &Path) -> Result<Image> {
    let entries = [
        Entry::program("/usr/local/bin/fl", fl),
        Entry::program("/usr/local/bin/cometbft", cometbft),
        Entry::text("/etc/passwd", "root:x:0:0::/:\nnode:x:65532:65532::/:\n"),
        Entry::text("/etc/group", "root:x:0:\nnode:x:65532:\n"),
        Entry::directory("/tmp", 0o1777),
    ];
    let layout = directory.join(NAME);
    images::assemble(&layout, &entries, &json!({ "Env": ["PATH=/usr/local/bin"], "User": USER, "WorkingDir": "/" }))?;
    Ok(Image { layout, name: NAME.to_owned(), tag: TAG.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{MODULE, NAME, TAG};

    #[test]
    fn the_recipe_names_this_image_and_this_version() {
        let values = include_str!("../../../recipes/genesis/values.yaml");
        assert!(values.contains(&format!("image: firstlight.dev/{NAME}:{TAG}\n")));
        let version = MODULE.rsplit('@').next().unwrap_or_default();
        assert!(values.contains(&format!("version: {version}\n")));
    }
}
