//! Which objects of a collection a request means: its label and field selectors.

use crate::query::Query;
use firstlight_api::schema::Kind;
use firstlight_api::select::{Fields, Labels};
use firstlight_api::status_error::StatusError;
use serde_json::Value;

/// The selectors of a request.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    labels: Labels,
    fields: Fields,
}

impl Selection {
    pub(crate) fn read(kind: &Kind, query: &Query) -> Result<Selection, StatusError> {
        let labels = Labels::parse(query.text("labelSelector").unwrap_or(""))?;
        let fields = Fields::parse(kind, query.text("fieldSelector").unwrap_or(""))?;
        Ok(Selection { labels, fields })
    }

    /// Whether an object is meant, in the form it is stored.
    pub(crate) fn admits(&self, object: &Value) -> bool {
        self.fields.matches(object) && self.labels.matches(object)
    }

    /// Whether every object is meant.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }
}
