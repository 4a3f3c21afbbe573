//! The forms that names, labels, keys and paths must have, and upstream's words for what does not have them.
//!
//! Each rule answers with what is wrong, or nothing. Source: `k8s.io/apimachinery/pkg/util/validation`.

/// The longest DNS label.
const LABEL_MAX: usize = 63;
/// The longest DNS name.
const SUBDOMAIN_MAX: usize = 253;

const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
     '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
     alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
     validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
     alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
     '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex \
     used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
     'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME: &str = "a valid environment variable name must consist only of printable ASCII characters other than \
     '='";
/// What is wrong with a port number out of range.
pub(super) const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";
/// What is wrong with a number below zero.
pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// A rule: what is wrong with a text.
pub(super) type Rule = fn(&str) -> Vec<String>;

/// Letters and digits of DNS names.
fn dns(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Non-empty, made of `ends` and `inner`, beginning and ending with `ends`.
fn shaped(text: &str, ends: fn(char) -> bool, inner: &[char]) -> bool {
    text.starts_with(ends) && text.ends_with(ends) && text.chars().all(|c| ends(c) || inner.contains(&c))
}

fn too_long(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("must be no more than {most} characters"))
}

fn problems(long: Option<String>, well_formed: bool, words: &str) -> Vec<String> {
    long.into_iter().chain((!well_formed).then(|| words.to_owned())).collect()
}

/// A DNS label: most names inside objects, Namespaces, StatefulSets.
pub(super) fn dns_label(text: &str) -> Vec<String> {
    problems(too_long(text, LABEL_MAX), shaped(text, dns, &['-']), DNS_LABEL)
}

/// A DNS name: the names of most objects.
pub(super) fn dns_subdomain(text: &str) -> Vec<String> {
    let well_formed = text.split('.').all(|label| shaped(label, dns, &['-']));
    problems(too_long(text, SUBDOMAIN_MAX), well_formed, DNS_SUBDOMAIN)
}

/// A DNS label that begins with a letter: Services.
pub(super) fn dns_1035(text: &str) -> Vec<String> {
    let well_formed = shaped(text, dns, &['-']) && text.starts_with(|c: char| c.is_ascii_lowercase());
    problems(too_long(text, LABEL_MAX), well_formed, DNS_1035)
}

/// `prefix.example.com/Name`: label and annotation keys, condition types.
pub(super) fn qualified_name(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let parts: Vec<&str> = text.split('/').collect();
    let name = match parts.as_slice() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(dns_subdomain(prefix).into_iter().map(|problem| format!("prefix part {problem}")));
            }
            name
        }
        _ => {
            let optional = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a qualified name {QUALIFIED} {optional}")];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if let Some(long) = too_long(name, LABEL_MAX) {
        problems.push(format!("name part {long}"));
    }
    if !word(name) {
        problems.push(format!("name part {QUALIFIED}"));
    }
    problems
}

fn word(text: &str) -> bool {
    shaped(text, |c| c.is_ascii_alphanumeric(), &['-', '_', '.'])
}

/// A label's value.
pub(super) fn label_value(text: &str) -> Vec<String> {
    problems(too_long(text, LABEL_MAX), text.is_empty() || word(text), LABEL_VALUE)
}

/// A key of a ConfigMap or Secret, which becomes a file name: never one that climbs (S13).
pub(super) fn config_key(text: &str) -> Vec<String> {
    let well_formed = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let mut problems = problems(too_long(text, SUBDOMAIN_MAX), well_formed, CONFIG_KEY);
    match text {
        "." => problems.push("must not be '.'".to_owned()),
        ".." => problems.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}

/// An environment variable's name, relaxed as since 1.33 (VER-17).
pub(super) fn env_name(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.is_empty() {
        problems.push("environment variable name must be non-empty".to_owned());
    }
    if text.chars().any(|c| !(c.is_ascii_graphic() || c == ' ') || c == '=') {
        problems.push(ENV_NAME.to_owned());
    }
    problems
}

/// A port's name.
pub(super) fn port_name(text: &str) -> Vec<String> {
    let mut problems: Vec<String> = too_long(text, 15).into_iter().collect();
    let mut unless = |holds: bool, words: &str| {
        if !holds {
            problems.push(words.to_owned());
        }
    };
    let allowed = text.chars().all(|c| dns(c) || c == '-');
    unless(allowed, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    unless(text.chars().any(|c| c.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    unless(!text.contains("--"), "must not contain consecutive hyphens");
    unless(!text.starts_with('-') && !text.ends_with('-'), "must not begin or end with a hyphen");
    problems
}

/// An IP address.
pub(super) fn ip(text: &str) -> Vec<String> {
    let problem = text.parse::<std::net::IpAddr>().is_err();
    problem.then(|| "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()).into_iter().collect()
}

/// A path that stays inside: relative, and never climbing.
pub(super) fn descending_path(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.starts_with('/') {
        problems.push("must be a relative path".to_owned());
    }
    problems.extend(no_climbing(text));
    problems
}

/// A path without `..`.
pub(super) fn no_climbing(text: &str) -> Vec<String> {
    text.split('/').any(|part| part == "..").then(|| "must not contain '..'".to_owned()).into_iter().collect()
}

#[cfg(test)]
mod tests;
