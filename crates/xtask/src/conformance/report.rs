//! The figures: a line for each section with what is missing, then one line of JSON with the goals.

use super::evidence::Claims;
use super::id::Id;
use super::inventory::{Inventory, Kind, Section};
use super::source::Test;
use serde_json::{Value, json};

/// The crates whose tests run real containers.
const REAL: &[&str] = &["firstlight", "firstlight-cli", "firstlight-runtime"];

/// The share of real rows that must have a test.
const REAL_SHARE: f64 = 0.9;

/// What was found.
pub(super) struct Report<'a> {
    inventory: &'a Inventory,
    claims: &'a Claims,
    /// Whether the claims' tests were run, or only read.
    pub(super) passed: bool,
}

/// How many of how many.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    proved: usize,
    argued: usize,
    /// Decided in a story, and not shown with real containers.
    told: usize,
    all: usize,
}

/// Where an id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Proved,
    Argued,
    Told,
    Missing,
}

impl Count {
    fn plus(self, other: Count) -> Count {
        Count {
            proved: self.proved + other.proved,
            argued: self.argued + other.argued,
            told: self.told + other.told,
            all: self.all + other.all,
        }
    }
}

impl<'a> Report<'a> {
    pub(super) fn new(inventory: &'a Inventory, claims: &'a Claims) -> Report<'a> {
        Report { inventory, claims, passed: false }
    }

    /// Claims of ids that are not listed, with their tests.
    pub(super) fn unknown(&self) -> Vec<String> {
        let all = self.inventory.all();
        let unknown = self.claims.iter().filter(|(id, _)| !all.contains(id));
        unknown
            .map(|(id, tests)| {
                let tests: Vec<_> = tests.iter().map(|test| format!("{} {}", test.package, test.name)).collect();
                format!("{id}: {}", tests.join(", "))
            })
            .collect()
    }

    pub(super) fn print(&self) {
        let line = |number: &str, name: &str, proved: &str, argued: &str, told: &str| {
            println!("{}", format!("{number:<6}{name:<58}{proved:>9}{argued:>8}{told:>8}").trim_end());
        };
        line("", "", "proved", "argued", "told");
        for section in &self.inventory.sections {
            let Count { proved, argued, told, all } = self.count(section);
            let shown = |count: usize| if count == 0 { String::new() } else { count.to_string() };
            line(&section.number, &section.name, &format!("{proved}/{all}"), &shown(argued), &shown(told));
            let missing = self.missing(section);
            if !missing.is_empty() {
                println!("      missing: {}", missing.join(" "));
            }
        }
        println!("{}", self.figures());
    }

    fn standing(&self, section: &Section, id: &Id) -> Standing {
        let tests = self.claims.get(id);
        let real = |test: &Test| REAL.contains(&test.package.as_str());
        let shown = tests.is_some_and(|tests| section.kind != Kind::Real || tests.iter().any(real));
        match tests {
            Some(_) if shown => Standing::Proved,
            Some(_) | None if self.inventory.argued.contains_key(id) => Standing::Argued,
            Some(_) => Standing::Told,
            None => Standing::Missing,
        }
    }

    fn count(&self, section: &Section) -> Count {
        let mut count = Count { all: section.ids.len(), ..Count::default() };
        for id in &section.ids {
            match self.standing(section, id) {
                Standing::Proved => count.proved += 1,
                Standing::Argued => count.argued += 1,
                Standing::Told => count.told += 1,
                Standing::Missing => {}
            }
        }
        count
    }

    /// Runs of neighbours are written as one.
    fn missing(&self, section: &Section) -> Vec<String> {
        let is_missing = |id: &Id| self.standing(section, id) == Standing::Missing;
        section
            .ids
            .chunk_by(|a, b| is_missing(a) == is_missing(b))
            .filter(|run| run.first().is_some_and(is_missing))
            .flat_map(|run| match run {
                [first, _, .., last] => vec![format!("{first}..{last}")],
                short => short.iter().map(ToString::to_string).collect(),
            })
            .collect()
    }

    fn total(&self, of: impl Fn(&Section) -> bool) -> Count {
        let counted = self.inventory.sections.iter().filter(|section| of(section)).map(|section| self.count(section));
        counted.fold(Count::default(), Count::plus)
    }

    fn figures(&self) -> Value {
        // Gates say what belongs to which minor; they are no behaviour of their own.
        let rules = self.total(|section| section.kind == Kind::Rules && section.number != "1.0");
        let gates = self.total(|section| section.number == "1.0");
        let pure = self.total(|section| section.kind == Kind::Pure);
        let real = self.total(|section| section.kind == Kind::Real);
        let defects = self.total(|section| section.kind == Kind::Defects);
        let shown = |count: Count| {
            let Count { proved, argued, told, all } = count;
            json!({"proved": proved, "argued": argued, "told": told, "of": all})
        };
        let all = |goal: &str, count: Count| {
            let value = count.proved + count.argued;
            json!({"goal": goal, "value": value, "limit": count.all, "met": value == count.all})
        };
        #[expect(clippy::cast_precision_loss, reason = "hundreds")]
        let share = (real.proved + real.argued) as f64 / real.all as f64;
        json!({
            "conformance": { "tests": if self.passed { "passed" } else { "read" }, "rules": shown(rules),
                "gates": shown(gates), "pure rows": shown(pure), "real rows": shown(real), "defects": shown(defects) },
            "goals": [
                all("rules of 1.1 to 1.28 proved or argued", rules),
                all("pure rows", pure),
                json!({"goal": "share of the real rows", "value": share, "limit": REAL_SHARE, "met": share >= REAL_SHARE}),
            ],
        })
    }
}

#[cfg(test)]
mod tests;
