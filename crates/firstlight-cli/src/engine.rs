//! `firstlight engine`: the engine in the foreground.

use crate::args::{Engine, Powers};
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::toolbox;
use firstlight::{Allow, Firstlight, Registries};
use std::io::IsTerminal;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Threads of the engine: requests and workers are short; two keep one slow disk write from holding the others.
const THREADS: usize = 2;

/// Runs until told to stop. Pods go on; a new engine on the same directory takes them over.
pub(crate) fn run(args: Engine) -> Outcome {
    log();
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(Exit::Failed, "the engine makes namespaces, mounts and cgroups: run it as root"));
    }
    if !args.listen.ip().is_loopback() && !args.listen_beyond_loopback {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "--listen {}: other machines could reach it; add --listen-beyond-loopback if that is meant",
                args.listen
            ),
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: Engine) -> Outcome {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let kubeconfig = args.kubeconfig.clone().unwrap_or_else(|| connect::kubeconfig_path(&args.data_dir));
    let engine = start(&args, &kubeconfig).await?;
    eprintln!("firstlight engine on {}; export KUBECONFIG={}", engine.url(), kubeconfig.display());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let pods = engine.pods();
    tokio::select! {
        () = engine.stop() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    if pods > 0 {
        eprintln!("firstlight engine has ended; {pods} pods go on, `firstlight down` ends them");
    }
    Ok(())
}

async fn start(args: &Engine, kubeconfig: &std::path::Path) -> Outcome<Firstlight> {
    let mut builder = Firstlight::builder(&args.data_dir)
        .listen(args.listen)
        .kubeconfig(kubeconfig)
        .image_dir(&args.image_dir)
        .registries(registries(args)?)
        .allow(allow(args.given.powers))
        .reduced_backoff(args.reduced_backoff)
        .belongs_to_up(args.started_by_up);
    if let Some(name) = &args.node_name {
        builder = builder.node_name(name);
    }
    if let Some(toolbox) = toolbox::find(args.given.toolbox.as_deref())? {
        builder = builder.toolbox(&toolbox);
    }
    if let Some(limit) = args.max_backoff {
        builder = builder.max_backoff(limit);
    }
    Ok(builder.start().await?)
}

fn allow(powers: Powers) -> Allow {
    let Powers { allow_host_path, allow_privileged, allow_host_image } = powers;
    Allow { host_path: allow_host_path, privileged: allow_privileged, host_image: allow_host_image }
}

fn registries(args: &Engine) -> Outcome<Registries> {
    let mut registries = Registries {
        plain_http: args.plain_http_registry.clone(),
        pulls_at_once: args.parallel_pulls,
        ..Registries::default()
    };
    for mirror in &args.mirror {
        let Some((registry, host)) = mirror.split_once('=') else {
            return Err(Failure::new(
                Exit::Usage,
                format!("--mirror {mirror}: write REGISTRY=HOST, for example docker.io=127.0.0.1:5000"),
            ));
        };
        registries.mirrors.entry(registry.to_owned()).or_default().push(host.to_owned());
    }
    Ok(registries)
}

/// Text on a terminal, JSON otherwise; FIRSTLIGHT_LOG chooses what is said.
fn log() {
    let filter = EnvFilter::try_from_env("FIRSTLIGHT_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().init();
    }
}
