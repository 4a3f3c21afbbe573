//! Label selectors: `app=web,tier!=db,env in (a,b),!canary,shard>3`, and the structured form inside objects.
//!
//! Grammar and meaning: `k8s.io/apimachinery/pkg/labels/selector.go`; the structured form:
//! `LabelSelectorAsSelector` of `k8s.io/apimachinery/pkg/apis/meta/v1/helpers.go`.

use crate::object::at;
use crate::status_error::{StatusError, quoted};
use serde_json::{Map, Value};
use std::fmt;

/// A label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// Selects nothing: the structured selector is absent.
    Nothing,
    /// Selects what meets all of these; everything, if there are none.
    All(Vec<Requirement>),
}

/// What one label must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what; empty for [`Operator::Exists`] and [`Operator::DoesNotExist`].
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// One of the values.
    In,
    /// None of the values; holds where the label is missing.
    NotIn,
    /// There.
    Exists,
    /// Missing.
    DoesNotExist,
    /// A whole number above the value.
    GreaterThan,
    /// A whole number below the value.
    LessThan,
}

impl Labels {
    /// Reads the text form; the empty text selects everything.
    ///
    /// # Errors
    /// 400, naming what was found and what was expected.
    pub fn parse(text: &str) -> Result<Labels, StatusError> {
        let mut parser = Parser { rest: text };
        let mut requirements = Vec::new();
        if parser.peek().is_none() {
            return Ok(Labels::All(requirements));
        }
        loop {
            requirements.push(
                parser
                    .requirement()
                    .map_err(|why| StatusError::bad_request(format!("unable to parse requirement: {why}")))?,
            );
            match parser.next() {
                None => return Ok(Labels::all(requirements)),
                Some(",") => {}
                Some(found) => {
                    let why = format!("found '{found}', expected: ',' or 'end of string'");
                    return Err(StatusError::bad_request(format!("unable to parse requirement: {why}")));
                }
            }
        }
    }

    /// Reads the structured form: `matchLabels` and `matchExpressions`. Null selects nothing, `{}` everything.
    ///
    /// # Errors
    /// 400, naming what is wrong.
    pub fn structured(selector: &Value) -> Result<Labels, StatusError> {
        if selector.is_null() {
            return Ok(Labels::Nothing);
        }
        let equal = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten().map(|(key, value)| {
            Requirement::new(key, Operator::In, vec![value.as_str().unwrap_or_default().to_owned()])
        });
        let listed = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten().map(expression);
        equal.chain(listed).collect::<Result<_, _>>().map(Labels::all).map_err(StatusError::bad_request)
    }

    /// The selector for exactly these labels: a plain map, as in a Service. An empty one selects everything.
    #[must_use]
    pub fn of_map(labels: &Map<String, Value>) -> Labels {
        let requirement = |(key, value): (&String, &Value)| Requirement {
            key: key.clone(),
            operator: Operator::In,
            values: vec![value.as_str().unwrap_or_default().to_owned()],
        };
        Labels::All(labels.iter().map(requirement).collect())
    }

    /// In the order of the keys, as Kubernetes writes selectors.
    fn all(mut requirements: Vec<Requirement>) -> Labels {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Labels::All(requirements)
    }

    /// Whether an object's `metadata.labels` are selected.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(at(object, &["metadata", "labels"]).and_then(Value::as_object))
    }

    /// Whether these labels are selected.
    #[must_use]
    pub fn matches_labels(&self, labels: Option<&Map<String, Value>>) -> bool {
        match self {
            Labels::Nothing => false,
            Labels::All(requirements) => requirements.iter().all(|r| r.holds(labels)),
        }
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self, Labels::All(requirements) if requirements.is_empty())
    }
}

fn expression(expression: &Value) -> Result<Requirement, String> {
    let key = expression.get("key").and_then(Value::as_str).unwrap_or_default();
    let operator = match expression.get("operator").and_then(Value::as_str).unwrap_or_default() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        other => return Err(format!("{} is not a valid label selector operator", quoted(other))),
    };
    let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
    let values = values.map(|v| v.as_str().unwrap_or_default().to_owned()).collect();
    Requirement::new(key, operator, values)
}

impl Requirement {
    /// A requirement whose parts fit together.
    fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Requirement, String> {
        if !is_label_key(key) {
            return Err(format!("key: Invalid value: {}: must be a qualified name", quoted(key)));
        }
        let fits = match operator {
            Operator::In | Operator::NotIn => !values.is_empty(),
            Operator::Exists | Operator::DoesNotExist => values.is_empty(),
            Operator::GreaterThan | Operator::LessThan => values.iter().all(|v| v.parse::<i64>().is_ok()),
        };
        if !fits {
            let need = match operator {
                Operator::In | Operator::NotIn => "for 'in', 'notin' operators, values set can't be empty",
                Operator::Exists | Operator::DoesNotExist => "values set must be empty for exists and does not exist",
                Operator::GreaterThan | Operator::LessThan => "for 'Gt', 'Lt' operators, the value must be an integer",
            };
            return Err(format!("{key}: {need}"));
        }
        if let Some(value) = values.iter().find(|v| !is_label_value(v)) {
            return Err(format!("values[{key}]: Invalid value: {}: not a valid label value", quoted(value)));
        }
        Ok(Requirement { key: key.to_owned(), operator, values })
    }

    fn holds(&self, labels: Option<&Map<String, Value>>) -> bool {
        let Requirement { key, operator, values } = self;
        let label = labels.and_then(|l| l.get(key)).map(|v| v.as_str().unwrap_or_default());
        let compare = |holds: fn(i64, i64) -> bool| {
            let number = label.and_then(|l| l.parse().ok());
            let limit = values.first().and_then(|v| v.parse().ok());
            matches!((number, limit), (Some(number), Some(limit)) if holds(number, limit))
        };
        match operator {
            Operator::In => label.is_some_and(|l| values.iter().any(|v| v == l)),
            Operator::NotIn => label.is_none_or(|l| values.iter().all(|v| v != l)),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => compare(|number, limit| number > limit),
            Operator::LessThan => compare(|number, limit| number < limit),
        }
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Labels::All(requirements) = self else { return Ok(()) };
        for (index, requirement) in requirements.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Requirement { key, operator, values } = self;
        let joined = values.join(",");
        match operator {
            Operator::In if values.len() == 1 => write!(f, "{key}={joined}"),
            Operator::In => write!(f, "{key} in ({joined})"),
            Operator::NotIn if values.len() == 1 => write!(f, "{key}!={joined}"),
            Operator::NotIn => write!(f, "{key} notin ({joined})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{joined}"),
            Operator::LessThan => write!(f, "{key}<{joined}"),
        }
    }
}

/// Reads the text form token by token.
struct Parser<'a> {
    rest: &'a str,
}

/// Operators and brackets; the longer ones first.
const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        if text.is_empty() {
            self.rest = text;
            return None;
        }
        let symbol = SYMBOLS.iter().find(|s| text.starts_with(**s)).map(|s| s.len());
        let word = || text.find(|c: char| c.is_whitespace() || "=!(),><".contains(c)).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(symbol.unwrap_or_else(word))?;
        self.rest = rest;
        Some(token)
    }

    fn peek(&self) -> Option<&'a str> {
        Parser { rest: self.rest }.next()
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        if self.peek() == Some("!") {
            self.next();
            let key = self.word("identifier")?;
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        let key = self.word("!, identifier, or 'end of string'")?;
        let one = |parser: &mut Self| parser.value().map(|value| vec![value]);
        match self.peek() {
            None | Some(",") => Requirement::new(key, Operator::Exists, Vec::new()),
            Some("=" | "==") => {
                self.next();
                let values = one(self)?;
                Requirement::new(key, Operator::In, values)
            }
            Some("!=") => {
                self.next();
                let values = one(self)?;
                Requirement::new(key, Operator::NotIn, values)
            }
            Some("in") => {
                self.next();
                let values = self.set()?;
                Requirement::new(key, Operator::In, values)
            }
            Some("notin") => {
                self.next();
                let values = self.set()?;
                Requirement::new(key, Operator::NotIn, values)
            }
            Some(sign @ (">" | "<")) => {
                self.next();
                let values = one(self)?;
                let operator = if sign == ">" { Operator::GreaterThan } else { Operator::LessThan };
                Requirement::new(key, operator, values)
            }
            Some(found) => Err(format!("found '{found}', expected: in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn word(&mut self, expected: &str) -> Result<&'a str, String> {
        match self.next() {
            Some(word) if !SYMBOLS.contains(&word) => Ok(word),
            Some(found) => Err(format!("found '{found}', expected: {expected}")),
            None => Err(format!("found '', expected: {expected}")),
        }
    }

    /// A value after a sign; it may be empty.
    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            None | Some(",") => Ok(String::new()),
            Some(_) => self.word("identifier").map(str::to_owned),
        }
    }

    /// `(a, b)`; a value may be empty.
    fn set(&mut self) -> Result<Vec<String>, String> {
        match self.next() {
            Some("(") => {}
            found => return Err(format!("found '{}' expected: '('", found.unwrap_or_default())),
        }
        let mut values = Vec::new();
        loop {
            values.push(match self.peek() {
                Some("," | ")") => String::new(),
                _ => self.word("',', ')' or identifier")?.to_owned(),
            });
            match self.next() {
                Some(",") => {}
                Some(")") => break,
                found => return Err(format!("found '{}', expected: ',' or ')'", found.unwrap_or_default())),
            }
        }
        values.sort();
        values.dedup();
        Ok(values)
    }
}

/// `[prefix/]name`: a DNS subdomain of at most 253 and a name of at most 63 characters
/// (`k8s.io/apimachinery/pkg/util/validation`, `IsQualifiedName`).
fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_subdomain)
}

/// Empty, or at most 63 characters that begin and end with a letter or digit (`IsValidLabelValue`).
fn is_label_value(value: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let edge = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    bytes.len() <= 63 && bytes.iter().all(|b| inner(*b)) && edge(bytes.first()) && edge(bytes.last())
}

fn is_subdomain(text: &str) -> bool {
    let label = |part: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = part.as_bytes();
        let inner = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        inner && edge(bytes.first()) && edge(bytes.last())
    };
    text.len() <= 253 && text.split('.').all(label)
}
