//! Where settings come from: a flag, then `FIRSTLIGHT_<VERB>_<FLAG>`. A variable with our prefix that no flag owns is
//! an error, because a misspelt one would be ignored in silence.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use crate::failure::Failure;
use crate::secret::HIDDEN;

/// What every variable of ours starts with.
const PREFIX: &str = "FIRSTLIGHT_";

/// Variables that belong to no single verb.
const SHARED: [&str; 1] = ["FIRSTLIGHT_DIR"];

/// What the `firstlight` command reads: set in a shell for the engine, it must not stop `fl` in the same shell.
const OF_THE_ENGINE: [&str; 9] = [
    "FIRSTLIGHT_ALLOW_HOST_IMAGE",
    "FIRSTLIGHT_ALLOW_HOST_PATH",
    "FIRSTLIGHT_ALLOW_PRIVILEGED",
    "FIRSTLIGHT_DATA_DIR",
    "FIRSTLIGHT_IMAGE_DIR",
    "FIRSTLIGHT_LOG",
    "FIRSTLIGHT_MAX_BACKOFF",
    "FIRSTLIGHT_MIRRORS",
    "FIRSTLIGHT_TOOLBOX",
];

/// Flags whose values are not shown by `--explain`.
const SECRET_FLAGS: [&str; 2] = ["header", "data"];

/// Gives every long flag of every verb its variable.
pub fn with_variables(command: Command) -> Command {
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    verbs.into_iter().fold(command, |command, verb| {
        command.mut_subcommand(&verb, |subcommand| {
            subcommand.mut_args(|arg| match arg.get_long().map(|long| variable(&verb, long)) {
                // Leaked on purpose: a few names, once per process, and clap wants them for its lifetime.
                Some(name) if arg.get_env().is_none() => arg.env(&*name.leak()).hide_env(true),
                Some(_) | None => arg,
            })
        })
    })
}

fn variable(verb: &str, flag: &str) -> String {
    format!("{PREFIX}{verb}_{flag}").replace('-', "_").to_ascii_uppercase()
}

/// Refuses variables with our prefix that nothing reads. `command` has been through [`with_variables`].
pub fn refuse_unknown(command: &Command, environment: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let known: BTreeSet<String> = command
        .get_subcommands()
        .flat_map(|verb| verb.get_arguments().filter_map(clap::Arg::get_env))
        .map(|name| name.to_string_lossy().into_owned())
        .chain(SHARED.map(str::to_owned))
        .collect();
    for name in environment {
        let name = name.to_string_lossy();
        let others = OF_THE_ENGINE.contains(&name.as_ref()) || service_link(&name);
        if name.starts_with(PREFIX) && !known.contains(name.as_ref()) && !others {
            let near = known.iter().min_by_key(|known| distance(known, &name)).map_or("", String::as_str);
            return Err(Failure::usage(format!("environment variable {name} belongs to no flag"))
                .hint(format!("did you mean {near}? otherwise unset it")));
        }
    }
    Ok(())
}

/// Kubernetes puts variables for each Service of a namespace into every container (`enableServiceLinks`): a Service
/// whose name starts with `firstlight` must not stop us.
fn service_link(name: &str) -> bool {
    let port = |rest: &str| {
        let mut parts = rest.split('_');
        let number = parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        number && matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT")
        || name.match_indices("_PORT_").any(|(at, found)| port(&name[at + found.len()..]))
}

/// Levenshtein's distance; the names are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Every setting of a verb, with its value and where the value came from: what `--explain` prints first.
pub fn explain(verb: &Command, matches: &ArgMatches) -> Vec<String> {
    let mut lines = Vec::new();
    for id in matches.ids() {
        let id = id.as_str();
        let Some(arg) = verb.get_arguments().find(|arg| arg.get_id() == id) else { continue };
        let Ok(Some(raw)) = matches.try_get_raw(id) else { continue };
        let values: Vec<String> = raw.map(|value| value.to_string_lossy().into_owned()).collect();
        let origin = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "command line",
            Some(ValueSource::EnvVariable) => "environment",
            _ => "default",
        };
        let name = arg.get_long().map_or_else(|| id.to_owned(), |long| format!("--{long}"));
        let shown = if SECRET_FLAGS.contains(&id) { HIDDEN.to_owned() } else { values.join(" ") };
        lines.push(format!("{name} = {shown}  ({origin})"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    fn command() -> Command {
        let verb = Command::new("run-once").arg(Arg::new("lock").long("lock-timeout"));
        with_variables(Command::new("fl").subcommand(verb))
    }

    fn refused(name: &str) -> bool {
        refuse_unknown(&command(), [OsString::from(name)].into_iter()).is_err()
    }

    #[test]
    fn a_misspelt_variable_is_refused_with_the_near_name() {
        let error = refuse_unknown(&command(), [OsString::from("FIRSTLIGHT_RUN_ONCE_LOCK_TIMOUT")].into_iter());
        assert!(error.expect_err("refused").to_string().contains("did you mean FIRSTLIGHT_RUN_ONCE_LOCK_TIMEOUT"));
    }

    #[test]
    fn what_a_flag_owns_what_all_share_and_what_is_not_ours_passes() {
        for name in
            ["FIRSTLIGHT_RUN_ONCE_LOCK_TIMEOUT", "FIRSTLIGHT_DIR", "FIRSTLIGHT_DATA_DIR", "PATH", "FIRSTLIGHTER_X"]
        {
            assert!(!refused(name), "{name}");
        }
    }

    #[test]
    fn the_links_of_a_service_named_like_us_pass() {
        for name in [
            "FIRSTLIGHT_SERVICE_HOST",
            "FIRSTLIGHT_SERVICE_PORT",
            "FIRSTLIGHT_SERVICE_PORT_HTTP",
            "FIRSTLIGHT_PORT",
            "FIRSTLIGHT_WAIT_PORT_80_TCP",
            "FIRSTLIGHT_WAIT_PORT_80_TCP_ADDR",
        ] {
            assert!(!refused(name), "{name}");
        }
        assert!(refused("FIRSTLIGHT_WAIT_PORT_X"));
    }

    #[test]
    fn a_flag_can_come_from_its_variable() {
        let command = command();
        let verb = command.get_subcommands().next().expect("one verb");
        let arg = verb.get_arguments().next().expect("one flag");
        assert_eq!(arg.get_env().expect("named").to_string_lossy(), "FIRSTLIGHT_RUN_ONCE_LOCK_TIMEOUT");
    }
}
