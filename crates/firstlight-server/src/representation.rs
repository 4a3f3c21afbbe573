//! How an object, a list or an event is shown: whole, as a Table, or as its metadata alone; and what carries it.
//!
//! A client says by `Accept` what it takes, best first. An object shown whole is its stored text, copied.

mod accept;
mod carry;

pub(crate) use carry::{respond, respond_stream, success, takes_gzip};

use crate::query::Query;
use accept::Form;
use bytes::Bytes;
use firstlight_api::event_view;
use firstlight_api::print::{self, IncludeObject};
use firstlight_api::schema::Kind;
use firstlight_api::status_error::StatusError;
use firstlight_store::{Object, Revision};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Initial events are over (`metav1.InitialEventsAnnotationKey`).
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// How a kind's objects are shown to one client.
#[derive(Debug, Clone)]
pub(crate) struct Face {
    kind: &'static Kind,
    form: Form,
    include: IncludeObject,
    now: Timestamp,
    /// Whether a Table still has to name its columns: the first event of a watch does.
    headers: bool,
}

/// What a list says about itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListMeta {
    pub(crate) revision: Revision,
    pub(crate) token: Option<String>,
    pub(crate) remaining: Option<usize>,
}

/// What happened to an object, as a watcher of a selection sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventType {
    Added,
    Modified,
    Deleted,
}

impl Face {
    /// The best form the client takes.
    pub(crate) fn negotiate(
        kind: &'static Kind,
        headers: &HeaderMap,
        query: &Query,
        now: Timestamp,
    ) -> Result<Face, StatusError> {
        let form = accept::form(headers)?;
        let asked = query.text("includeObject").unwrap_or("");
        let include = IncludeObject::parse(asked).ok_or_else(|| {
            StatusError::bad_request(format!("includeObject {asked:?} is none of None, Metadata, Object"))
        })?;
        Ok(Face { kind, form, include, now, headers: true })
    }

    /// What is shown from here on is shown at `now`: the ages in a Table grow while a watch goes on.
    pub(crate) fn at(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// A stored object.
    pub(crate) fn object(&self, object: &Object) -> Bytes {
        if self.form == Form::Whole && !event_view::is_view(self.kind) {
            return object.bytes.clone();
        }
        self.value(&object.value)
    }

    /// An object that is not stored (yet).
    pub(crate) fn value(&self, value: &Value) -> Bytes {
        let shown = event_view::shown(self.kind, value);
        Bytes::from(match self.form {
            Form::Whole => shown.to_string(),
            Form::Metadata => metadata_only(&shown).to_string(),
            Form::Table => {
                let meta = ListMeta { revision: revision_of(value), ..ListMeta::default() };
                self.table(&[value], &meta).to_string()
            }
        })
    }

    /// A list.
    pub(crate) fn list(&self, items: &[Arc<Object>], meta: &ListMeta) -> Bytes {
        let (kind, api_version) = match self.form {
            Form::Whole => (self.kind.list_kind, self.kind.api_version()),
            Form::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1".to_owned()),
            Form::Table => {
                let values: Vec<&Value> = items.iter().map(|object| &object.value).collect();
                return Bytes::from(self.table(&values, meta).to_string());
            }
        };
        let size: usize = items.iter().map(|object| object.bytes.len() + 1).sum();
        let mut text = Vec::with_capacity(size + 256);
        let head = json!({"kind": kind, "apiVersion": api_version, "metadata": list_metadata(meta)}).to_string();
        text.extend_from_slice(head.strip_suffix('}').unwrap_or(&head).as_bytes());
        text.extend_from_slice(b",\"items\":[");
        for (index, object) in items.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend_from_slice(&self.object(object));
        }
        text.extend_from_slice(b"]}");
        Bytes::from(text)
    }

    /// One event of a watch, with its line end.
    pub(crate) fn event(&mut self, happened: EventType, object: &Object) -> Vec<u8> {
        let word = match happened {
            EventType::Added => "ADDED",
            EventType::Modified => "MODIFIED",
            EventType::Deleted => "DELETED",
        };
        let line = line(word, &self.object(object));
        self.headers = false;
        line
    }

    /// A bookmark: everything up to `revision` was told.
    pub(crate) fn bookmark(&self, revision: Revision, initial_end: bool) -> Vec<u8> {
        let mut metadata = json!({"resourceVersion": revision.0.to_string()});
        if initial_end {
            metadata["annotations"] = json!({INITIAL_EVENTS_END: "true"});
        }
        let object = match self.form {
            Form::Whole => json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata}),
            Form::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Table => {
                let mut table = self.table(&[], &ListMeta::default());
                table["metadata"] = metadata;
                table
            }
        };
        line("BOOKMARK", object.to_string().as_bytes())
    }

    /// Why a watch ends before its time.
    pub(crate) fn error(error: &StatusError) -> Vec<u8> {
        line("ERROR", error.to_value().to_string().as_bytes())
    }

    fn table(&self, items: &[&Value], meta: &ListMeta) -> Value {
        let now = u64::try_from(self.now.as_millisecond()).unwrap_or(0);
        // Cells are made of what is stored, whichever view is asked for.
        let kind = Kind::of(self.kind.resource).unwrap_or(self.kind);
        let mut table = print::table(kind, items, now, self.include, self.headers);
        table["metadata"] = Value::Object(list_metadata(meta));
        table
    }
}

fn line(word: &str, object: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(object.len() + 40);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(word.as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    line
}

fn list_metadata(ListMeta { revision, token, remaining }: &ListMeta) -> Map<String, Value> {
    let mut metadata = Map::new();
    if revision.0 > 0 {
        metadata.insert("resourceVersion".to_owned(), revision.0.to_string().into());
    }
    if let Some(token) = token {
        metadata.insert("continue".to_owned(), token.clone().into());
    }
    if let Some(remaining) = remaining {
        metadata.insert("remainingItemCount".to_owned(), (*remaining).into());
    }
    metadata
}

fn metadata_only(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.get("metadata")})
}

fn revision_of(object: &Value) -> Revision {
    let text = firstlight_api::object::text(object, &["metadata", "resourceVersion"]);
    Revision(text.parse().unwrap_or(0))
}
