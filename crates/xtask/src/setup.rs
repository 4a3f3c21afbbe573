//! Installs what is missing, so that every command works on a fresh machine with a Rust toolchain.

use crate::shell::{self, output, run};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What building the engine and the toolbox needs: package and a file it brings.
pub(crate) const BUILD: &[(&str, &str)] = &[
    ("build-essential", "/usr/bin/make"),
    ("libseccomp-dev", "/usr/include/seccomp.h"),
    ("musl-tools", "/usr/bin/musl-gcc"),
    ("pkg-config", "/usr/bin/pkg-config"),
];

/// What the tests need besides.
pub(crate) const TEST: &[(&str, &str)] = &[
    ("busybox-static", "/bin/busybox"),
    ("curl", "/usr/bin/curl"),
    ("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
    ("docker-registry", "/usr/bin/docker-registry"),
    ("iproute2", "/sbin/ip"),
    ("nginx-light", "/usr/sbin/nginx"),
    ("strace", "/usr/bin/strace"),
];

/// What the benchmarks compare with.
pub(crate) const BENCH: &[(&str, &str)] = &[("crun", "/usr/bin/crun"), ("podman", "/usr/bin/podman")];

/// The kubectl the tests speak to the engine with. Its minor is within one of the engine's advertised version.
const KUBECTL_MODULE: &str = "v0.33.4";

/// The oldest kubectl minor that is good enough where one is already installed.
const KUBECTL_MINOR: u32 = 32;

/// Installs the Debian packages whose files are missing.
pub(crate) fn packages(lists: &[&[(&str, &str)]]) -> Result<()> {
    let missing: Vec<&str> =
        lists.iter().copied().flatten().filter(|(_, file)| !Path::new(file).exists()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing {}", missing.join(", "));
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("missing: {}; install them with this system's package manager", missing.join(", "));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"]).args(arguments);
        run(&mut command)
    };
    apt(&["update"])?;
    apt(&["install", "--no-install-recommends"].iter().copied().chain(missing).collect::<Vec<_>>())
}

/// The Rust target of static binaries.
pub(crate) fn musl_target() -> Result<()> {
    let installed = output(Command::new("rustup").args(["target", "list", "--installed"])).unwrap_or_default();
    if installed.lines().any(|line| line == MUSL) {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", MUSL]))
}

/// Static, whatever the libc of the pods it runs in.
pub(crate) const MUSL: &str = "x86_64-unknown-linux-musl";

/// A kubectl: the one on PATH if it is new enough, else one built from its published Go module.
pub(crate) fn kubectl() -> Result<PathBuf> {
    if let Ok(text) = output(Command::new("kubectl").args(["version", "--client"]))
        && minor(&text) >= Some(KUBECTL_MINOR)
    {
        return Ok(PathBuf::from("kubectl"));
    }
    let built = shell::tools()?.join("kubectl");
    if built.exists() {
        return Ok(built);
    }
    eprintln!("building kubectl {KUBECTL_MODULE} from its Go module; this takes a few minutes once");
    let source = shell::tools()?.join("kubectl-source");
    std::fs::create_dir_all(&source)?;
    std::fs::write(source.join("main.go"), KUBECTL_MAIN)?;
    std::fs::write(
        source.join("go.mod"),
        format!(
            "module kubectl\n\ngo 1.24.0\n\nrequire (\n\tk8s.io/component-base {KUBECTL_MODULE}\n\tk8s.io/kubectl {KUBECTL_MODULE}\n)\n"
        ),
    )?;
    let go = crate::go::go()?;
    let go_run = |arguments: &[&str]| {
        let mut command = Command::new(&go);
        command.current_dir(&source).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod").args(arguments);
        run(&mut command)
    };
    go_run(&["mod", "tidy"])?;
    let flags = format!("-X k8s.io/component-base/version.gitVersion=v1{}", &KUBECTL_MODULE[2..]);
    go_run(&["build", "-trimpath", "-ldflags", &flags, "-o", built.to_str().context("path is not text")?, "."])?;
    Ok(built)
}

/// kubectl's own entry point does no more than this.
const KUBECTL_MAIN: &str = r#"package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
		os.Exit(1)
	}
}
"#;

/// The minor of `Client Version: v1.32.4`.
fn minor(text: &str) -> Option<u32> {
    let version = text.split("v1.").nth(1)?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn the_minor_of_a_client_version_is_read() {
        assert_eq!(minor("Client Version: v1.32.4-x\nKustomize Version: v5.5.0"), Some(32));
        assert_eq!(minor("nonsense"), None);
    }
}
