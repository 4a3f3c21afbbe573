//! Debian's own registry on loopback, and what Debian's packages put into images.

use crate::images::artifact::{Artifact, MANIFEST, digest};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A `docker-registry` process with its own directory; it ends when dropped.
pub(crate) struct Debian {
    process: Child,
    _storage: tempfile::TempDir,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    client: reqwest::Client,
}

impl Drop for Debian {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Debian {
    pub(crate) async fn start() -> Debian {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let storage = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = storage.path().join("config.yml");
        let root = storage.path().join("storage");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n",
            root.display()
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry runs; apt-get install docker-registry");
        let registry = Debian { process, _storage: storage, address, client };
        registry.wait().await;
        registry
    }

    /// The registry tells nobody when it listens, so it is asked until it answers.
    async fn wait(&self) {
        let began = Instant::now();
        while self.client.get(format!("http://{}/v2/", self.address)).send().await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "docker-registry does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Pushes an image as `repository:tag`.
    pub(crate) async fn push(&self, image: &Artifact, repository: &str, tag: &str) {
        for blob in image.blobs() {
            self.push_blob(repository, blob).await;
        }
        self.push_document(repository, tag, MANIFEST, image.manifest_bytes()).await;
        self.push_document(repository, &digest(&image.manifest_bytes()), MANIFEST, image.manifest_bytes()).await;
    }

    /// Pushes a manifest or an index.
    pub(crate) async fn push_document(&self, repository: &str, name: &str, media_type: &str, bytes: Vec<u8>) {
        let url = format!("http://{}/v2/{repository}/manifests/{name}", self.address);
        let answer = self.client.put(url).header("Content-Type", media_type).body(bytes).send().await.unwrap();
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
    }

    /// The distribution specification's upload: POST for a place, PUT the bytes there.
    async fn push_blob(&self, repository: &str, bytes: Vec<u8>) {
        let url = format!("http://{}/v2/{repository}/blobs/uploads/", self.address);
        let place = self.client.post(url).header("Content-Length", 0).send().await.unwrap();
        let place = place.headers()["location"].to_str().unwrap().to_owned();
        let separator = if place.contains('?') { '&' } else { '?' };
        let url = format!("{place}{separator}digest={}", digest(&bytes));
        let answer = self.client.put(url).body(bytes).send().await.unwrap();
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
    }
}
