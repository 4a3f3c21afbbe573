//! Figures of steps that have ended: each left a file on the volume, and together they are one page to scrape.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Ten series a step are a few KiB; what is larger is not ours.
const LARGEST: u64 = 256 << 10;

/// Every `*.prom` file of the directory, each metric once with the series of all files under it, as the format wants.
pub fn figures(directory: &Path) -> String {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    let mut metrics = BTreeMap::new();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "prom")) {
        let small = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() <= LARGEST);
        if let (true, Ok(text)) = (small, std::fs::read_to_string(path)) {
            merge(&text, &mut metrics);
        }
    }
    metrics.into_values().map(|lines: Vec<String>| lines.join("\n") + "\n").collect()
}

fn merge(text: &str, metrics: &mut BTreeMap<String, Vec<String>>) {
    let mut metric = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let described = line.strip_prefix("# TYPE ").or_else(|| line.strip_prefix("# HELP "));
        if let Some(name) = described.and_then(|rest| rest.split(' ').next()) {
            name.clone_into(&mut metric);
        }
        let lines = metrics.entry(metric.clone()).or_default();
        if described.is_none() || !lines.iter().any(|known| known == line) {
            lines.push(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_of_several_files_is_described_once() {
        let mut metrics = BTreeMap::new();
        merge("# TYPE a counter\na{s=\"1\"} 1\n# TYPE b gauge\nb 2\n", &mut metrics);
        merge("# TYPE a counter\na{s=\"2\"} 3\n\n", &mut metrics);
        let lines: Vec<Vec<String>> = metrics.into_values().collect();
        assert_eq!(lines, [vec!["# TYPE a counter", "a{s=\"1\"} 1", "a{s=\"2\"} 3"], vec!["# TYPE b gauge", "b 2"]]);
    }
}
