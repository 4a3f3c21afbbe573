//! What the query of a request says, as Kubernetes reads queries: the first value of a name counts, a boolean is
//! false only if absent, `0` or `false` (`k8s.io/apimachinery/pkg/runtime/conversion.go`).

use firstlight_api::status_error::StatusError;

/// Every name the API gives a meaning to, on any verb (`metav1` options). One that a verb does not use is passed
/// over, as upstream does; any other is answered with a warning.
const KNOWN: [&str; 19] = [
    "allowWatchBookmarks",
    "continue",
    "dryRun",
    "fieldManager",
    "fieldSelector",
    "fieldValidation",
    "force",
    "gracePeriodSeconds",
    "includeObject",
    "labelSelector",
    "limit",
    "orphanDependents",
    "pretty",
    "propagationPolicy",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];

/// What only some clients add, and what means nothing here: kubectl's cache key, client-go's request time-out.
const HARMLESS: [&str; 2] = ["hash", "timeout"];

/// The names and values of a query, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Query {
        Query(form_urlencoded::parse(query.unwrap_or("").as_bytes()).into_owned().collect())
    }

    /// The value, unless absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether it is there and not false; `None` if absent.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// All values of the name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, StatusError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let problem =
            || StatusError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax ({name})"));
        text.parse().map(Some).map_err(|_| problem())
    }

    /// A warning for each name that means nothing.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let unknown = |name: &str| !KNOWN.contains(&name) && !HARMLESS.contains(&name);
        self.0
            .iter()
            .filter(|(name, _)| unknown(name))
            .map(|(name, _)| format!("the query parameter {name:?} means nothing to this server"))
            .collect()
    }
}
