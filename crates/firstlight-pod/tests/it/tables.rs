//! Tables: upstream's cases that are decided without a container, and rules that a row can show, named by their ids.
//!
//! A table is a file in `tests/tables/`. Lines that begin with `#` are for the reader; a row is `ID[,ID...] WHAT => OUTCOME`;
//! other lines set what the rows below them are about. How a row's halves read is said by the test of its table.

mod actions;
mod states;

/// A row.
pub(crate) struct Row<'a> {
    pub(crate) ids: &'a str,
    pub(crate) what: &'a str,
    pub(crate) outcome: &'a str,
}

impl<'a> Row<'a> {
    /// The row in this line, if it is one.
    pub(crate) fn of(line: &'a str) -> Option<Row<'a>> {
        let (ids, rest) = line.split_once(' ')?;
        let is_id =
            |id: &str| id.starts_with(|c: char| c.is_ascii_uppercase()) && id.ends_with(|c: char| c.is_ascii_digit());
        if !ids.split(',').all(is_id) {
            return None;
        }
        let (what, outcome) = rest.split_once("=>").unwrap_or_else(|| panic!("no outcome: {line}"));
        Some(Row { ids, what: what.trim(), outcome: outcome.trim() })
    }
}

/// The lines that are not for the reader only.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Compares what came out with what the table says, all rows at once.
pub(crate) fn compare(rows: impl Iterator<Item = (String, String, String)>) {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (ids, expected, came) in rows {
        count += 1;
        if expected != came {
            wrong.push(format!("{ids}\n  expected {expected}\n  came     {came}"));
        }
    }
    assert!(count >= 8, "rows are missing");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
