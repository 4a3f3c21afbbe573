//! `cargo xtask bench`: figures, from runs side by side, ending in one line of JSON.

use crate::images;
use crate::shell::{self, cargo, run, target};
use crate::{build, setup};
use anyhow::Result;
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// POST to main container running, beside podman and a bare sequence of crun; engine start and idle memory.
    Pods {
        /// Measured rounds; medians are of this many samples.
        #[arg(long, default_value_t = 9)]
        rounds: usize,
    },
    /// 1, 10, 50, 100 and 200 pods at once on one engine: time until all are Ready, and memory.
    Scale {
        /// Measured rounds; medians are of this many samples.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
}

/// Measures.
pub(crate) fn run_bench(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Pods { rounds } => pods(*rounds),
        Bench::Scale { rounds } => scale(*rounds),
    }
}

/// Prepares the same busybox for everybody and runs the comparison in a mount namespace of its own.
fn pods(rounds: usize) -> Result<()> {
    setup::packages(&[setup::BUILD, setup::TEST, setup::BENCH])?;
    let built = build::release()?;
    run(cargo().args(["bench", "--package", "firstlight", "--bench", "pods", "--no-run"]))?;
    let scratch = target().join("bench-pods");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)?;
    }
    std::fs::create_dir_all(&scratch)?;
    let (root, layout) = (scratch.join("root"), scratch.join("layout"));
    busybox_root(&root)?;
    images::assemble(&layout, &images::busybox()?, &json!({"Cmd": ["sh"]}))?;
    let mut bench = Command::new("unshare");
    bench
        .current_dir(shell::root())
        .args(["--mount", "--propagation", "private", "sh", "-c", CONFINED, "sh"])
        .arg(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .env("BENCH_FIRSTLIGHT", &built.firstlight)
        .env("BENCH_ROOT", &root)
        .env("BENCH_LAYOUT", &layout)
        .env("BENCH_SCRATCH", &scratch)
        .env("BENCH_ROUNDS", rounds.to_string());
    let outcome = run(&mut bench);
    std::fs::remove_dir_all(&scratch)?;
    outcome
}

/// Brings many pods up on one release engine.
fn scale(rounds: usize) -> Result<()> {
    setup::packages(&[setup::BUILD, setup::TEST])?;
    let built = build::release()?;
    let scratch = target().join("bench-scale");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)?;
    }
    std::fs::create_dir_all(&scratch)?;
    let layout = scratch.join("layout");
    images::assemble(&layout, &images::busybox()?, &json!({"Cmd": ["sh"]}))?;
    let outcome = run(cargo()
        .args(["bench", "--quiet", "--package", "firstlight", "--bench", "scale"])
        .env("BENCH_FIRSTLIGHT", &built.firstlight)
        .env("BENCH_LAYOUT", &layout)
        .env("BENCH_SCRATCH", &scratch)
        .env("BENCH_ROUNDS", rounds.to_string()));
    std::fs::remove_dir_all(&scratch)?;
    outcome
}

/// Debian 12's crun refuses a machine that mounts cgroup v2 beside v1, so that mount is taken away, here only.
const CONFINED: &str =
    "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$1\" bench --quiet --package firstlight --bench pods";

/// A plain directory with busybox and the file systems' mount points, for crun and podman.
fn busybox_root(root: &Path) -> Result<()> {
    for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        std::fs::create_dir_all(root.join(directory))?;
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    for applet in ["true", "sleep", "sh"] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    Ok(())
}
