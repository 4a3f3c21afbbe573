//! Which form of an object a client takes, by its `Accept` header: the first we have, in the client's order.

use firstlight_api::status_error::StatusError;
use http::{HeaderMap, header};

/// A form of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// All of it.
    Whole,
    /// A row of a Table.
    Table,
    /// `PartialObjectMetadata`
    Metadata,
}

/// What is served.
const SERVED: [&str; 3] = [
    "application/json",
    "application/json;as=Table;g=meta.k8s.io;v=v1",
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
];

/// The best form, or 406.
pub(super) fn form(headers: &HeaderMap) -> Result<Form, StatusError> {
    let mut said = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if said.peek().is_none() {
        return Ok(Form::Whole);
    }
    said.flat_map(|value| value.split(',')).find_map(of_clause).ok_or_else(|| StatusError::not_acceptable(&SERVED))
}

/// What one clause asks for, if we have it.
fn of_clause(clause: &str) -> Option<Form> {
    let mut parts = clause.split(';').map(str::trim);
    if !matches!(parts.next()?, "application/json" | "application/*" | "*/*") {
        return None;
    }
    let (mut kind, mut group, mut version) = ("", "", "");
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name {
            "as" => kind = value,
            "g" => group = value,
            "v" => version = value,
            // Quality and character sets say nothing we would answer differently to.
            _ => {}
        }
    }
    match (kind, group, version) {
        ("", _, _) => Some(Form::Whole),
        ("Table", "meta.k8s.io", "v1") => Some(Form::Table),
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => Some(Form::Metadata),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_we_have_is_taken() {
        for (accept, form) in [
            (None, Some(Form::Whole)),
            (Some("*/*"), Some(Form::Whole)),
            (Some("application/vnd.kubernetes.protobuf, */*"), Some(Form::Whole)),
            (Some("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"), Some(Form::Table)),
            (Some("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"), Some(Form::Whole)),
            (Some("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"), Some(Form::Metadata)),
            (Some("application/vnd.kubernetes.protobuf"), None),
            (Some("text/html"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(super::form(&headers).ok(), form, "{accept:?}");
        }
    }
}
