//! Collects what is wrong with an object, place by place.

use crate::status_error::FieldError;
use serde_json::Value;

/// The refusals found so far, in the order they were found.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Vec<FieldError>);

impl Refusals {
    /// The value, if nothing was refused.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<FieldError> {
        self.0
    }

    /// One more.
    pub(crate) fn add(&mut self, error: FieldError) {
        self.0.push(error);
    }

    /// A value that must be there is not.
    pub(crate) fn required(&mut self, field: &str, detail: &str) {
        self.add(FieldError::required(field, detail));
    }

    /// A value that cannot be what it is.
    pub(crate) fn invalid(&mut self, field: &str, value: impl Into<Value>, detail: &str) {
        self.add(FieldError::invalid(field, value, detail));
    }

    /// A value that is there twice.
    pub(crate) fn duplicate(&mut self, field: &str, value: impl Into<Value>) {
        self.add(FieldError::duplicate(field, value));
    }

    /// A value that refers to something that is not there.
    pub(crate) fn not_found(&mut self, field: &str, value: impl Into<Value>) {
        self.add(FieldError::not_found(field, value));
    }

    /// A value that may not be there.
    pub(crate) fn forbidden(&mut self, field: &str, detail: &str) {
        self.add(FieldError::forbidden(field, detail));
    }

    /// A value that is none of the possible ones; these are named in alphabetical order, as upstream does.
    pub(crate) fn unsupported(&mut self, field: &str, value: impl Into<Value>, supported: &[&str]) {
        let mut supported = supported.to_vec();
        supported.sort_unstable();
        self.add(FieldError::not_supported(field, value, &supported));
    }

    /// A value with all that is wrong with it.
    pub(crate) fn each(&mut self, field: &str, value: &str, problems: Vec<String>) {
        for problem in problems {
            self.invalid(field, value, &problem);
        }
    }

    /// A value with more bytes than it may have.
    pub(crate) fn too_long(&mut self, field: &str, most: usize) {
        self.add(FieldError::too_long(field, most));
    }

    /// A list with more items than it may have.
    pub(crate) fn too_many(&mut self, field: &str, count: usize, most: usize) {
        self.add(FieldError::too_many(field, count, most));
    }
}
