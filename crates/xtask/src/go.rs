//! A Go toolchain new enough for the modules we build: the machine's own, or one from the Go module proxy.

use crate::shell::{self, output, run};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// The oldest Go minor that builds our pinned modules.
const MINOR: u32 = 24;

/// The toolchain fetched where none is new enough, published as a module of its own.
const TOOLCHAIN: &str = "v0.0.1-go1.24.10.linux-amd64";

/// The `go` command.
pub(crate) fn go() -> Result<PathBuf> {
    if let Ok(text) = output(Command::new("go").arg("version"))
        && minor(&text) >= Some(MINOR)
    {
        return Ok(PathBuf::from("go"));
    }
    let home = shell::tools()?.join("go-toolchain");
    let go = home.join(format!("golang.org/toolchain@{TOOLCHAIN}/bin/go"));
    if !go.exists() {
        fetch(&home)?;
    }
    Ok(go)
}

/// Downloads and unpacks the toolchain's module zip.
fn fetch(home: &std::path::Path) -> Result<()> {
    crate::setup::packages(&[&[("curl", "/usr/bin/curl"), ("unzip", "/usr/bin/unzip")]])?;
    std::fs::create_dir_all(home)?;
    let proxies = std::env::var("GOPROXY").unwrap_or_else(|_| "https://proxy.golang.org".to_owned());
    let proxy = proxies.split([',', '|']).find(|p| p.starts_with("http")).context("GOPROXY names no proxy")?;
    eprintln!("fetching Go {TOOLCHAIN}");
    let zip = home.join("toolchain.zip");
    run(Command::new("curl")
        .args(["-fsSL", "-o"])
        .arg(&zip)
        .arg(format!("{}/golang.org/toolchain/@v/{TOOLCHAIN}.zip", proxy.trim_end_matches('/'))))?;
    run(Command::new("unzip").arg("-q").arg("-o").arg(&zip).arg("-d").arg(home))?;
    run(Command::new("chmod")
        .args(["-R", "+x"])
        .arg(home.join(format!("golang.org/toolchain@{TOOLCHAIN}/bin")))
        .arg(home.join(format!("golang.org/toolchain@{TOOLCHAIN}/pkg/tool"))))?;
    std::fs::remove_file(zip).context("cannot remove the archive")
}

/// The minor of `go version go1.24.1 linux/amd64`.
fn minor(text: &str) -> Option<u32> {
    text.split("go1.").nth(1)?.split(['.', ' ']).next()?.parse().ok()
}
