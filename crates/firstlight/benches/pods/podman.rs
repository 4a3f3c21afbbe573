//! Podman's side: `podman play kube` of the same pod, with its storage in the bench's directory.

use super::{Place, manifest};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The image's name in podman's storage.
const IMAGE: &str = "localhost/busybox:bench";

/// Podman asks for limits above what an unprivileged-enough root may set, and every pod fails; these it may have.
const CONTAINERS_CONF: &str = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";

/// Podman, ready to play.
pub(crate) struct Podman {
    scratch: PathBuf,
}

impl Podman {
    /// Imports the image and plays one pod, so that its pause image is built before anything is timed.
    pub(crate) fn prepare(place: &Place) -> Result<Podman> {
        let podman = Podman { scratch: place.scratch.join("podman") };
        std::fs::create_dir_all(&podman.scratch)?;
        std::fs::write(podman.scratch.join("containers.conf"), CONTAINERS_CONF)?;
        let mut tar =
            Command::new("tar").arg("-C").arg(&place.busybox_root).args(["-c", "."]).stdout(Stdio::piped()).spawn()?;
        let archive = tar.stdout.take().context("tar has no output")?;
        let import =
            podman.command().args(["import", "--quiet", "-", IMAGE]).stdin(archive).stdout(Stdio::null()).status()?;
        if !tar.wait()?.success() || !import.success() {
            bail!("podman import failed");
        }
        podman.pod(0)?;
        Ok(podman)
    }

    /// The whole command, which returns when the main container has started; without a network, which only helps it.
    pub(crate) fn pod(&self, inits: usize) -> Result<Duration> {
        let file = self.scratch.join("pod.json");
        std::fs::write(&file, manifest("bench", inits, IMAGE).to_string())?;
        let began = Instant::now();
        let play = self.command().args(["play", "kube", "--network", "none"]).arg(&file).output()?;
        let took = began.elapsed();
        if !play.status.success() {
            bail!("podman play kube: {}", String::from_utf8_lossy(&play.stderr));
        }
        let removed = self.command().args(["pod", "rm", "--force", "--time", "0", "bench"]).output()?;
        if !removed.status.success() {
            bail!("podman pod rm: {}", String::from_utf8_lossy(&removed.stderr));
        }
        Ok(took)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command
            .env("CONTAINERS_CONF", self.scratch.join("containers.conf"))
            .arg("--root")
            .arg(self.scratch.join("storage"))
            .arg("--runroot")
            .arg(self.scratch.join("run"))
            .args(["--cgroup-manager", "cgroupfs", "--runtime", "/usr/bin/crun", "--log-level", "fatal"]);
        command
    }
}
