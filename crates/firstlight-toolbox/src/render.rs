//! `fl render`: templates to files. Strict: what is not defined is an error, and all files are written or none.
//!
//! A template sees the values it is given and nothing else: no environment, no file, no network, no other template.

mod data;

use std::ffi::OsString;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, filters};

use crate::exit::Code;
use crate::failure::Failure;
use crate::hash;
use crate::publish;
use crate::value;
use crate::verb::{Done, Given, Outcome, Shared};

/// Renders templates (MiniJinja, strict) to files, all or none, then becomes COMMAND
///
/// Values in .json and .yaml files are escaped as JSON; elsewhere use the filter `tojson` where quotes are needed.
/// Filters beyond MiniJinja's: b64encode, sha256, ordinal (the number at the end of a pod's name).
#[derive(Debug, clap::Args)]
#[command(override_usage = "fl render [OPTIONS] TEMPLATE:DEST... [-- COMMAND...]")]
pub struct Args {
    /// From which template to which file
    #[arg(required = true, value_name = "TEMPLATE:DEST")]
    files: Vec<String>,
    /// A JSON document as a value of this name
    #[arg(long, value_name = "NAME=FILE.json")]
    data: Vec<String>,
    /// A text as a value of this name; @/path for the content of a file
    #[arg(long, value_name = "NAME=TEXT")]
    set: Vec<String>,
    /// The files' mode
    #[arg(long, value_name = "OCTAL", default_value = "0640", value_parser = value::mode)]
    mode: u32,
    /// An empty result is meant
    #[arg(long)]
    allow_empty: bool,
    /// What to become when the files are there
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    pub shared: Shared,
}

/// The verb.
pub fn run(args: &Args, given: &Given) -> Outcome {
    let pairs = args.files.iter().map(|pair| split(pair)).collect::<Result<Vec<_>, _>>()?;
    if given.shared.explain {
        let what: Vec<String> =
            pairs.iter().map(|(from, to)| format!("{} to {}", from.display(), to.display())).collect();
        return Ok(Done::new(format!("would render {}", what.join(", "))));
    }
    let values = data::collect(&args.data, &args.set)?;
    let mut rendered = Vec::new();
    for (template, destination) in pairs {
        let text = render(&template, &destination, &values)?;
        check(&destination, &text, args.allow_empty)?;
        rendered.push((destination, text));
    }
    let mut changed = 0;
    for (destination, text) in &rendered {
        let local = |error| Failure::io(destination.display(), error);
        if std::fs::read(destination).is_ok_and(|found| found == text.as_bytes()) {
            continue;
        }
        changed += 1;
        if !given.shared.dry_run {
            destination.parent().map_or(Ok(()), publish::create_directories).map_err(local)?;
            publish::write(destination, text.as_bytes(), args.mode).map_err(local)?;
        }
    }
    let would = if given.shared.dry_run { "would be " } else { "" };
    let message = format!("{changed} of {} files {would}written, the others are as they should be", rendered.len());
    let then = if given.shared.dry_run { Vec::new() } else { args.command.clone() };
    Ok(Done { message, attempts: 0, then })
}

fn split(pair: &str) -> Result<(PathBuf, PathBuf), Failure> {
    match pair.split_once(':') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.into(), to.into())),
        Some(_) | None => Err(Failure::usage(format!("\"{pair}\" is not TEMPLATE:DEST"))),
    }
}

fn render(template: &std::path::Path, destination: &std::path::Path, values: &Value) -> Result<String, Failure> {
    let source = std::fs::read_to_string(template)
        .map_err(|error| Failure::usage(format!("template {}: {error}", template.display())))?;
    // Named after what it becomes: the name decides how values are escaped.
    let name = destination.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Tags on lines of their own leave no trace; the last line keeps its end.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|error| Failure::io("setting up templates", error))?);
    for name in UNDEFINED_PASSES {
        environment.remove_filter(name);
    }
    environment.add_filter("tojson", |value: Value, indent: Option<Value>, options: Kwargs| {
        filters::tojson(&defined(value)?, indent, options)
    });
    environment.add_filter("urlencode", |value: Value| filters::urlencode(&defined(value)?));
    environment.add_filter("join", |list: Value, between: Option<String>| -> Result<String, Error> {
        let texts: Vec<String> = defined(list)?.try_iter()?.map(|item| item.to_string()).collect();
        Ok(texts.join(between.as_deref().unwrap_or_default()))
    });
    environment.add_filter("b64encode", |text: String| STANDARD.encode(text));
    environment.add_filter("sha256", |text: String| hash::of_bytes(text.as_bytes()).to_string());
    environment.add_filter("ordinal", ordinal);
    let explain = |error: &Error| explain(template, &source, error, values);
    environment.add_template(&name, &source).map_err(|error| explain(&error))?;
    environment.get_template(&name).and_then(|template| template.render(values)).map_err(|error| explain(&error))
}

/// Filters that make something of a value that is not defined, which would hide a misspelt name. Those worth having are
/// put back with [`defined`] before them.
const UNDEFINED_PASSES: [&str; 9] = ["escape", "e", "join", "groupby", "chain", "zip", "pprint", "tojson", "urlencode"];

fn defined(value: Value) -> Result<Value, Error> {
    if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
}

/// The number at the end of a StatefulSet pod's name.
fn ordinal(name: String) -> Result<u32, Error> {
    let wrong = || Error::new(ErrorKind::InvalidOperation, format!("\"{name}\" does not end in -NUMBER"));
    let (_, number) = name.rsplit_once('-').ok_or_else(wrong)?;
    number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(wrong)
}

/// Place, reason, and what is defined.
fn explain(template: &std::path::Path, source: &str, error: &Error, values: &Value) -> Failure {
    let line = error.line().unwrap_or(0);
    let text = error.range().and_then(|range| source.get(range)).unwrap_or_default().trim().to_owned();
    let detail =
        error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    let at = if text.is_empty() || text.len() > 80 { String::new() } else { format!(" at \"{text}\"") };
    let failure = Failure::new(Code::Usage, "template", format!("{detail}{at}"));
    let failure = failure.target(format!("{}:{line}", template.display()));
    if error.kind() != ErrorKind::UndefinedError {
        return failure;
    }
    let mut names: Vec<String> = values.try_iter().into_iter().flatten().map(|name| name.to_string()).collect();
    names.sort();
    failure.hint(format!("defined are: {}", names.join(", ")))
}

/// Whether the result is what its name says.
fn check(destination: &std::path::Path, text: &str, allow_empty: bool) -> Result<(), Failure> {
    let refused = |why: String| Failure::new(Code::Refused, "output", why).target(destination.display().to_string());
    if text.trim().is_empty() && !allow_empty {
        return Err(refused("the result is empty".to_owned()).hint("--allow-empty if it is meant"));
    }
    if destination.extension().is_some_and(|extension| extension == "json") {
        let parsed: Result<serde::de::IgnoredAny, _> = serde_json::from_str(text);
        parsed.map_err(|error| refused(format!("the result is no JSON: {error}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, destination: &str, values: &[&str]) -> Result<String, Failure> {
        let dir = tempfile::tempdir().expect("a directory");
        let template = dir.path().join("t.j2");
        std::fs::write(&template, source).expect("written");
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let values = data::collect(&[], &values)?;
        render(&template, std::path::Path::new(destination), &values)
    }

    #[test]
    fn a_misspelt_name_is_an_error_with_its_place_and_the_known_names() {
        let error = rendered("a\nb {{ chian_id }}\n", "x.toml", &["chain_id=c"]).expect_err("undefined");
        let text = error.to_string();
        assert!(
            text.contains("t.j2:2") && text.contains("chian_id") && text.contains("defined are: chain_id"),
            "{text}"
        );
        assert_eq!(error.code, Code::Usage);
    }

    #[test]
    fn an_undefined_name_is_an_error_in_conditions_and_loops_too() {
        for source in
            ["{% if x %}{% endif %}", "{% for y in x %}{% endfor %}", "{{ a.b }}", "{{ 'v' ~ x }}", "{{ x == 1 }}"]
        {
            assert!(rendered(source, "x", &["a=1"]).is_err(), "{source}");
        }
    }

    #[test]
    fn no_filter_makes_something_of_an_undefined_name_but_default() {
        let filters = "safe escape lower upper title capitalize replace('a','b') length dictsort items reverse trim join split \
                       lines round abs int float first last min max sort list string bool batch(2) slice(2) sum indent(2) \
                       select reject map('upper') groupby('a') unique chain zip pprint tojson urlencode b64encode sha256 ordinal";
        let passing: Vec<&str> = filters
            .split_whitespace()
            .filter(|filter| rendered(&format!("{{{{ x|{filter} }}}}"), "x", &["a=1"]).is_ok())
            .collect();
        assert_eq!(passing, [""; 0]);
        assert_eq!(rendered("{{ x|default('d') }}", "x", &[]).expect("that is what it is for"), "d");
    }

    #[test]
    fn templates_reach_nothing_but_their_values_s23() {
        for source in ["{% include 'x' %}", "{{ env('HOME') }}", "{{ read('/etc/passwd') }}", "{% extends 'x' %}"] {
            assert!(rendered(source, "x", &[]).is_err(), "{source}");
        }
    }

    #[test]
    fn a_value_in_json_stays_one_value_s23() {
        for hostile in ["\"", "\\", "</script>", "{{ 1 }}", "a\nb", "\u{2028}"] {
            let text = rendered("{\"k\": {{ v }}}", "x.json", &[&format!("v={hostile}")]).expect("rendered");
            let parsed: serde_json::Value = serde_json::from_str(&text).expect(&text);
            assert_eq!(parsed["k"], hostile);
        }
    }

    #[test]
    fn our_filters() {
        let of = |source: &str| rendered(source, "x.txt", &["n=chain-validator-12"]);
        assert_eq!(of("{{ n|ordinal }}").expect("a number"), "12");
        assert_eq!(of("{{ 'val'|b64encode }}").expect("text"), "dmFs");
        assert!(of("{{ 'validator'|ordinal }}").is_err() && of("{{ 'a-+1'|ordinal }}").is_err());
    }

    #[test]
    fn a_result_that_is_not_what_its_name_says_is_refused() {
        let json = |text| check(std::path::Path::new("x.json"), text, false).map_err(|failure| failure.code);
        assert_eq!(json("{}"), Ok(()));
        assert_eq!(json("{} x"), Err(Code::Refused));
        assert_eq!(check(std::path::Path::new("x"), " \n", false).map_err(|failure| failure.code), Err(Code::Refused));
        assert!(check(std::path::Path::new("x"), "", true).is_ok());
    }
}
