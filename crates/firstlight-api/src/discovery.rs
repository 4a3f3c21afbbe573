//! What `/api`, `/apis`, `/version` and `/openapi/v3` answer: which groups, kinds, verbs and fields are served.
//!
//! Everything follows from [`kinds`]; nothing is listed twice. `kubectl` asks for the aggregated form first
//! and falls back to one request per group; both are here, and which one is meant follows from `Accept`.

mod aggregated;
mod openapi;
mod plain;

pub use openapi::{Document, document};

use crate::schema::{Kind, kinds};
use aggregated::Version;
use serde_json::{Value, json};

/// The minor version of Kubernetes this API is compatible with. `kubectl` warns when it is further than one minor
/// version away, and kube-rs 5 supports 1.33 to 1.37; 1.33 suits `kubectl` 1.32 to 1.34.
const MINOR: &str = "33";

/// An answer and its media type.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// For `Content-Type`. `kubectl` takes an aggregated answer only if it is named exactly.
    pub content_type: &'static str,
    /// The body.
    pub body: Value,
}

/// The answer to a GET of a discovery path (without query), or nothing if it is not one.
#[must_use]
pub fn answer(path: &str, accept: &str) -> Option<Answer> {
    let plain = |body| Some(Answer { content_type: "application/json", body });
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (parts.as_slice(), Version::accepted(accept)) {
        (["api"], Some(version)) => Some(version.answer(|group| group.is_empty())),
        (["apis"], Some(version)) => Some(version.answer(|group| !group.is_empty())),
        (["api"], None) => plain(plain::core_versions()),
        (["apis"], None) => plain(plain::groups()),
        (["api", version], _) => plain(plain::resources("", version)?),
        (["apis", group], _) => plain(plain::group(group)?),
        (["apis", group, version], _) => plain(plain::resources(group, version)?),
        (["version"], _) => plain(version()),
        (["openapi", "v3"], _) => plain(openapi::index()),
        _ => None,
    }
}

/// The version of Kubernetes this API speaks, as servers and nodes say it.
#[must_use]
pub fn git_version() -> String {
    format!("v1.{MINOR}.0+firstlight")
}

/// `/version`
fn version() -> Value {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "major": "1",
        "minor": MINOR,
        "gitVersion": git_version(),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{arch}", std::env::consts::OS),
    })
}

/// The served groups in the order of their first kind, the core group included.
fn group_names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for kind in kinds() {
        if !names.contains(&kind.group) {
            names.push(kind.group);
        }
    }
    names
}

/// The versions of a group.
fn versions_of(group: &str) -> Vec<&'static str> {
    let mut versions: Vec<&'static str> = Vec::new();
    for kind in kinds().iter().filter(|k| k.group == group) {
        if !versions.contains(&kind.version) {
            versions.push(kind.version);
        }
    }
    versions
}

/// The kinds of a group and version.
fn kinds_of<'a>(group: &'a str, version: &'a str) -> impl Iterator<Item = &'static Kind> + 'a {
    kinds().iter().filter(move |k| k.group == group && k.version == version)
}

#[cfg(test)]
mod tests;
