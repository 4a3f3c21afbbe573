//! The engine under the knife.

use crate::Settings;
use anyhow::{Context, Result, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The image of the network's pods.
pub(crate) const IMAGE: &str = "localhost/busybox:sweep";

/// How long a start may take before the sweep gives up: E6 says the store always opens.
const START_LIMIT: Duration = Duration::from_secs(30);

/// One engine, started and killed many times on one data directory.
pub(crate) struct Engine {
    firstlight: PathBuf,
    /// Its data directory.
    pub(crate) data: PathBuf,
    images: PathBuf,
    process: Option<Child>,
    trace: Option<Vec<String>>,
    client: Option<Client>,
}

impl Engine {
    /// Imports the image.
    pub(crate) fn prepare(settings: &Settings) -> Result<Engine> {
        firstlight::install_crypto();
        let images = settings.scratch.join("images");
        let import = Command::new(&settings.firstlight)
            .args(["image", "import", IMAGE])
            .arg(&settings.layout)
            .arg("--image-dir")
            .arg(&images)
            .stdout(Stdio::null())
            .status()?;
        if !import.success() {
            bail!("firstlight image import ended with {import}");
        }
        let (firstlight, data) = (settings.firstlight.clone(), settings.scratch.join("data"));
        Ok(Engine { firstlight, data, images, process: None, trace: None, client: None })
    }

    /// Starts it under `strace` from now on, with these arguments.
    pub(crate) fn trace(&mut self, arguments: Vec<String>) {
        self.trace = Some(arguments);
    }

    /// Starts it.
    pub(crate) fn spawn(&mut self) -> Result<()> {
        let _ = std::fs::remove_file(self.kubeconfig());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.data.with_extension("log"))?;
        let mut command = match &self.trace {
            Some(arguments) => {
                let mut strace = Command::new("strace");
                strace.args(arguments).arg(&self.firstlight);
                strace
            }
            None => Command::new(&self.firstlight),
        };
        let process = command
            .args(["engine", "--max-backoff", "1s"])
            .arg("--data-dir")
            .arg(&self.data)
            .arg("--image-dir")
            .arg(&self.images)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.process = Some(process);
        Ok(())
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.spawn()?;
        self.answers().await
    }

    /// Waits until it answers.
    pub(crate) async fn answers(&mut self) -> Result<()> {
        let kubeconfig = self.kubeconfig();
        let began = Instant::now();
        while !kubeconfig.exists() {
            let process = self.process.as_mut().context("the engine does not run")?;
            if let Some(status) = process.try_wait()? {
                bail!("E6: the engine ended with {status}; see {}", self.data.with_extension("log").display());
            }
            if began.elapsed() > START_LIMIT {
                bail!("E6: the engine does not come up");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let config =
            Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &KubeConfigOptions::default()).await?;
        self.client = Some(Client::try_from(config)?);
        Ok(())
    }

    fn kubeconfig(&self) -> PathBuf {
        self.data.join("kubeconfig")
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.process.as_mut().context("the engine does not run")?.try_wait()?.is_some())
    }

    /// A client of the running engine.
    pub(crate) fn client(&self) -> Result<Client> {
        self.client.clone().context("the engine does not run")
    }

    /// Takes the fault away: whatever is still traced goes on untraced. The tracer outlives the engine where pods do.
    pub(crate) fn untrace(&mut self) -> Result<()> {
        self.trace = None;
        let data = self.data.display().to_string();
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let command =
                String::from_utf8_lossy(&std::fs::read(path.join("cmdline")).unwrap_or_default()).into_owned();
            let pid = path.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw);
            if let Some(pid) = pid
                && command.starts_with("strace\0")
                && command.contains(&data)
            {
                // It minds no other signal here; what it traced is let go by the kernel.
                kill_process(pid, Signal::KILL)?;
            }
        }
        Ok(())
    }

    /// SIGKILL, if it has not ended.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the engine does not run")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the engine does not run")?;
        kill_process(Pid::from_child(&process), Signal::TERM)?;
        process.wait()?;
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
