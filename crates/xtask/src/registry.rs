//! A real registry on loopback, filled with the images the examples and tests name.

use crate::images;
use crate::shell::{self, output};
use anyhow::{Context, Result, bail};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the registry may take to answer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running registry; it ends when this is dropped.
pub struct Registry {
    process: Child,
    directory: PathBuf,
    /// `127.0.0.1:PORT`
    pub address: String,
}

impl Registry {
    /// Starts Debian's docker-registry on a free loopback port, with its files under `directory`.
    pub fn start(directory: &Path) -> Result<Registry> {
        std::fs::create_dir_all(directory)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let config = directory.join("config.yml");
        let storage = directory.join("storage");
        std::fs::write(
            &config,
            format!(
                "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
                storage.display()
            ),
        )?;
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run docker-registry; apt-get install docker-registry")?;
        let registry = Registry { process, directory: directory.to_owned(), address };
        registry.wait()?;
        Ok(registry)
    }

    fn wait(&self) -> Result<()> {
        let began = Instant::now();
        while curl(&["-o", "/dev/null", &format!("http://{}/v2/", self.address)]).is_err() {
            if began.elapsed() > START_LIMIT {
                bail!("the registry on {} does not answer", self.address);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Pushes the image of an OCI layout directory as `name:tag`.
    pub fn push(&self, layout: &Path, name: &str, tag: &str) -> Result<()> {
        let base = format!("http://{}/v2/{name}", self.address);
        let index: serde_json::Value = serde_json::from_slice(&std::fs::read(layout.join("index.json"))?)?;
        let descriptor = &index["manifests"][0];
        let digest = descriptor["digest"].as_str().context("index.json names no manifest")?;
        let media = descriptor["mediaType"].as_str().context("index.json names no media type")?;
        let manifest = blob(layout, digest)?;
        let parsed: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest)?)?;
        let layers = parsed["layers"].as_array().cloned().unwrap_or_default();
        for part in std::iter::once(&parsed["config"]).chain(&layers) {
            let digest = part["digest"].as_str().context("a part of the manifest has no digest")?;
            push_blob(&base, digest, &blob(layout, digest)?)?;
        }
        let data = format!("@{}", manifest.display());
        let header = format!("Content-Type: {media}");
        curl(&["-X", "PUT", "-H", &header, "--data-binary", &data, &format!("{base}/manifests/{tag}")]).map(drop)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The OCI distribution specification's monolithic upload: POST for a place, PUT the bytes there.
fn push_blob(base: &str, digest: &str, file: &Path) -> Result<()> {
    let headers = curl(&["-D", "-", "-o", "/dev/null", "-X", "POST", &format!("{base}/blobs/uploads/")])?;
    let place = headers
        .lines()
        .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("location")))
        .map(|(_, value)| value.trim().to_owned())
        .context("the registry gave no place for an upload")?;
    let separator = if place.contains('?') { '&' } else { '?' };
    let data = format!("@{}", file.display());
    let header = "Content-Type: application/octet-stream";
    curl(&["-X", "PUT", "-H", header, "--data-binary", &data, &format!("{place}{separator}digest={digest}")]).map(drop)
}

fn blob(layout: &Path, digest: &str) -> Result<PathBuf> {
    let (algorithm, hex) = digest.split_once(':').context("a digest without its algorithm")?;
    Ok(layout.join("blobs").join(algorithm).join(hex))
}

fn curl(arguments: &[&str]) -> Result<String> {
    output(Command::new("curl").args(["--fail", "--silent", "--show-error", "--noproxy", "*"]).args(arguments))
}

/// Starts a registry with every example image in it.
pub fn with_examples(directory: &Path) -> Result<Registry> {
    let registry = Registry::start(&directory.join("registry"))?;
    for image in images::examples(&directory.join("layouts"))? {
        registry.push(&image.layout, &image.name, &image.tag)?;
    }
    Ok(registry)
}

/// `cargo xtask registry`: runs until interrupted.
pub(crate) fn run() -> Result<()> {
    crate::setup::packages(&[crate::setup::TEST])?;
    let registry = with_examples(&shell::target().join("example-registry"))?;
    println!("serving busybox, nginx and curlimages/curl; in another terminal:");
    println!("  export FIRSTLIGHT_MIRRORS=docker.io={}", registry.address);
    println!("Ctrl-C ends it");
    loop {
        std::thread::park();
    }
}
