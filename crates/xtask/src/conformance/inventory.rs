//! Which rules and cases are there? Read from docs/conformance, and from SPECIFICATION.md what is argued away.

use super::id::{Id, in_list};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a section's ids are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rules of what must be true.
    Rules,
    /// Upstream cases that are decided without a container.
    Pure,
    /// Upstream cases that run containers.
    Real,
    /// Upstream's defects, to be done better.
    Defects,
}

/// A section of the inventory.
#[derive(Debug)]
pub(super) struct Section {
    /// `1.3`
    pub(super) number: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) ids: Vec<Id>,
}

/// Everything that can be claimed.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) sections: Vec<Section>,
    /// What cannot hold here, with its reason in SPECIFICATION.md.
    pub(super) argued: BTreeMap<Id, String>,
}

impl Inventory {
    pub(super) fn all(&self) -> BTreeSet<&Id> {
        self.sections.iter().flat_map(|section| &section.ids).collect()
    }

    /// Whether any id begins as this one does.
    pub(super) fn has_group_of(&self, id: &Id) -> bool {
        self.sections.iter().flat_map(|section| &section.ids).any(|known| known.same_group(id))
    }
}

/// Reads the repository's files.
pub(super) fn read(root: &Path) -> Result<Inventory> {
    let text = |path: &str| std::fs::read_to_string(root.join(path)).with_context(|| path.to_owned());
    let mut sections = rules(&text("docs/conformance/rules.txt")?)?;
    sections.extend(rows(&text("docs/conformance/rows.txt")?)?);
    let argued = argued(&text("SPECIFICATION.md")?)?;
    let inventory = Inventory { sections, argued };
    let all = inventory.all();
    let count: usize = inventory.sections.iter().map(|section| section.ids.len()).sum();
    if all.len() != count {
        bail!("docs/conformance: an id stands twice");
    }
    if let Some(id) = inventory.argued.keys().find(|id| !all.contains(id)) {
        bail!("SPECIFICATION.md: {id} is argued away, and docs/conformance does not list it");
    }
    Ok(inventory)
}

/// `## SECTION NAME`, and below it `ID WORDS`.
fn rules(text: &str) -> Result<Vec<Section>> {
    let mut sections: Vec<Section> = Vec::new();
    for line in lines(text) {
        if let Some(title) = line.strip_prefix("## ") {
            let (number, name) = title.split_once(' ').with_context(|| format!("rules.txt: no name: {line}"))?;
            let name = name.split(" (").next().unwrap_or(name).to_owned();
            let kind = if number == "4" { Kind::Defects } else { Kind::Rules };
            sections.push(Section { number: number.to_owned(), name, kind, ids: Vec::new() });
        } else {
            let id = line.split(' ').next().and_then(Id::parse).with_context(|| format!("rules.txt: no id: {line}"))?;
            sections.last_mut().with_context(|| format!("rules.txt: no section: {line}"))?.ids.push(id);
        }
    }
    Ok(sections)
}

/// `SECTION FIRST-LAST pure|real SOURCE: NAME`.
fn rows(text: &str) -> Result<Vec<Section>> {
    lines(text)
        .map(|line| {
            let wrong = || format!("rows.txt: not SECTION FIRST-LAST pure|real SOURCE: NAME: {line}");
            let mut words = line.splitn(4, ' ');
            let number = words.next().with_context(wrong)?.to_owned();
            let ids = words.next().and_then(in_list).with_context(wrong)?;
            let kind = match words.next() {
                Some("pure") => Kind::Pure,
                Some("real") => Kind::Real,
                Some(_) | None => bail!(wrong()),
            };
            let (_, name) = words.next().and_then(|rest| rest.split_once(": ")).with_context(wrong)?;
            Ok(Section { number, name: name.to_owned(), kind, ids })
        })
        .collect()
}

/// Lines of the heading `Where a rule does not hold`: `* ID, ID: reason`.
fn argued(text: &str) -> Result<BTreeMap<Id, String>> {
    let mut argued = BTreeMap::new();
    let below = text.lines().skip_while(|line| !line.starts_with("## Where a rule does not hold")).skip(1);
    for line in below.take_while(|line| !line.starts_with("## ")).filter_map(|line| line.strip_prefix("* ")) {
        let (ids, reason) = line.split_once(": ").with_context(|| format!("SPECIFICATION.md: no reason: {line}"))?;
        let ids = in_list(ids).with_context(|| format!("SPECIFICATION.md: not a list of ids: {ids}"))?;
        argued.extend(ids.into_iter().map(|id| (id, reason.to_owned())));
    }
    Ok(argued)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("# "))
}

#[cfg(test)]
mod tests;
