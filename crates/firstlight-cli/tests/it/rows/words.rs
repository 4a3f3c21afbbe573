//! How is a line of a scene taken apart: words, quoted texts, lists, durations, YAML below it?

use serde_json::Value;
use std::time::Duration;

/// A word, or a text in double quotes, which is one word and keeps its blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    Bare(String),
    Quoted(String),
}

impl Word {
    /// The word, unless it is a quoted text.
    pub(crate) fn bare(&self) -> Option<&str> {
        match self {
            Word::Bare(word) => Some(word),
            Word::Quoted(_) => None,
        }
    }
}

/// The words of a line.
pub(crate) fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('"') {
            let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let text = texts.next().unwrap().unwrap_or_else(|error| panic!("{line}: {error}"));
            rest = rest[texts.byte_offset()..].trim_start();
            words.push(Word::Quoted(text));
        } else {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            words.push(Word::Bare(word.to_owned()));
            rest = after.trim_start();
        }
    }
    words
}

/// The parts of a text between separators that are not inside quotes.
pub(crate) fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for letter in text.chars() {
        if letter == separator && !quoted {
            parts.push(String::new());
            continue;
        }
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        parts.last_mut().unwrap().push(letter);
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// `300ms` or `2s`.
pub(crate) fn duration(word: &str) -> Option<Duration> {
    if let Some(number) = word.strip_suffix("ms") {
        return number.parse().ok().map(Duration::from_millis);
    }
    word.strip_suffix('s')?.parse().ok().map(Duration::from_secs_f64)
}

/// Literal YAML.
pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("not YAML: {error}\n{text}"))
}

/// Puts one object into another: objects are merged, lists appended but for a command and its arguments, all else replaced.
pub(crate) fn merge(into: &mut Value, from: Value) {
    let Value::Object(members) = from else {
        *into = from;
        return;
    };
    if !into.is_object() {
        *into = Value::Object(serde_json::Map::new());
    }
    for (key, value) in members {
        match (&mut into[&key], value) {
            (Value::Array(old), Value::Array(new)) if key != "command" && key != "args" => old.extend(new),
            (slot, value) => merge(slot, value),
        }
    }
}
