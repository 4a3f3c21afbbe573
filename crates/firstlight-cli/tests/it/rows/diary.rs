//! What do the containers of a scene themselves say? Each appends lines to one file, so the file's order is the order.
//!
//! A line is `UPTIME SUBJECT WORDS`: the machine's monotonic seconds, then who, then what. The stage writes into it as well, as
//! `pod`: what it did to the pod and when.

use std::io::Write;
use std::path::Path;

/// A line.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: f64,
    pub(crate) who: String,
    pub(crate) what: String,
}

/// All of it so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Diary {
    pub(crate) entries: Vec<Entry>,
}

/// Something a container does, as its line begins: `main exits`, `sidecar starts from image 2`; the first or a later time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) who: String,
    pub(crate) what: String,
    pub(crate) times_before: usize,
}

impl Diary {
    /// The diary in this file; a line that is being written does not count yet.
    pub(crate) fn read(file: &Path) -> Diary {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Diary { entries: whole.lines().filter_map(Entry::parse).collect() }
    }

    /// What was said from this entry on.
    pub(crate) fn since(&self, first: usize) -> Diary {
        Diary { entries: self.entries.get(first..).unwrap_or_default().to_vec() }
    }

    /// Where this moment is found, each time.
    pub(crate) fn all(&self, moment: &Moment) -> Vec<usize> {
        let found = self.entries.iter().enumerate().filter(|(_, entry)| entry.is(moment));
        found.map(|(place, _)| place).collect()
    }

    /// Where it is found, the time that is meant.
    pub(crate) fn find(&self, moment: &Moment) -> Option<usize> {
        self.all(moment).get(moment.times_before).copied()
    }

    /// The runs of a container, as places of their beginning and, if it said so, end.
    pub(crate) fn runs(&self, who: &str) -> Vec<(usize, Option<usize>)> {
        let mut runs: Vec<(usize, Option<usize>)> = Vec::new();
        for (place, entry) in self.entries.iter().enumerate().filter(|(_, entry)| entry.who == who) {
            if entry.what.starts_with("starts") {
                // What did not say its end was killed, at the latest before the next began.
                if let Some((_, end @ None)) = runs.last_mut() {
                    *end = Some(place);
                }
                runs.push((place, None));
            } else if entry.what.starts_with("exits")
                && let Some((_, end)) = runs.last_mut()
            {
                *end = Some(place);
            }
        }
        runs
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Entry> {
        let mut words = line.splitn(3, ' ');
        let at = words.next()?.parse().ok()?;
        Some(Entry { at, who: words.next()?.to_owned(), what: words.next().unwrap_or("").to_owned() })
    }

    fn is(&self, moment: &Moment) -> bool {
        let rest = self.what.strip_prefix(moment.what.as_str());
        self.who == moment.who && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }
}

/// A line of somebody who is no container.
pub(crate) fn note(file: &Path, who: &str, what: &str) {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let up = uptime.split(' ').next().unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
    file.write_all(format!("{up} {who} {what}\n").as_bytes()).unwrap();
}
