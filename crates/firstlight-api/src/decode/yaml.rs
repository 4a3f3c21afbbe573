//! YAML as Kubernetes reads it (`sigs.k8s.io/yaml`): YAML 1.1 booleans and octal numbers, keys turned to text.

use super::tree::{Notes, Path, Tree};
use super::{Decoded, MAX_BYTES};
use crate::status_error::StatusError;
use serde::de::DeserializeSeed;
use serde_json::Value;
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::DuplicateKeyPolicy;
use std::fmt;

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The line its first content stands on, from 1.
    pub line: usize,
    /// What it says.
    pub value: Value,
    /// The paths of keys given more than once; the last one counts.
    pub duplicates: Vec<String>,
}

/// A document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// The line in the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DocumentError { line, message } = self;
        write!(f, "line {line}: {message}")
    }
}

impl std::error::Error for DocumentError {}

/// Nesting deeper than this is no manifest; Kubernetes' own types nest about 15 deep.
const MAX_DEPTH: usize = 100;
/// Values in one document; 500 pods with everything set have fewer.
const MAX_NODES: usize = 500_000;
/// Aliases in one document; manifests that use them at all use a handful.
const MAX_ALIASES: usize = 1_000;
/// What aliases may repeat, in scalars and brackets.
const MAX_REPLAYED: usize = 100_000;
/// What one document may become in memory, in bytes: [`MAX_NODES`] and [`MAX_BYTES`] of text, with room for aliases.
const MAX_EXPANDED: usize = 64 * 1024 * 1024;

/// Why a document with an alias bomb is refused.
pub(super) const EXPANDS: &str = "its aliases expand to more than is read from one document; write its values out";

/// The documents of a file, JSON included (JSON is YAML); empty ones are left out.
///
/// # Errors
/// The first document that cannot be read, with its line in the file.
pub fn documents(text: &str) -> Result<Vec<Document>, DocumentError> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(DocumentError { line: 1, message });
    }
    let mut documents = Vec::new();
    for (line, text) in split(text) {
        let Decoded { value, duplicates, dropped: _ } = match parse(text) {
            Ok(decoded) => decoded,
            // Once more with the lines before it, so that every place the message names is one of the file.
            Err(error) if line > 1 => parse(&("\n".repeat(line - 1) + text)).err().map_or(Err(error), Err)?,
            Err(error) => return Err(error),
        };
        if value != Value::Null {
            let leading = text.lines().take_while(|l| !says_something(l)).count();
            documents.push(Document { line: line + leading, value, duplicates });
        }
    }
    Ok(documents)
}

/// One body of one document.
pub(super) fn one(bytes: &[u8]) -> Result<Decoded, StatusError> {
    let refuse = |e: &dyn fmt::Display| StatusError::bad_request(format!("the body is not YAML: {e}"));
    let text = std::str::from_utf8(bytes).map_err(|e| refuse(&e))?;
    let mut documents = documents(text).map_err(|e| refuse(&e))?;
    match (documents.pop(), documents.len()) {
        (Some(Document { line: _, value, duplicates }), 0) => Ok(Decoded { value, duplicates, dropped: Vec::new() }),
        (None, _) => Err(refuse(&"it is empty")),
        (Some(_), more) => Err(refuse(&format!("it holds {} documents; send them one by one", more + 1))),
    }
}

/// The texts between `---` lines with the line each begins on.
///
/// Splitting first gives every document its own budget, and its errors the line in the file. `---` and `...` in the
/// first column are always markers (YAML 1.2, `c-forbidden`), so this is not a guess.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut start_line) = (0, 1);
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker =
            line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker.is_some() {
            push(&mut documents, start_line, text.get(start..offset));
            start = offset;
            start_line = number + 1;
        }
        offset += line.len();
    }
    push(&mut documents, start_line, text.get(start..));
    documents
}

fn push<'a>(documents: &mut Vec<(usize, &'a str)>, line: usize, text: Option<&'a str>) {
    if let Some(text) = text
        && text.lines().any(says_something)
    {
        documents.push((line, text));
    }
}

/// Whether a line is more than a comment, a directive or a marker.
fn says_something(line: &str) -> bool {
    let content = line.strip_prefix("---").or_else(|| line.strip_prefix("...")).unwrap_or(line).trim_start();
    !content.is_empty() && !content.starts_with('#') && !line.starts_with('%')
}

fn parse(text: &str) -> Result<Decoded, DocumentError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_aliases: MAX_ALIASES,
            max_events: 2 * MAX_NODES,
            max_nodes: MAX_NODES,
            simple_key_max_lookahead: MAX_KEY,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let notes = Notes::yaml(MAX_EXPANDED);
    let value = serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        Tree { at: &Path::Root, notes: &notes }.deserialize(deserializer)
    });
    let value = value.map_err(|e| explain(&e))?;
    Ok(Decoded { value, duplicates: notes.duplicates(), dropped: Vec::new() })
}

fn explain(error: &Error) -> DocumentError {
    let location = error.location();
    let line = location.map_or(1, |l| usize::try_from(l.line()).unwrap_or(1));
    if let Some(message) = too_much(error) {
        return DocumentError { line, message };
    }
    let message = error.to_string();
    let place = location.map(|l| format!(" at line {}, column {}", l.line(), l.column())).unwrap_or_default();
    DocumentError { line, message: message.strip_suffix(&place).unwrap_or(&message).to_owned() }
}

/// What an exceeded budget means to the person who wrote the document.
fn too_much(error: &Error) -> Option<String> {
    Some(match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => return too_much(error),
        Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => EXPANDS.to_owned(),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => format!("it nests deeper than {MAX_DEPTH}"),
        Error::Budget { breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. }, .. } => {
            format!("the document holds more than {MAX_NODES} values; split it")
        }
        Error::Budget { breach: BudgetBreach::Aliases { .. } | BudgetBreach::AliasAnchorRatio { .. }, .. } => {
            "the document uses too many aliases; write its values out".to_owned()
        }
        // The other budgets bound what aliases and merge keys repeat.
        Error::Budget { .. } => EXPANDS.to_owned(),
        _ => return None,
    })
}

/// Characters of a key; Kubernetes' longest keys are label keys of 317.
const MAX_KEY: usize = 1_024;
