//! Which API to talk to: a context of the user's kubeconfig, the engine that runs on a data directory, or one
//! started now.

use crate::args::{Given, Place, Powers};
use crate::exit::{Exit, Failure, Outcome};
use crate::toolbox;
use firstlight::lifecycle;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a fresh engine may take to answer; it needs a few tens of milliseconds.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How often a starting engine is asked.
const START_POLL: Duration = Duration::from_millis(5);

/// The API that was found.
pub(crate) struct Found {
    pub(crate) client: Client,
    /// Whether it is an engine that was started for this.
    pub(crate) started: bool,
    /// Whether that engine began with nothing, so that there is nothing to lose in it.
    pub(crate) fresh: bool,
}

/// The API to talk to: the context, the running engine, or a new one that is given this.
pub(crate) async fn or_start(place: &Place, given: &Given) -> Outcome<Found> {
    match existing(place).await? {
        Some(client) => Ok(Found { client, started: false, fresh: false }),
        None => start(place, given).await,
    }
}

/// The API to talk to, if there is one.
pub(crate) async fn existing(place: &Place) -> Outcome<Option<Client>> {
    firstlight::install_crypto();
    match &place.context {
        Some(context) => by_context(context).await.map(Some),
        None => running(&place.data_dir).await,
    }
}

async fn by_context(context: &str) -> Outcome<Client> {
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = Config::from_kubeconfig(&options).await.map_err(|error| {
        Failure::new(Exit::Usage, format!("--context {context}: {error}; `kubectl config get-contexts` lists them"))
    })?;
    Ok(Client::try_from(config)?)
}

/// The engine on this data directory, if it answers.
async fn running(data_dir: &Path) -> Outcome<Option<Client>> {
    let path = kubeconfig_path(data_dir);
    match std::fs::metadata(&path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::new(Exit::Failed, format!("{}: {error}; the engine runs as root", path.display())));
        }
    }
    let kubeconfig = Kubeconfig::read_from(&path)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    Ok(client.apiserver_version().await.is_ok().then_some(client))
}

async fn start(place: &Place, given: &Given) -> Outcome<Found> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(Exit::Failed, "the engine makes namespaces, mounts and cgroups: run this as root"));
    }
    lifecycle::check_place(&place.data_dir)?;
    std::fs::create_dir_all(&place.data_dir).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("{}: {error}; run as root or name another --data-dir", place.data_dir.display()),
        )
    })?;
    let log = place.data_dir.join("engine.log");
    let _turn = turn(&log).await?;
    if let Some(client) = running(&place.data_dir).await? {
        return Ok(Found { client, started: false, fresh: false });
    }
    let fresh = !lifecycle::has_state(&place.data_dir);
    // A kubeconfig left by an engine that is gone would be asked in vain until the new one is written.
    let _ = std::fs::remove_file(kubeconfig_path(&place.data_dir));
    let mut engine = spawn(place, given, &log)?;
    let began = Instant::now();
    loop {
        if let Some(client) = running(&place.data_dir).await? {
            return Ok(Found { client, started: true, fresh });
        }
        if let Some(status) = engine.try_wait()? {
            return Err(did_not_start(&format!("ended with {status}"), &log));
        }
        if began.elapsed() > START_LIMIT {
            return Err(did_not_start("did not answer in time", &log));
        }
        tokio::time::sleep(START_POLL).await;
    }
}

/// Of several that would start an engine at once, one does; for the others it then runs.
async fn turn(log: &Path) -> Outcome<File> {
    let file = append(log)?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) => tokio::time::sleep(START_POLL).await,
            Err(error) => return Err(error.into()),
        }
    }
}

fn append(log: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(log)
}

/// Starts an engine of its own process group, so that Ctrl-C here does not end it.
fn spawn(place: &Place, given: &Given, log: &Path) -> Outcome<Child> {
    let output = append(log)?;
    let Given { powers: Powers { allow_host_path, allow_privileged, allow_host_image }, toolbox } = given;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("engine").arg("--started-by-up").arg("--data-dir").arg(&place.data_dir);
    for (flag, on) in [
        ("--allow-host-path", allow_host_path),
        ("--allow-privileged", allow_privileged),
        ("--allow-host-image", allow_host_image),
    ] {
        if *on {
            command.arg(flag);
        }
    }
    if let Some(toolbox) = toolbox::find(toolbox.as_deref())? {
        command.arg("--toolbox").arg(toolbox);
    }
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
    Ok(command.spawn()?)
}

fn did_not_start(how: &str, log: &Path) -> Failure {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let tail: Vec<&str> = text.lines().rev().take(5).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    Failure::new(Exit::Failed, format!("the engine {how}; {} says:\n{}", log.display(), tail.join("\n")))
}

/// Where an engine writes its kubeconfig unless told otherwise.
pub(crate) fn kubeconfig_path(data_dir: &Path) -> PathBuf {
    data_dir.join("kubeconfig")
}
