//! The shape of the code, checked as data: what the compiler cannot say.
//!
//! * the edges between crates are those of ARCHITECTURE.md, and none points up;
//! * every file but a module's own `tests.rs` opens with `//!`; no `mod.rs`; no file called utils, helpers, common or core;
//! * `unsafe` stands in `firstlight-runtime/src/sys/` only, and the pure crates do not panic;
//! * nothing open is left in the code, and no machine's paths.
//!
//! Sizes are reported, not judged.

use crate::shell::{output, root};
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which crate may depend on which of ours. The absences are the architecture.
const EDGES: &[(&str, &[&str])] = &[
    ("firstlight-pod", &[]),
    ("firstlight-bootstrap", &[]),
    ("firstlight-api", &["firstlight-pod"]),
    ("firstlight-runtime", &["firstlight-pod"]),
    ("firstlight-toolbox", &["firstlight-bootstrap"]),
    ("firstlight-store", &["firstlight-api"]),
    ("firstlight-lint", &["firstlight-api", "firstlight-pod"]),
    ("firstlight-node", &["firstlight-api", "firstlight-pod", "firstlight-store"]),
    ("firstlight-server", &["firstlight-api", "firstlight-store"]),
    ("firstlight-dns", &["firstlight-api", "firstlight-store"]),
    ("firstlight-workloads", &["firstlight-api"]),
    (
        "firstlight",
        &[
            "firstlight-api",
            "firstlight-dns",
            "firstlight-node",
            "firstlight-pod",
            "firstlight-runtime",
            "firstlight-server",
            "firstlight-store",
            "firstlight-workloads",
        ],
    ),
    ("firstlight-sim", &["firstlight-api", "firstlight-node", "firstlight-pod", "firstlight-store"]),
    ("firstlight-cli", &["firstlight", "firstlight-api", "firstlight-lint"]),
    ("xtask", &[]),
];

/// Crates that decide: no panic, no clock.
const PURE: &[&str] = &["firstlight-pod", "firstlight-bootstrap", "firstlight-api", "firstlight-lint"];

/// Names that attract everything.
const CATCH_ALLS: &[&str] = &["utils", "util", "helpers", "common", "core", "misc"];

/// Marks of work left open, split so that this file does not find itself.
const OPEN: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")];

/// Checks everything and prints the sizes; an error lists every finding.
pub(crate) fn run() -> Result<()> {
    let files = sources()?;
    let mut findings = edges()?;
    for file in &files {
        check(file, &mut findings)?;
    }
    report(&files)?;
    if findings.is_empty() {
        println!("tidy: {} files, nothing to mend", files.len());
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    bail!("{} findings", findings.len())
}

/// Rust files under version control.
fn sources() -> Result<Vec<PathBuf>> {
    let listed = output(Command::new("git").current_dir(root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "*.rs",
    ]))?;
    Ok(listed.lines().map(PathBuf::from).filter(|file| root().join(file).exists()).collect())
}

/// Compares the manifests' edges with the plan.
fn edges() -> Result<Vec<String>> {
    let text = output(crate::shell::cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let plan: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(allowed) = plan.get(name) else {
            findings.push(format!("crates/{name}: not in the plan; give it a room in ARCHITECTURE.md and in tidy"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            let ours = to.starts_with("firstlight");
            let dev = dependency["kind"].as_str() == Some("dev");
            if ours && !dev && !allowed.contains(to) {
                findings.push(format!("crates/{name}/Cargo.toml: depends on {to}, which the plan does not allow"));
            }
        }
    }
    Ok(findings)
}

fn check(file: &Path, findings: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string(root().join(file))?;
    let place = file.display().to_string();
    let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    if stem == "mod" {
        findings.push(format!("{place}: write x.rs beside x/ instead of mod.rs"));
    }
    if CATCH_ALLS.contains(&stem) {
        findings.push(format!("{place}: name the file for its concept"));
    }
    // A module's unit tests stand beside it, and its own first lines say what they are about.
    if stem != "tests" && !text.trim_start().starts_with("//!") && !generated(&text) {
        findings.push(format!("{place}: open with //!: which question this file answers, and who asks it"));
    }
    let in_tests = place.contains("/tests/") || stem == "tests";
    let pure = PURE.iter().any(|name| place.starts_with(&format!("crates/{name}/src/"))) && !in_tests;
    let mut outside_tests = true;
    for (index, line) in text.lines().enumerate() {
        outside_tests &= !line.contains("#[cfg(test)]");
        let code = line.split("//").next().unwrap_or_default();
        let here = format!("{place}:{}", index + 1);
        if OPEN.iter().any(|mark| line.contains(mark)) && !place.ends_with("tidy.rs") {
            findings.push(format!("{here}: left open"));
        }
        if is_unsafe(code) && !place.starts_with("crates/firstlight-runtime/src/sys/") && !place.ends_with("tidy.rs") {
            findings.push(format!("{here}: unsafe outside firstlight-runtime/src/sys/"));
        }
        if pure
            && outside_tests
            && [".unwrap()", "panic!(", "unreachable!(", "Instant::now", "SystemTime::now"]
                .iter()
                .any(|w| code.contains(w))
        {
            findings.push(format!("{here}: a pure crate neither panics nor reads a clock"));
        }
    }
    Ok(())
}

fn generated(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.contains("@generated"))
}

fn is_unsafe(code: &str) -> bool {
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"].iter().any(|word| code.contains(word))
}

/// Prints lines per file and the largest files, beside which one may ask whether one would read them in one sitting.
fn report(files: &[PathBuf]) -> Result<()> {
    let mut sizes = Vec::new();
    let mut test_lines = 0;
    for file in files {
        let text = std::fs::read_to_string(root().join(file))?;
        let lines = text.lines().count();
        let place = file.display().to_string();
        if place.contains("/tests/") || place.ends_with("/tests.rs") {
            test_lines += lines;
        } else if !generated(&text) {
            sizes.push((lines, place));
        }
    }
    sizes.sort();
    let at = |share: usize| sizes.get((sizes.len().saturating_sub(1)) * share / 100).map_or(0, |(lines, _)| *lines);
    let total: usize = sizes.iter().map(|(lines, _)| lines).sum();
    println!(
        "lines: {total} in {} files, {test_lines} of tests; per file: median {}, 90th {}, largest:",
        sizes.len(),
        at(50),
        at(90)
    );
    for (lines, place) in sizes.iter().rev().take(5) {
        println!("  {lines:>5} {place}");
    }
    Ok(())
}
