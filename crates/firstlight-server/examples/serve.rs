//! The API alone, with nothing behind it: `cargo run --release -p firstlight-server --example serve -- DIR`.
//!
//! Writes `DIR/kubeconfig`, serves on a free loopback port until interrupted. Pods stay Pending; everything else of
//! the API is there to try with `kubectl`.

use firstlight_api::powers::Powers;
use firstlight_server::api::{Api, Config};
use firstlight_server::console::NothingRuns;
use firstlight_server::identity::{Identity, kubeconfig, write_kubeconfig};
use firstlight_server::listener::{self, Limits, ListenerConfig};
use firstlight_store::Store;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("usage: serve DIR"))?);
    std::fs::create_dir_all(&dir)?;
    let stop = CancellationToken::new();
    let api = Api::new(Config {
        store: Store::open(&dir.join("store"))?,
        console: Arc::new(NothingRuns),
        node: "alone".to_owned(),
        powers: Powers::default(),
        clock: Arc::new(Timestamp::now),
        stop: stop.clone(),
    });
    api.make_system_namespaces().await?;
    let identity = Identity::open(&dir.join("identity"), &[], Timestamp::now())?;
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let config = dir.join("kubeconfig");
    write_kubeconfig(&config, &kubeconfig(&identity, &format!("https://{}", tcp.local_addr()?)))?;
    println!("export KUBECONFIG={}", config.display());
    let listening = ListenerConfig { tls: identity.tls(), hosts: identity.names().to_vec(), limits: Limits::default() };
    listener::serve(tcp, listening, api, stop).await;
    Ok(())
}
