//! `cargo xtask demo`: the genesis network on this machine, with nothing installed beforehand but Rust.

use crate::shell::{output, root, run, target};
use crate::{build, genesis, setup};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the network may take to come up, and then to agree.
const LIMIT: Duration = Duration::from_secs(120);

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave the network up.
    #[arg(long)]
    keep: bool,
    /// A value of the recipe, for example faucet.enabled=true; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Builds, brings the network up, shows that it agrees and grows, takes it down.
pub(crate) fn run_demo(args: &Args) -> Result<()> {
    setup::packages(&[setup::BUILD, &[("curl", "/usr/bin/curl")]])?;
    let cometbft = genesis::install_cometbft()?;
    let built = build::release()?;
    let demo = Demo { firstlight: built.firstlight, directory: target().join("demo"), set: args.set.clone() };
    demo.import(&built.fl, &cometbft)?;
    let began = Instant::now();
    let outcome = demo.up().and_then(|()| demo.agree());
    if outcome.is_ok() {
        println!("the genesis network is up, {:.1} s after the build", began.elapsed().as_secs_f64());
    }
    if args.keep && outcome.is_ok() {
        println!("it stays up; end it with: {} down --data-dir {}", demo.firstlight.display(), demo.data().display());
        return Ok(());
    }
    let down = demo.run("down", &[]);
    outcome.and(down)
}

struct Demo {
    firstlight: PathBuf,
    directory: PathBuf,
    set: Vec<String>,
}

impl Demo {
    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn images(&self) -> PathBuf {
        self.directory.join("images")
    }

    /// Puts the one image of the network together and gives it to the engine.
    fn import(&self, fl: &Path, cometbft: &Path) -> Result<()> {
        let image = genesis::image(&self.directory, fl, cometbft)?;
        let mut import = Command::new(&self.firstlight);
        import.args(["image", "import", &format!("firstlight.dev/{}:{}", image.name, image.tag)]);
        run(import.arg(&image.layout).arg("--image-dir").arg(self.images()))
    }

    fn up(&self) -> Result<()> {
        let limit = format!("{}s", LIMIT.as_secs());
        self.run("up", &["--timeout", &limit])
    }

    fn run(&self, verb: &str, arguments: &[&str]) -> Result<()> {
        run(self.command(verb).args(arguments))
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.firstlight);
        command.arg(verb).arg("--data-dir").arg(self.data()).env("FIRSTLIGHT_IMAGE_DIR", self.images());
        command.arg(root().join("recipes/genesis"));
        for setting in &self.set {
            command.args(["--set", setting]);
        }
        command
    }

    /// All nodes have the same block at a height, and the height grows.
    fn agree(&self) -> Result<()> {
        let nodes = self.nodes()?;
        let began = Instant::now();
        let first = loop {
            let heights = nodes.iter().map(Node::height).collect::<Result<Vec<u64>>>()?;
            match heights.iter().min() {
                Some(lowest) if *lowest > 0 => break *lowest,
                _ if began.elapsed() > LIMIT => bail!("heights stay at {heights:?}"),
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        };
        let height = first + 2;
        for node in &nodes {
            while node.height()? < height {
                if began.elapsed() > LIMIT {
                    bail!("{} does not grow past {}", node.name, node.height()?);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        let hashes = nodes.iter().map(|node| node.hash(height)).collect::<Result<Vec<String>>>()?;
        for (node, hash) in nodes.iter().zip(&hashes) {
            println!("{:<24} block {height} {hash}", node.name);
        }
        if hashes.iter().any(|hash| *hash != hashes[0]) {
            bail!("the nodes do not agree");
        }
        println!("{} nodes agree on block {height}; the height has grown from {first}", nodes.len());
        Ok(())
    }

    /// The network's nodes, from a second `up`, which changes nothing.
    fn nodes(&self) -> Result<Vec<Node>> {
        let text = output(self.command("up").args(["--output", "json"]))?;
        let last: Value = serde_json::from_str(text.lines().last().context("up said nothing")?)?;
        let pods = last["pods"].as_array().context("up named no pods")?;
        let node = |pod: &Value| Node { name: word(pod, "pod"), ip: word(pod, "ip") };
        Ok(pods.iter().map(node).collect())
    }
}

fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A node of the chain, asked through its RPC from the host.
struct Node {
    name: String,
    ip: String,
}

impl Node {
    fn height(&self) -> Result<u64> {
        let status = self.ask("status")?;
        let height = &status["result"]["sync_info"]["latest_block_height"];
        Ok(height.as_str().and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    fn hash(&self, height: u64) -> Result<String> {
        let block = self.ask(&format!("block?height={height}"))?;
        block["result"]["block_id"]["hash"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("{}: no block {height}", self.name))
    }

    fn ask(&self, path: &str) -> Result<Value> {
        let url = format!("http://{}:26657/{path}", self.ip);
        let text = output(Command::new("curl").args([
            "--fail",
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "5",
            &url,
        ]))?;
        Ok(serde_json::from_str(&text)?)
    }
}
