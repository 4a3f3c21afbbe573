//! What a request asks for: its verb, and the options of that verb.
//!
//! Options come from the query; those of a deletion also from the body. What upstream refuses is refused in its
//! words (`k8s.io/apimachinery/pkg/apis/meta/{internalversion,v1}/validation`).

use crate::ownership;
use crate::path::Target;
use crate::query::Query;
use firstlight_api::object::text;
use firstlight_api::schema::Verb;
use firstlight_api::status_error::{Details, FieldError, StatusError};
use firstlight_store::Revision;
use http::Method;
use serde_json::Value;
use std::time::Duration;

/// The verb of a request, or 405.
pub(crate) fn verb(method: &Method, target: &Target, query: &Query) -> Result<Verb, StatusError> {
    let named = target.name.is_some();
    let verb = match (method.as_str(), named) {
        ("GET", true) => Verb::Get,
        ("GET", false) if query.flag("watch") == Some(true) => Verb::Watch,
        ("GET", false) => Verb::List,
        ("POST", _) => Verb::Create,
        ("PUT", true) => Verb::Update,
        ("PATCH", true) => Verb::Patch,
        ("DELETE", true) => Verb::Delete,
        ("DELETE", false) => Verb::DeleteCollection,
        _ => return Err(StatusError::method_not_allowed(target.kind.resource, method.as_str())),
    };
    let verbs = target.subresource.map_or(target.kind.verbs, |subresource| subresource.verbs);
    // What lives in namespaces is created in one, and a collection over all of them is only read.
    let placed = !target.kind.namespaced || target.within().is_some() || matches!(verb, Verb::List | Verb::Watch);
    let addressed = verb != Verb::Create || named == target.subresource.is_some();
    if verbs.contains(&verb) && placed && addressed {
        Ok(verb)
    } else {
        Err(StatusError::method_not_allowed(target.kind.resource, verb.name()))
    }
}

/// `resourceVersion` of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Not given: the latest.
    Latest,
    /// `0`: any will do.
    Any,
    /// This one, or not older, or exactly, by `resourceVersionMatch`.
    At(Revision),
}

/// `resourceVersionMatch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    NotOlderThan,
    Exact,
}

/// The options of a list or watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListOptions {
    pub(crate) version: Version,
    pub(crate) matching: Option<Match>,
    pub(crate) limit: Option<usize>,
    pub(crate) token: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) bookmarks: bool,
    /// `sendInitialEvents`
    pub(crate) initial: Option<bool>,
}

impl ListOptions {
    /// Reads and checks them.
    pub(crate) fn read(query: &Query, watch: bool) -> Result<ListOptions, StatusError> {
        let options = ListOptions {
            version: version(query)?,
            matching: matching(query)?,
            limit: query
                .number("limit")?
                .filter(|limit| *limit > 0)
                .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            token: query.text("continue").map(str::to_owned),
            timeout: query
                .number("timeoutSeconds")?
                .and_then(|s| u64::try_from(s).ok())
                .filter(|s| *s > 0)
                .map(Duration::from_secs),
            bookmarks: query.flag("allowWatchBookmarks") == Some(true),
            initial: query.flag("sendInitialEvents"),
        };
        match options.contradiction(watch) {
            Some(error) => Err(invalid("ListOptions", error)),
            None => Ok(options),
        }
    }

    /// `ValidateListOptions`.
    fn contradiction(&self, watch: bool) -> Option<FieldError> {
        let matching = |detail: &str| Some(FieldError::forbidden("resourceVersionMatch", detail));
        match (self.initial, self.matching) {
            (Some(_), _) if !watch => {
                return Some(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
            }
            (Some(_), Some(Match::NotOlderThan)) => return None,
            (Some(_), _) => return matching("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
            (None, Some(_)) if watch => {
                return matching("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
            }
            (None, _) => {}
        }
        match (self.matching, self.version) {
            (None, _) => None,
            (Some(_), Version::Latest) => {
                matching("resourceVersionMatch is forbidden unless resourceVersion is provided")
            }
            (Some(_), _) if self.token.is_some() => {
                matching("resourceVersionMatch is forbidden when continue is provided")
            }
            (Some(Match::Exact), Version::Any) => {
                matching("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")
            }
            (Some(_), _) => None,
        }
    }
}

/// `resourceVersion` of a get or list.
pub(crate) fn version(query: &Query) -> Result<Version, StatusError> {
    match query.text("resourceVersion") {
        None => Ok(Version::Latest),
        Some("0") => Ok(Version::Any),
        Some(text) => match text.parse() {
            Ok(revision) => Ok(Version::At(Revision(revision))),
            Err(_) => {
                Err(StatusError::bad_request(format!("resourceVersion: Invalid value: {text:?}: it is not a number")))
            }
        },
    }
}

fn matching(query: &Query) -> Result<Option<Match>, StatusError> {
    match query.text("resourceVersionMatch") {
        None => Ok(None),
        Some("NotOlderThan") => Ok(Some(Match::NotOlderThan)),
        Some("Exact") => Ok(Some(Match::Exact)),
        Some(other) => {
            let supported = ["Exact", "NotOlderThan", ""];
            Err(invalid("ListOptions", FieldError::not_supported("resourceVersionMatch", other, &supported)))
        }
    }
}

/// How fields the type does not have are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// The options of a create, update or patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) validation: FieldValidation,
}

impl WriteOptions {
    /// Reads and checks them; `of` is their upstream name.
    pub(crate) fn read(query: &Query, of: &str) -> Result<WriteOptions, StatusError> {
        let validation = match query.text("fieldValidation") {
            None | Some("Warn") => FieldValidation::Warn,
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                return Err(invalid(of, FieldError::not_supported("fieldValidation", other, &supported)));
            }
        };
        let dry_run = dry_run(of, query.all("dryRun").filter(|word| !word.is_empty()))?;
        field_manager(query, of)?;
        Ok(WriteOptions { dry_run, validation })
    }
}

/// The manager's name is one (`metav1/validation.ValidateFieldManager`).
fn field_manager(query: &Query, of: &str) -> Result<(), StatusError> {
    let Some(name) = query.text("fieldManager") else { return Ok(()) };
    if name.len() > ownership::NAME_MAX {
        return Err(invalid(of, FieldError::too_long("fieldManager", ownership::NAME_MAX)));
    }
    let Some((at, character)) = name.char_indices().find(|(_, character)| character.is_control()) else {
        return Ok(());
    };
    let problem = format!("invalid character U+{:04X} (at position {at})", u32::from(character));
    Err(invalid(of, FieldError::invalid("fieldManager", name, problem)))
}

/// What only an apply says, and must say (`metav1/validation.ValidatePatchOptions`).
pub(crate) fn apply_options(query: &Query, applies: bool) -> Result<(), StatusError> {
    if applies && query.text("fieldManager").is_none() {
        return Err(invalid("PatchOptions", FieldError::required("fieldManager", "is required for apply patch")));
    }
    if !applies && query.flag("force").is_some() {
        return Err(invalid(
            "PatchOptions",
            FieldError::forbidden("force", "may not be specified for non-apply patch"),
        ));
    }
    Ok(())
}

/// What becomes of what depends on a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// The options of a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) dry_run: bool,
    pub(crate) grace: Option<i64>,
    pub(crate) propagation: Option<Propagation>,
    /// `preconditions.uid`
    pub(crate) uid: Option<String>,
    /// `preconditions.resourceVersion`
    pub(crate) version: Option<String>,
}

impl DeleteOptions {
    /// Reads them from the body if there is one, else from the query, as upstream does.
    pub(crate) fn read(query: &Query, body: Option<&Value>) -> Result<DeleteOptions, StatusError> {
        match body {
            Some(body) => DeleteOptions::of_body(body),
            None => DeleteOptions::of_query(query),
        }
    }

    fn of_query(query: &Query) -> Result<DeleteOptions, StatusError> {
        Ok(DeleteOptions {
            dry_run: dry_run("DeleteOptions", query.all("dryRun").filter(|word| !word.is_empty()))?,
            grace: query.number("gracePeriodSeconds")?,
            propagation: propagation(query.text("propagationPolicy"), query.flag("orphanDependents"))?,
            uid: None,
            version: None,
        })
    }

    fn of_body(body: &Value) -> Result<DeleteOptions, StatusError> {
        let asked = |path: &[&str]| Some(text(body, path).to_owned()).filter(|text| !text.is_empty());
        let words = body.get("dryRun").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let policy = asked(&["propagationPolicy"]);
        Ok(DeleteOptions {
            dry_run: dry_run("DeleteOptions", words)?,
            grace: body.get("gracePeriodSeconds").and_then(Value::as_i64),
            propagation: propagation(policy.as_deref(), body.get("orphanDependents").and_then(Value::as_bool))?,
            uid: asked(&["preconditions", "uid"]),
            version: asked(&["preconditions", "resourceVersion"]),
        })
    }
}

fn propagation(policy: Option<&str>, orphan: Option<bool>) -> Result<Option<Propagation>, StatusError> {
    let refuse = |error| Err(invalid("DeleteOptions", error));
    match (policy, orphan) {
        (Some(policy), Some(_)) => refuse(FieldError::invalid(
            "propagationPolicy",
            policy,
            "orphanDependents and deletionPropagation cannot be both set",
        )),
        (Some("Background"), None) | (None, Some(false)) => Ok(Some(Propagation::Background)),
        (Some("Foreground"), None) => Ok(Some(Propagation::Foreground)),
        (Some("Orphan"), None) | (None, Some(true)) => Ok(Some(Propagation::Orphan)),
        (Some(other), None) => {
            let supported = ["Background", "Foreground", "Orphan"];
            refuse(FieldError::not_supported("propagationPolicy", other, &supported))
        }
        (None, None) => Ok(None),
    }
}

fn dry_run<'a>(of: &str, words: impl Iterator<Item = &'a str>) -> Result<bool, StatusError> {
    let mut asked = false;
    for word in words {
        if word != "All" {
            return Err(invalid(of, FieldError::not_supported("dryRun", word, &["All"])));
        }
        asked = true;
    }
    Ok(asked)
}

/// 422 for options, which are of group `meta.k8s.io` and have no name.
fn invalid(options: &str, error: FieldError) -> StatusError {
    let message = format!("{options}.meta.k8s.io \"\" is invalid: {error}");
    let details = Details {
        group: "meta.k8s.io".to_owned(),
        kind: options.to_owned(),
        causes: vec![error.cause()],
        ..Details::default()
    };
    StatusError { details: Box::new(details), ..StatusError::unprocessable(message) }
}
