//! The command line.

use crate::exit;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Brings a distributed system up in the right order, on one machine or on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "firstlight", version, max_term_width = 110, after_help = exit::TABLE, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Apply manifests and wait until everything is Ready; starts an engine if none runs.
    ///
    /// PATH is a manifest, a directory of manifests, a recipe (a directory with values.yaml and templates/), or - for
    /// standard input. A second `up` of the same manifests changes nothing.
    #[command(after_help = "Examples:\n  firstlight up recipes/genesis\n  firstlight up -f pod.yaml --timeout 30s\n  \
                            firstlight up . --context my-cluster")]
    Up(Up),
    /// Delete what manifests name, or everything; ends the engine that `up` started.
    Down(Down),
    /// Run the engine in the foreground and write a kubeconfig.
    #[command(
        after_help = "Then, in another terminal:\n  export KUBECONFIG=/var/lib/firstlight/kubeconfig\n  kubectl get pods -A"
    )]
    Engine(Box<Engine>),
    /// Print the manifests of a recipe, and its line-up of steps.
    Render(Render),
    /// Images of the engine on this machine.
    #[command(subcommand)]
    Image(Image),
    /// Print a shell completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory.
    Man {
        /// Where to.
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) manifests: Manifests,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Give up after this long, for example 90s or 5m; the default is to wait.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// How progress is shown.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) given: Given,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) manifests: Manifests,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Give up after this long.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2m")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) manifests: Manifests,
    /// Print only the line-up: pods, their init steps in order, their containers.
    #[arg(long)]
    pub(crate) line_up: bool,
}

/// Which manifests.
#[derive(Debug, Args)]
pub(crate) struct Manifests {
    /// Manifests, directories, recipes, or - for standard input.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// A manifest file; may be repeated.
    #[arg(long = "filename", short = 'f', value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A recipe's value, for example faucet.enabled=true; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Namespace for objects that name none.
    #[arg(long, short, default_value = "default")]
    pub(crate) namespace: String,
}

/// Which engine or cluster.
#[derive(Debug, Args, Clone)]
pub(crate) struct Place {
    /// Where the engine keeps its state.
    #[arg(long, value_name = "DIR", env = "FIRSTLIGHT_DATA_DIR", default_value = "/var/lib/firstlight")]
    pub(crate) data_dir: PathBuf,
    /// Use this context of your kubeconfig instead of an engine on this machine.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

/// What an engine is given when it starts, by hand or by `up`; one that runs already keeps what it has.
#[derive(Debug, Args, Clone, Default)]
pub(crate) struct Given {
    #[command(flatten)]
    pub(crate) powers: Powers,
    /// The static fl binary, served as the image firstlight.local/toolbox [default: fl beside this command, if there].
    #[arg(long, value_name = "PATH", env = "FIRSTLIGHT_TOOLBOX")]
    pub(crate) toolbox: Option<PathBuf>,
}

/// Powers that manifests may ask for; all off by default.
#[derive(Debug, Args, Clone, Copy, Default)]
pub(crate) struct Powers {
    /// Allow hostPath volumes.
    #[arg(long, env = "FIRSTLIGHT_ALLOW_HOST_PATH")]
    pub(crate) allow_host_path: bool,
    /// Allow privileged containers.
    #[arg(long, env = "FIRSTLIGHT_ALLOW_PRIVILEGED")]
    pub(crate) allow_privileged: bool,
    /// Allow the image firstlight.local/host: this machine's own files, read-only under a private overlay.
    #[arg(long, env = "FIRSTLIGHT_ALLOW_HOST_IMAGE")]
    pub(crate) allow_host_image: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Engine {
    /// Where the engine keeps its state.
    #[arg(long, value_name = "DIR", env = "FIRSTLIGHT_DATA_DIR", default_value = "/var/lib/firstlight")]
    pub(crate) data_dir: PathBuf,
    /// Address of the API; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Needed to listen on an address that other machines can reach.
    #[arg(long)]
    pub(crate) listen_beyond_loopback: bool,
    /// Where to write the kubeconfig [default: DATA_DIR/kubeconfig]. Its certificate lives a year; the file is written
    /// anew at every start, and every month while the engine runs.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The node's name [default: this machine's host name].
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,
    /// Where image layers are kept; engines of one machine may share it.
    #[arg(long, value_name = "DIR", env = "FIRSTLIGHT_IMAGE_DIR", default_value = "/var/cache/firstlight/images")]
    pub(crate) image_dir: PathBuf,
    /// Take images of a registry from a mirror, for example docker.io=127.0.0.1:5000; may be repeated.
    #[arg(long, value_name = "REGISTRY=HOST", env = "FIRSTLIGHT_MIRRORS", value_delimiter = ',')]
    pub(crate) mirror: Vec<String>,
    /// Speak plain HTTP to this registry; loopback addresses always may.
    #[arg(long, value_name = "HOST")]
    pub(crate) plain_http_registry: Vec<String>,
    /// How many images are pulled at once, 8 if it is not said.
    #[arg(long, value_name = "N", env = "FIRSTLIGHT_PARALLEL_PULLS")]
    pub(crate) parallel_pulls: Option<std::num::NonZeroUsize>,
    /// Longest crash back-off, 1s to 300s.
    #[arg(long, value_name = "DURATION", value_parser = backoff, env = "FIRSTLIGHT_MAX_BACKOFF")]
    pub(crate) max_backoff: Option<Duration>,
    /// Crash back-off from 1s to 60s rather than from 10s to 300s (Kubernetes: ReduceDefaultCrashLoopBackOffDecay).
    #[arg(long, env = "FIRSTLIGHT_REDUCED_BACKOFF")]
    pub(crate) reduced_backoff: bool,
    #[command(flatten)]
    pub(crate) given: Given,
    /// Set by `up`: the engine belongs to that run, and `down` ends it.
    #[arg(long, hide = true)]
    pub(crate) started_by_up: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Import an OCI layout (directory or tar) or a docker-archive under a name.
    Import {
        /// The name pods use, for example myapp:1.0.
        name: String,
        /// The layout or archive.
        path: PathBuf,
        /// Where image layers are kept.
        #[arg(long, value_name = "DIR", env = "FIRSTLIGHT_IMAGE_DIR", default_value = "/var/cache/firstlight/images")]
        image_dir: PathBuf,
    },
    /// List the images that are here.
    List {
        /// Where image layers are kept.
        #[arg(long, value_name = "DIR", env = "FIRSTLIGHT_IMAGE_DIR", default_value = "/var/cache/firstlight/images")]
        image_dir: PathBuf,
    },
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A bar per step on a terminal, plain lines otherwise.
    Text,
    /// One JSON object per line.
    Json,
}

/// `90s`, `5m`, `1h30m`, `250ms`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|d| Duration::try_from(d).ok())
        .ok_or_else(|| format!("{text:?} is not a duration; write for example 90s, 5m or 1h30m"))
}

/// A duration that the crash back-off may be limited to (BKF-1, BKF-9).
fn backoff(text: &str) -> Result<Duration, String> {
    let limit = duration(text)?;
    let allowed = Duration::from_secs(1)..=Duration::from_secs(300);
    if allowed.contains(&limit) { Ok(limit) } else { Err("it may be 1s to 300s".to_owned()) }
}
