//! Field selectors: `metadata.name=web,status.phase!=Running`, with the fields each kind supports.
//!
//! Grammar: `k8s.io/apimachinery/pkg/fields/selector.go`. Fields: the conversion functions of `pkg/apis/*/v1` and the
//! `ToSelectableFields` of `pkg/registry`.

use crate::object::{Resource, resources};
use crate::schema::Kind;
use crate::status_error::{StatusError, quoted};
use serde_json::Value;

/// A field selector of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: &'static str,
    equal: bool,
    value: String,
}

impl Fields {
    /// Reads a selector; the empty text selects everything.
    ///
    /// # Errors
    /// 400 if it is malformed or names a field the kind is not selected by.
    pub fn parse(kind: &Kind, text: &str) -> Result<Fields, StatusError> {
        let mut terms = Vec::new();
        for term in split(text) {
            let malformed = || {
                let why = format!("invalid selector: '{text}'; can't understand '{term}'");
                StatusError::bad_request(why)
            };
            let (name, equal, value) = operator(term).ok_or_else(malformed)?;
            let value = unescape(value).ok_or_else(malformed)?;
            terms.push(Term { field: supported(kind, name)?, equal, value });
        }
        Ok(Fields(terms))
    }

    /// Whether an object is selected, in the form it is stored.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|Term { field, equal, value }| {
            let candidates = values(object, field);
            candidates.iter().any(|candidate| candidate == value) == *equal
        })
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// The one value a field must have, if the selector says so: a watch of `metadata.name=web` needs one object only.
    #[must_use]
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|t| t.field == field && t.equal).map(|t| t.value.as_str())
    }
}

/// The terms between commas that are not escaped.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    let separators = text.char_indices().filter(move |(_, c)| {
        let separates = *c == ',' && !escaped;
        escaped = *c == '\\' && !escaped;
        separates
    });
    let mut start = 0;
    let ends = separators.map(|(at, _)| at).chain([text.len()]).collect::<Vec<_>>();
    ends.into_iter().filter_map(move |end| {
        let term = text.get(start..end);
        start = end + 1;
        term.filter(|t| !t.is_empty())
    })
}

/// The first of `!=`, `==` and `=`.
fn operator(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find(['=', '!'])?;
    let (name, rest) = term.split_at_checked(at)?;
    let signs = [("!=", false), ("==", true), ("=", true)];
    signs.iter().find_map(|(sign, equal)| rest.strip_prefix(sign).map(|value| (name, *equal, value)))
}

/// `\\`, `\,` and `\=` stand for the second character; nothing else is escaped, and bare ones are malformed.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().filter(|c| matches!(c, '\\' | ',' | '='))?),
            '=' | ',' => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

/// The stored field a selector's field means.
fn supported(kind: &Kind, name: &str) -> Result<&'static str, StatusError> {
    let own = own_fields(kind);
    let all = ["metadata.name", "metadata.namespace"];
    let found = all.iter().map(|field| (*field, *field)).chain(own.iter().copied()).find(|(label, _)| *label == name);
    found.map(|(_, field)| field).ok_or_else(|| {
        StatusError::bad_request(if own.is_empty() {
            format!("{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", quoted(name))
        } else {
            format!("field label not supported: {name}")
        })
    })
}

/// What a kind is selected by beside name and namespace: the field's name in selectors and in the stored object.
fn own_fields(kind: &Kind) -> &'static [(&'static str, &'static str)] {
    const OWN: &[(Resource, &[(&str, &str)])] = &[
        (resources::PODS, POD),
        (resources::NODES, &[("spec.unschedulable", "spec.unschedulable")]),
        (resources::NAMESPACES, &[("name", "metadata.name"), ("status.phase", "status.phase")]),
        (resources::SECRETS, &[("type", "type")]),
        (resources::SERVICES, &[("spec.clusterIP", "spec.clusterIP"), ("spec.type", "spec.type")]),
    ];
    if kind.group == "events.k8s.io" {
        return EVENTS_V1;
    }
    if kind.resource == resources::EVENTS {
        return EVENT;
    }
    OWN.iter().find(|(resource, _)| *resource == kind.resource).map_or(&[], |(_, fields)| *fields)
}

const POD: &[(&str, &str)] = &[
    ("spec.nodeName", "spec.nodeName"),
    ("spec.restartPolicy", "spec.restartPolicy"),
    ("spec.schedulerName", "spec.schedulerName"),
    ("spec.serviceAccountName", "spec.serviceAccountName"),
    ("spec.hostNetwork", "spec.hostNetwork"),
    ("status.phase", "status.phase"),
    ("status.podIP", "status.podIP"),
    ("status.podIPs", "status.podIPs"),
    ("status.nominatedNodeName", "status.nominatedNodeName"),
];

const EVENT: &[(&str, &str)] = &[
    ("involvedObject.kind", "involvedObject.kind"),
    ("involvedObject.namespace", "involvedObject.namespace"),
    ("involvedObject.name", "involvedObject.name"),
    ("involvedObject.uid", "involvedObject.uid"),
    ("involvedObject.apiVersion", "involvedObject.apiVersion"),
    ("involvedObject.resourceVersion", "involvedObject.resourceVersion"),
    ("involvedObject.fieldPath", "involvedObject.fieldPath"),
    ("reason", "reason"),
    ("reportingComponent", "reportingComponent"),
    ("source", "source"),
    ("type", "type"),
];

const EVENTS_V1: &[(&str, &str)] = &[
    ("regarding.kind", "involvedObject.kind"),
    ("regarding.namespace", "involvedObject.namespace"),
    ("regarding.name", "involvedObject.name"),
    ("regarding.uid", "involvedObject.uid"),
    ("regarding.apiVersion", "involvedObject.apiVersion"),
    ("regarding.resourceVersion", "involvedObject.resourceVersion"),
    ("regarding.fieldPath", "involvedObject.fieldPath"),
    ("reason", "reason"),
    ("reportingController", "reportingComponent"),
    ("type", "type"),
];

/// The values an object has for a field; one, but for lists. What is missing is the empty text.
fn values(object: &Value, field: &str) -> Vec<String> {
    let at = |path: &str| path.split('.').try_fold(object, |v, key| v.get(key));
    match field {
        "status.podIPs" => {
            let ips = at(field).and_then(Value::as_array).into_iter().flatten();
            ips.filter_map(|ip| ip.get("ip")).map(text).collect()
        }
        "source" => {
            let component = at("source.component").map(text).unwrap_or_default();
            let reporting = || at("reportingComponent").map(text).unwrap_or_default();
            vec![if component.is_empty() { reporting() } else { component }]
        }
        // Booleans of Go structs: absent is false.
        "spec.hostNetwork" | "spec.unschedulable" => vec![at(field).map_or_else(|| "false".to_owned(), text)],
        _ => vec![at(field).map(text).unwrap_or_default()],
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
