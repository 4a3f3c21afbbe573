//! Our side: a release engine of its own, spoken to over its API as any client would.

use super::{Place, manifest};
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use kube::api::{Api, DeleteParams, DynamicObject, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The image's name in our engine.
pub(crate) const IMAGE: &str = "localhost/busybox:bench";

/// How many fresh starts are timed.
const STARTS: usize = 9;

/// A running engine.
pub(crate) struct Engine {
    process: Child,
    client: Client,
}

/// Times fresh engines, each on a new data directory, from exec to the first answer of /readyz.
pub(crate) async fn starts(place: &Place) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 0..=STARTS {
        let began = Instant::now();
        let data = place.scratch.join(format!("start-{number}"));
        let engine = Engine::on(place, &data).await?;
        let took = began.elapsed();
        engine.end().await?;
        if number > 0 {
            times.push(took);
        }
    }
    Ok(times)
}

impl Engine {
    /// Starts one with the bench's image imported.
    pub(crate) async fn start(place: &Place) -> Result<Engine> {
        let import = Command::new(&place.firstlight)
            .args(["image", "import", IMAGE])
            .arg(&place.layout)
            .arg("--image-dir")
            .arg(images(place))
            .stdout(Stdio::null())
            .status()?;
        if !import.success() {
            bail!("firstlight image import ended with {import}");
        }
        let engine = Engine::on(place, &place.scratch.join("engine")).await?;
        // What the engine sets up beside serving has its moment before memory is read.
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(engine)
    }

    async fn on(place: &Place, data: &Path) -> Result<Engine> {
        firstlight::install_crypto();
        let mut process = Command::new(&place.firstlight)
            .arg("engine")
            .arg("--data-dir")
            .arg(data)
            .arg("--image-dir")
            .arg(images(place))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let kubeconfig = data.join("kubeconfig");
        while !kubeconfig.exists() {
            if let Some(status) = process.try_wait()? {
                bail!("the engine ended with {status}");
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        let config =
            Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        client.request_text(http::Request::get("/readyz").body(Vec::new())?).await?;
        Ok(Engine { process, client })
    }

    /// A client of its API.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Resident memory now.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// POST sent to the watch event that shows the main container running; the pod is then removed, untimed.
    pub(crate) async fn pod(&self, round: usize, inits: usize) -> Result<Duration> {
        let name = format!("bench-{inits}-{round}");
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
        let pods: Api<DynamicObject> = Api::namespaced_with(self.client(), "default", &resource);
        let watch = WatchParams::default().fields(&format!("metadata.name={name}"));
        let mut events = pods.watch(&watch, "0").await?.boxed();
        let pod = serde_json::from_value(manifest(&name, inits, IMAGE))?;
        let began = Instant::now();
        pods.create(&PostParams::default(), &pod).await?;
        let took = loop {
            match events.try_next().await?.context("the watch ended")? {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) if main_runs(&pod) => break began.elapsed(),
                WatchEvent::Error(status) => bail!("{status:?}"),
                _ => {}
            }
        };
        pods.delete(&name, &DeleteParams::default().grace_period(0)).await?;
        while !matches!(events.try_next().await?, Some(WatchEvent::Deleted(_)) | None) {}
        Ok(took)
    }

    /// Ends it.
    pub(crate) async fn end(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.process.id())?).context("no process")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        tokio::task::spawn_blocking(move || self.process.wait()).await??;
        Ok(())
    }
}

fn main_runs(pod: &DynamicObject) -> bool {
    pod.data.pointer("/status/containerStatuses/0/state/running").is_some()
}

fn images(place: &Place) -> PathBuf {
    place.scratch.join("images")
}
