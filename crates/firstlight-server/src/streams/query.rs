//! What the query of a streaming request says, as Kubernetes reads queries.
//!
//! Source: `k8s.io/apimachinery/pkg/runtime/converter` and `pkg/runtime/conversion.go`: the first value of a name
//! counts; a boolean is false only if absent, `0` or `false`.

use crate::refusal::Refusal;

/// The names and values of a query, in order.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Query {
        Query(form_urlencoded::parse(query.unwrap_or("").as_bytes()).into_owned().collect())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.first(name).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// A number, if there is one.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.first(name) else { return Ok(None) };
        let problem = format!("{name}: strconv.ParseInt: parsing {value:?}: invalid syntax");
        value.parse().map(Some).map_err(|_| Refusal::bad_request(problem))
    }
}
