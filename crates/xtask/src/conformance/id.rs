//! How are ids written: in the inventory (`INI-7`, `T070`, `B3`), in a test's name (`ini_7_and_9_...`), in a text?

use std::fmt;

/// A rule (`INI-7`), an upstream case (`T070`) or an upstream defect (`B3`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    group: String,
    number: u32,
}

impl Id {
    fn new(group: &str, number: &str) -> Option<Id> {
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number = number.parse().ok().filter(|_| digits)?;
        Some(Id { group: group.to_ascii_uppercase(), number })
    }

    /// `INI-7`, `T070` or `B3`, and nothing else.
    pub(super) fn parse(text: &str) -> Option<Id> {
        match text.split_once('-') {
            Some((group, number)) if group.len() == 3 && group.bytes().all(|b| b.is_ascii_uppercase()) => {
                Id::new(group, number)
            }
            Some(_) => None,
            None => text.strip_prefix('T').filter(|n| n.len() == 3).and_then(|n| Id::new("T", n)).or_else(|| {
                text.strip_prefix('B').filter(|n| (1..=2).contains(&n.len())).and_then(|n| Id::new("B", n))
            }),
        }
    }

    pub(super) fn same_group(&self, other: &Id) -> bool {
        self.group == other.group
    }

    /// All ids from the first to the last; both of one group.
    pub(super) fn range(first: &Id, last: &Id) -> Option<Vec<Id>> {
        let ids = (first.number..=last.number).map(|number| Id { group: first.group.clone(), number });
        (first.group == last.group && first.number < last.number).then(|| ids.collect())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.as_str() {
            "T" => write!(f, "T{:03}", self.number),
            "B" => write!(f, "B{}", self.number),
            group => write!(f, "{group}-{}", self.number),
        }
    }
}

/// The ids a test's name begins with: `ini_7_...`, `def_1_and_2_...`, `kre_5_and_ini_3_...`, `t041_to_t048_...`.
pub(super) fn in_name(name: &str) -> Vec<Id> {
    let words: Vec<&str> = name.split('_').collect();
    let mut found: Vec<Id> = Vec::new();
    let mut at = 0;
    let mut ranged = false;
    while let Some((id, length)) = id_at(&words[at..], found.last()) {
        let first = found.last().filter(|_| ranged).cloned();
        match first.and_then(|first| Id::range(&first, &id)) {
            Some(range) => found.extend(range.into_iter().skip(1)),
            None if ranged => break,
            None => found.push(id),
        }
        at += length;
        match words.get(at) {
            Some(&"and") => ranged = false,
            Some(&"to") => ranged = true,
            Some(_) | None => break,
        }
        at += 1;
    }
    found
}

/// An id at the beginning of these words, and how many of them it takes; a bare number is of the group before it.
fn id_at(words: &[&str], before: Option<&Id>) -> Option<(Id, usize)> {
    let first = words.first()?;
    let is_group = first.len() == 3 && first.bytes().all(|b| b.is_ascii_lowercase());
    if let Some(id) = is_group.then(|| words.get(1)).flatten().and_then(|number| Id::new(first, number)) {
        return Some((id, 2));
    }
    let short = Id::parse(&first.to_ascii_uppercase()).or_else(|| Id::new(&before?.group, first));
    Some((short?, 1))
}

/// The ids of a list that holds nothing else: `INI-1, INI-3 to INI-5, T041-T048`. Anything else claims nothing.
pub(super) fn in_list(text: &str) -> Option<Vec<Id>> {
    let mut found = Vec::new();
    for item in text.split([',', ';']).flat_map(|item| item.split(" and ")).map(str::trim) {
        if let Some(id) = Id::parse(item) {
            found.push(id);
        } else {
            let ends = |(a, b): (&str, &str)| Id::range(&Id::parse(a.trim())?, &Id::parse(b.trim())?);
            let range = item.split_once(" to ").and_then(ends);
            found.extend(
                range.or_else(|| item.match_indices('-').find_map(|(at, _)| ends((&item[..at], &item[at + 1..]))))?,
            );
        }
    }
    Some(found)
}

/// The ids in a text's parentheses, of those that hold nothing but ids.
pub(super) fn in_parentheses(text: &str) -> Vec<Id> {
    let inside = text.split('(').skip(1).filter_map(|part| Some(part.split_once(')')?.0));
    inside.filter_map(in_list).flatten().collect()
}

#[cfg(test)]
mod tests;
