//! Builds what a user gets: the engine in release, the toolbox static and small.

use crate::setup;
use crate::shell::{cargo, run, target};
use anyhow::Result;
use std::path::PathBuf;

/// The release binaries.
pub(crate) struct Built {
    /// `firstlight`
    pub(crate) firstlight: PathBuf,
    /// `fl`, static
    pub(crate) fl: PathBuf,
}

/// Builds both; fast if nothing changed.
pub(crate) fn release() -> Result<Built> {
    setup::packages(&[setup::BUILD])?;
    let fl = toolbox()?;
    run(cargo().args(["build", "--release", "--package", "firstlight-cli"]))?;
    Ok(Built { firstlight: target().join("release/firstlight"), fl })
}

/// Builds the static toolbox.
pub(crate) fn toolbox() -> Result<PathBuf> {
    setup::musl_target()?;
    run(cargo().args(["build", "--profile", "toolbox", "--target", setup::MUSL, "--package", "firstlight-toolbox"]))?;
    Ok(target().join(setup::MUSL).join("toolbox/fl"))
}
