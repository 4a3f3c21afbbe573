//! Which system calls may a container make (S16)? Asked once per container; the same answer for `exec`.
//!
//! A list of the same class as Docker's, containerd's and Podman's defaults: what ordinary programs use is allowed;
//! what reaches deep into the kernel needs the capability that belongs to it; the rest is refused with EPERM. A
//! call unknown to the table is answered ENOSYS, so that programs which probe for newer calls fall back, as with
//! Podman (containers/common, `pkg/seccomp/default_linux.go`). io_uring is off: it bypasses filters, and Docker and
//! containerd block it (moby#46762, containerd#9320).

//!
//! The compiler of filters (libseccomp) takes longer than everything else a container needs to be created, so a
//! filter is compiled once per set of capabilities, by the engine, and travels to shims as the program it is.

use anyhow::Context;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::sync::{Mutex, PoisonError};

/// Allowed, refused and capability-bound names.
const TABLE: &str = include_str!("seccomp/table.txt");

/// Socket family of virtual machine sockets: they reach the hypervisor past every network policy.
const AF_VSOCK: u64 = 40;

/// `personality(2)` values that only select an ABI: Linux, Linux32, both with UNAME26, and the query.
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Flags of `clone(2)` that make namespaces: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// Names with rules of their own where the capability is missing.
const JUDGED_BY_ARGUMENTS: [&str; 2] = ["clone", "clone3"];

/// Rules as a tree that is searched, not a list that is walked: `SCMP_FLTATR_CTL_OPTIMIZE`.
const AS_A_TREE: u32 = 2;

/// A filter, compiled: a BPF program as the kernel loads it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Filter(#[serde(with = "crate::wire::as_base64")] Vec<u8>);

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filter({} bytes)", self.0.len())
    }
}

impl Filter {
    /// The filter of a container with these capabilities (written with `CAP_`).
    ///
    /// # Errors
    /// If the compiler refuses what the table says: a mistake in this file.
    pub(crate) fn compile(capabilities: &[String]) -> anyhow::Result<Filter> {
        let mut program = File::from(memfd_create("filter", MemfdFlags::CLOEXEC)?);
        rules(capabilities)?.export_bpf(&program).context("compiling the system call filter")?;
        let mut bytes = Vec::new();
        program.rewind()?;
        program.read_to_end(&mut bytes)?;
        Ok(Filter(bytes))
    }

    /// Puts the calling process, and whatever it becomes, behind the filter.
    ///
    /// # Errors
    /// What the kernel answers: it takes `CAP_SYS_ADMIN` or no-new-privileges.
    pub(crate) fn load(&self) -> std::io::Result<()> {
        crate::sys::seccomp::load(&self.0)
    }
}

/// The filters compiled so far, by capabilities.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// Locked while one is compiled: whoever asks for the same at that time waits instead of compiling it too.
    known: Mutex<HashMap<Vec<String>, Filter>>,
}

impl Filters {
    /// [`Filter::compile`], remembered.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn of(&self, capabilities: &[String]) -> anyhow::Result<Filter> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(filter) = known.get(capabilities) {
            return Ok(filter.clone());
        }
        let filter = Filter::compile(capabilities)?;
        known.insert(capabilities.to_vec(), filter.clone());
        Ok(filter)
    }
}

fn rules(capabilities: &[String]) -> anyhow::Result<ScmpFilterContext> {
    let has = |name: &str| capabilities.iter().any(|c| c.strip_prefix("CAP_") == Some(name));
    let table = Table::read(TABLE, has);
    let mut filter = ScmpFilterContext::new(ScmpAction::Errno(libc::ENOSYS))?;
    filter.set_ctl_optimize(AS_A_TREE)?;
    for architecture in architectures() {
        filter.add_arch(architecture)?;
    }
    for name in &table.allowed {
        rule(&mut filter, name, ScmpAction::Allow, &[])?;
    }
    for name in &table.refused {
        rule(&mut filter, name, ScmpAction::Errno(libc::EPERM), &[])?;
    }
    rule(&mut filter, "socket", ScmpAction::Allow, &[ScmpArgCompare::new(0, ScmpCompareOp::NotEqual, AF_VSOCK)])?;
    for value in PERSONALITIES {
        rule(&mut filter, "personality", ScmpAction::Allow, &[ScmpArgCompare::new(0, ScmpCompareOp::Equal, value)])?;
    }
    if !has("SYS_ADMIN") {
        // Its flags are behind a pointer for `clone3`; ENOSYS, the answer to what is in no rule, sends the C library
        // to `clone`, whose flags can be judged.
        let none = ScmpArgCompare::new(0, ScmpCompareOp::MaskedEqual(NEW_NAMESPACES), 0);
        rule(&mut filter, "clone", ScmpAction::Allow, &[none])?;
    }
    Ok(filter)
}

/// A name that the compiler does not know is a call that its kernels do not have: left to the answer for unknown ones.
fn rule(
    filter: &mut ScmpFilterContext,
    name: &str,
    action: ScmpAction,
    conditions: &[ScmpArgCompare],
) -> anyhow::Result<()> {
    let Ok(call) = ScmpSyscall::from_name(name) else { return Ok(()) };
    filter.add_rule_conditional(action, call, conditions).with_context(|| format!("a rule for {name}"))?;
    Ok(())
}

/// Names by what becomes of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    allowed: Vec<String>,
    refused: Vec<String>,
}

impl Table {
    /// Reads sections `[allow]`, `[refuse]` and `[CAPABILITY ...]`; the last is allowed if one of them is held. A
    /// name allowed by any section is allowed.
    fn read(text: &str, has: impl Fn(&str) -> bool) -> Table {
        let mut table = Table::default();
        let mut allowing = false;
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            if let Some(section) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                allowing = section == "allow" || section != "refuse" && section.split_whitespace().any(&has);
                continue;
            }
            let list = if allowing { &mut table.allowed } else { &mut table.refused };
            list.extend(line.split_whitespace().map(str::to_owned));
        }
        // An unconditional refusal would hide the rules on their arguments.
        table.refused.retain(|name| !table.allowed.contains(name) && !JUDGED_BY_ARGUMENTS.contains(&name.as_str()));
        table
    }
}

/// The native architecture and its 32-bit forms: a call through another entry point would escape the table.
fn architectures() -> Vec<ScmpArch> {
    if cfg!(target_arch = "x86_64") {
        vec![ScmpArch::X8664, ScmpArch::X86, ScmpArch::X32]
    } else if cfg!(target_arch = "aarch64") {
        vec![ScmpArch::Aarch64, ScmpArch::Arm]
    } else {
        vec![ScmpArch::Native]
    }
}

#[cfg(test)]
mod tests;
