//! The figures of a step that has ended. Nobody can scrape a process that is gone, so it leaves them in a file, in
//! Prometheus' text format; `fl expose` passes on those of its volume.
//!
//! No label says which pod it was: the scraper knows, and a series per pod is what makes a time series database slow.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exit::Code;
use crate::log::Log;
use crate::publish;
use crate::verb::Outcome;

/// Upper bounds of the duration's buckets, in seconds: from a cached fetch to ten minutes of waiting.
const BUCKETS: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Others may read it: the exposer runs as another user.
const MODE: u32 = 0o644;

/// The file to write to, if any.
pub fn place(named: Option<&Path>, step: &str) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_path_buf());
    }
    let directory = PathBuf::from(std::env::var_os("FIRSTLIGHT_DIR")?).join("metrics");
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    directory.is_dir().then(|| directory.join(format!("{}.prom", step.chars().map(plain).collect::<String>())))
}

/// Writes the figures. A step does not fail for want of them, but it says so.
pub fn write(file: &Path, verb: &str, step: &str, outcome: &Outcome, took: Duration, log: &Log) {
    let (code, attempts) = match outcome {
        Ok(done) => (Code::Done, done.attempts),
        Err(failure) => (failure.code, failure.attempts),
    };
    if let Err(error) = publish::write(file, render(verb, step, code, attempts, took).as_bytes(), MODE) {
        log.warn().target(file.display().to_string()).say(format!("the step's figures cannot be written: {error}"));
    }
}

fn render(verb: &str, step: &str, code: Code, attempts: u32, took: Duration) -> String {
    let step = step.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
    let labels = format!("verb=\"{verb}\",step=\"{step}\"");
    let seconds = took.as_secs_f64();
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _infallible = writeln!(text, "{args}");
    };
    line(format_args!("# TYPE firstlight_step_duration_seconds histogram"));
    for bound in BUCKETS {
        let within = u8::from(seconds <= bound);
        line(format_args!("firstlight_step_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {within}"));
    }
    line(format_args!("firstlight_step_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 1"));
    line(format_args!("firstlight_step_duration_seconds_sum{{{labels}}} {seconds:.3}"));
    line(format_args!("firstlight_step_duration_seconds_count{{{labels}}} 1"));
    line(format_args!("# TYPE firstlight_step_attempts_total counter"));
    line(format_args!("firstlight_step_attempts_total{{{labels}}} {attempts}"));
    line(format_args!("# TYPE firstlight_step_result_total counter"));
    line(format_args!("firstlight_step_result_total{{{labels},code=\"{code}\"}} 1"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_step_are_prometheus_text() {
        let text = render("wait", "gate \"x\"", Code::Deadline, 7, Duration::from_millis(1500));
        let labels = "verb=\"wait\",step=\"gate \\\"x\\\"\"";
        for line in [
            format!("firstlight_step_duration_seconds_bucket{{{labels},le=\"1\"}} 0"),
            format!("firstlight_step_duration_seconds_bucket{{{labels},le=\"2.5\"}} 1"),
            format!("firstlight_step_duration_seconds_sum{{{labels}}} 1.500"),
            format!("firstlight_step_attempts_total{{{labels}}} 7"),
            format!("firstlight_step_result_total{{{labels},code=\"124\"}} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
