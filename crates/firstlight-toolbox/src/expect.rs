//! What an answer must look like: a status, a header, a place in a JSON document.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// A set of statuses: `200,204,2xx,300-399`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<(u16, u16)>);

impl Statuses {
    /// Success or a redirect: the server is up and knows the place.
    pub fn any_success() -> Statuses {
        Statuses(vec![(200, 399)])
    }

    /// Whether the status is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Statuses, String> {
        let part = |part: &str| {
            let part = part.trim();
            let wrong = || format!("\"{part}\" is no status; write 200, 2xx or 200-399");
            let number = |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status));
            if let Some(class) = part.strip_suffix("xx") {
                let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class)).ok_or_else(wrong)?;
                return Ok((class * 100, class * 100 + 99));
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?);
            if first <= last { Ok((first, last)) } else { Err(wrong()) }
        };
        text.split(',').map(part).collect::<Result<_, _>>().map(Statuses)
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

/// A header that must be there: `Name` or `Name: value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRule {
    name: http::HeaderName,
    value: Option<String>,
}

impl HeaderRule {
    /// What is wrong with these headers, if anything.
    pub fn check(&self, headers: &http::HeaderMap) -> Result<(), String> {
        let mut found = headers.get_all(&self.name).iter().peekable();
        let Some(first) = found.peek() else { return Err(format!("header {} is missing", self.name)) };
        let first = String::from_utf8_lossy(first.as_bytes()).into_owned();
        match &self.value {
            Some(value) if !found.any(|found| found.as_bytes() == value.as_bytes()) => {
                Err(format!("header {} is \"{first}\", not \"{value}\"", self.name))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl FromStr for HeaderRule {
    type Err = String;

    fn from_str(text: &str) -> Result<HeaderRule, String> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.trim().to_owned())),
            None => (text, None),
        };
        let name = name.trim().parse().map_err(|_| format!("\"{name}\" is no header name"))?;
        Ok(HeaderRule { name, value })
    }
}

/// A condition on a JSON document: `.path`, `.path==value`, `.list[*].name=="x"`, `.list|length>=3`.
///
/// A bare path wants a value that says something: not null, false, `""`, `[]` or `{}` (the placeholders that gates
/// in the field have taken for the real thing). `[*]` is satisfied by any element. Numbers compare as numbers, also
/// when a server writes them as strings, exactly up to 128 bits.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonRule {
    text: String,
    path: Vec<Part>,
    length: bool,
    test: Option<(Operator, Value)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Key(String),
    Index(usize),
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    More,
    Less,
}

const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::More),
    ("<", Operator::Less),
];

impl JsonRule {
    /// Checks a document given as bytes.
    pub fn check_bytes(&self, bytes: &[u8]) -> Result<(), String> {
        let document = serde_json::from_slice(bytes).map_err(|error| {
            let start: String = String::from_utf8_lossy(bytes).chars().take(60).collect();
            format!("the answer is no JSON ({error}): \"{start}\"")
        })?;
        self.check(&document)
    }

    /// Checks a document.
    pub fn check(&self, document: &Value) -> Result<(), String> {
        let mut found = Vec::new();
        collect(document, &self.path, &mut found);
        let found: Vec<Value> = if self.length {
            found.into_iter().filter_map(length).collect()
        } else {
            found.into_iter().cloned().collect()
        };
        let holds = |value: &Value| match &self.test {
            None => says_something(value),
            Some((operator, wanted)) => compare(value, *operator, wanted),
        };
        if found.iter().any(holds) {
            return Ok(());
        }
        let shown = match found.first() {
            None => "there is no such place".to_owned(),
            Some(value) => format!("it is {}", abridged(value)),
        };
        Err(format!("{} does not hold: {shown}", self.text))
    }
}

impl fmt::Display for JsonRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn abridged(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn collect<'a>(value: &'a Value, path: &[Part], found: &mut Vec<&'a Value>) {
    let Some((part, rest)) = path.split_first() else { return found.push(value) };
    match (part, value) {
        (Part::Key(key), Value::Object(object)) => {
            if let Some(value) = object.get(key) {
                collect(value, rest, found);
            }
        }
        (Part::Index(index), Value::Array(list)) => {
            if let Some(value) = list.get(*index) {
                collect(value, rest, found);
            }
        }
        (Part::Any, Value::Array(list)) => list.iter().for_each(|value| collect(value, rest, found)),
        (Part::Any, Value::Object(object)) => object.values().for_each(|value| collect(value, rest, found)),
        (Part::Key(_) | Part::Index(_) | Part::Any, _) => {}
    }
}

fn length(value: &Value) -> Option<Value> {
    match value {
        Value::Array(list) => Some(list.len().into()),
        Value::Object(object) => Some(object.len().into()),
        Value::String(text) => Some(text.chars().count().into()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

fn compare(value: &Value, operator: Operator, wanted: &Value) -> bool {
    let order = match (number(value), number(wanted)) {
        (Some(value), Some(wanted)) => value.compare(wanted),
        _ => match (value, wanted) {
            (Value::String(value), Value::String(wanted)) => Some(value.cmp(wanted)),
            _ => (value == wanted).then_some(Ordering::Equal),
        },
    };
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::AtLeast => matches!(order, Some(Ordering::Equal | Ordering::Greater)),
        Operator::AtMost => matches!(order, Some(Ordering::Equal | Ordering::Less)),
        Operator::More => order == Some(Ordering::Greater),
        Operator::Less => order == Some(Ordering::Less),
    }
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(&b)),
            (a, b) => a.real().partial_cmp(&b.real()),
        }
    }

    fn real(self) -> f64 {
        match self {
            Number::Whole(whole) => whole as f64,
            Number::Real(real) => real,
        }
    }
}

fn number(value: &Value) -> Option<Number> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().map(Number::Whole).or_else(|_| text.parse().map(Number::Real)).ok()
}

impl FromStr for JsonRule {
    type Err = String;

    fn from_str(text: &str) -> Result<JsonRule, String> {
        let (path, rest) = path(text).map_err(|why| format!("\"{text}\": {why}"))?;
        let rest = rest.trim_start();
        let (length, rest) = match rest.strip_prefix('|').map(str::trim_start) {
            Some(filter) => match filter.strip_prefix("length") {
                Some(rest) => (true, rest.trim_start()),
                None => return Err(format!("\"{text}\": the only filter is |length")),
            },
            None => (false, rest),
        };
        if rest.is_empty() && !length {
            return Ok(JsonRule { text: text.to_owned(), path, length, test: None });
        }
        let found = OPERATORS.iter().find_map(|(sign, operator)| rest.strip_prefix(sign).map(|rest| (*operator, rest)));
        let (operator, wanted) =
            found.ok_or_else(|| format!("\"{text}\": after the path comes one of == != >= <= > <"))?;
        let wanted = wanted.trim();
        // What is no JSON is a plain word: `.status==UP` needs no quotes within quotes.
        let wanted = serde_json::from_str(wanted).unwrap_or_else(|_| Value::from(wanted));
        Ok(JsonRule { text: text.to_owned(), path, length, test: Some((operator, wanted)) })
    }
}

/// Reads the path and returns what follows it.
fn path(text: &str) -> Result<(Vec<Part>, &str), String> {
    let mut rest = text.trim_start();
    let mut parts = Vec::new();
    if !rest.starts_with(['.', '[']) {
        return Err("a path starts with a dot".to_owned());
    }
    loop {
        if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = after.split_once(']').ok_or("a bracket is not closed")?;
            parts.push(bracket(inside.trim())?);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            let end =
                after.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '/'))).unwrap_or(after.len());
            let (key, after) = after.split_at(end);
            if !key.is_empty() {
                parts.push(Part::Key(key.to_owned()));
            } else if !(parts.is_empty() || after.starts_with('[')) {
                return Err("a dot without a name".to_owned());
            }
            rest = after;
        } else {
            return Ok((parts, rest));
        }
    }
}

fn bracket(inside: &str) -> Result<Part, String> {
    if inside == "*" {
        return Ok(Part::Any);
    }
    if let Ok(index) = inside.parse() {
        return Ok(Part::Index(index));
    }
    serde_json::from_str(inside).map(Part::Key).map_err(|_| format!("[{inside}] is no index, \"key\" or *"))
}

#[cfg(test)]
mod tests;
