//! Which system calls may a container make (S16)? Asked once per container; the same answer for `exec`.
//!
//! A list of the same class as Docker's, containerd's and Podman's defaults: what ordinary programs use is allowed;
//! what reaches deep into the kernel needs the capability that belongs to it; the rest is refused with EPERM. A
//! call unknown to the table is answered ENOSYS, so that programs which probe for newer calls fall back, as with
//! Podman (containers/common, `pkg/seccomp/default_linux.go`). io_uring is off: it bypasses filters, and Docker and
//! containerd block it (moby#46762, containerd#9320).

use libcontainer::oci_spec::OciSpecError;
use libcontainer::oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};

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

/// The filter of a container with these capabilities (written with `CAP_`).
///
/// # Errors
/// If the specification's builder refuses what the table says: a mistake in this file.
pub(crate) fn profile(capabilities: &[String]) -> Result<LinuxSeccomp, OciSpecError> {
    let has = |name: &str| capabilities.iter().any(|c| c.strip_prefix("CAP_") == Some(name));
    let table = Table::read(TABLE, has);
    let mut rules = vec![allow(table.allowed, Vec::new())?, refuse(table.refused, libc::EPERM)?];
    rules.push(allow(vec!["socket".to_owned()], vec![argument(0, LinuxSeccompOperator::ScmpCmpNe, AF_VSOCK, None)?])?);
    for value in PERSONALITIES {
        let exactly = argument(0, LinuxSeccompOperator::ScmpCmpEq, value, None)?;
        rules.push(allow(vec!["personality".to_owned()], vec![exactly])?);
    }
    if !has("SYS_ADMIN") {
        let none = argument(0, LinuxSeccompOperator::ScmpCmpMaskedEq, NEW_NAMESPACES, Some(0))?;
        rules.push(allow(vec!["clone".to_owned()], vec![none])?);
        // Its flags are behind a pointer; ENOSYS sends the C library to `clone`, whose flags can be judged.
        rules.push(refuse(vec!["clone3".to_owned()], libc::ENOSYS)?);
    }
    LinuxSeccompBuilder::default()
        .default_action(LinuxSeccompAction::ScmpActErrno)
        .default_errno_ret(errno(libc::ENOSYS))
        .architectures(architectures())
        .syscalls(rules)
        .build()
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

fn allow(names: Vec<String>, args: Vec<LinuxSeccompArg>) -> Result<LinuxSyscall, OciSpecError> {
    let rule = LinuxSyscallBuilder::default().names(names).action(LinuxSeccompAction::ScmpActAllow);
    if args.is_empty() { rule.build() } else { rule.args(args).build() }
}

fn refuse(names: Vec<String>, code: i32) -> Result<LinuxSyscall, OciSpecError> {
    LinuxSyscallBuilder::default().names(names).action(LinuxSeccompAction::ScmpActErrno).errno_ret(errno(code)).build()
}

fn argument(
    index: usize,
    op: LinuxSeccompOperator,
    value: u64,
    second: Option<u64>,
) -> Result<LinuxSeccompArg, OciSpecError> {
    let argument = LinuxSeccompArgBuilder::default().index(index).op(op).value(value);
    match second {
        Some(second) => argument.value_two(second).build(),
        None => argument.build(),
    }
}

fn errno(code: i32) -> u32 {
    code.unsigned_abs()
}

/// The native architecture and its 32-bit forms: a call through another entry point would escape the table.
fn architectures() -> Vec<Arch> {
    if cfg!(target_arch = "x86_64") {
        vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32]
    } else if cfg!(target_arch = "aarch64") {
        vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm]
    } else {
        vec![Arch::ScmpArchNative]
    }
}

#[cfg(test)]
mod tests;
