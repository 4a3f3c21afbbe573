//! The bare sequence: `crun run` of each init in turn, then of the main container, detached.

use super::Place;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs the sequence once and removes what it left, untimed.
pub(crate) fn sequence(place: &Place, inits: usize) -> Result<Duration> {
    let state = place.scratch.join("crun-state");
    let init = bundle(place, "init", &["/bin/true"])?;
    let main = bundle(place, "main", &["/bin/sleep", "1000"])?;
    let began = Instant::now();
    for number in 0..inits {
        run(&state, &init, &[], &format!("bench-init-{number}"))?;
    }
    run(&state, &main, &["--detach"], "bench-main")?;
    let took = began.elapsed();
    let deleted = Command::new("crun").arg("--root").arg(&state).args(["delete", "--force", "bench-main"]).status()?;
    if !deleted.success() {
        bail!("crun delete ended with {deleted}");
    }
    Ok(took)
}

fn run(state: &Path, bundle: &Path, flags: &[&str], name: &str) -> Result<()> {
    let status = Command::new("crun")
        .arg("--root")
        .arg(state)
        .arg("run")
        .args(flags)
        .arg("--bundle")
        .arg(bundle)
        .arg(name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("crun run ended with {status}");
    }
    Ok(())
}

/// A bundle over the plain directory, from crun's own default configuration.
fn bundle(place: &Place, name: &str, command: &[&str]) -> Result<PathBuf> {
    let bundle = place.scratch.join("crun").join(name);
    let file = bundle.join("config.json");
    if file.exists() {
        return Ok(bundle);
    }
    std::fs::create_dir_all(&bundle)?;
    let status = Command::new("crun").arg("spec").current_dir(&bundle).status()?;
    if !status.success() {
        bail!("crun spec ended with {status}");
    }
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    config["process"]["args"] = json!(command);
    config["process"]["terminal"] = json!(false);
    config["process"]["rlimits"] = json!([]);
    config["root"] = json!({"path": place.busybox_root, "readonly": true});
    std::fs::write(&file, serde_json::to_vec(&config)?)?;
    Ok(bundle)
}
