//! Which claims hold? Runs the tests of every crate that claims something, and drops claims whose test did not pass.

use super::evidence::Claims;
use super::source::Test;
use crate::shell::cargo;
use crate::test;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// The claims whose tests all passed, in every place of their name.
pub(super) fn only(claims: Claims) -> Result<Claims> {
    let packages: BTreeSet<String> = claims.values().flatten().map(|test| test.package.clone()).collect();
    let kubectl = test::prepare()?;
    let mut passed = BTreeSet::new();
    for package in packages {
        let mut tests = cargo();
        tests.args(["test", "--package", &package, "--no-fail-fast"]).env("KUBECTL", &kubectl);
        let mut child = tests.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {tests:?}"))?;
        let stdout = child.stdout.take().context("standard output is a pipe")?;
        let mut lines = Vec::new();
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            lines.push(line);
        }
        child.wait()?;
        let good = good(&lines).into_iter();
        passed.extend(good.map(|name| Test { package: package.clone(), name }));
    }
    let still = claims.into_iter().map(|(id, tests)| (id, tests.intersection(&passed).cloned().collect()));
    Ok(still.filter(|(_, tests): &(_, BTreeSet<Test>)| !tests.is_empty()).collect())
}

/// Names that passed wherever they stand; libtest writes `test path::name ... ok`.
fn good(lines: &[String]) -> Vec<String> {
    let mut outcomes: BTreeMap<&str, bool> = BTreeMap::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix("test ")) {
        if let Some((path, outcome)) = line.split_once(" ... ") {
            let name = path.split(" - ").next().unwrap_or(path);
            let name = name.rsplit("::").next().unwrap_or(name);
            *outcomes.entry(name).or_insert(true) &= outcome == "ok";
        }
    }
    outcomes.into_iter().filter(|(_, good)| *good).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests;
