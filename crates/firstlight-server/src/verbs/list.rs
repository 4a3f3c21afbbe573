//! GET of a collection: a consistent list, whole or in pages.

use super::get::not_from_the_future;
use crate::body::Body;
use crate::failure::Failure;
use crate::paging::Token;
use crate::representation::ListMeta;
use crate::request::{ListOptions, Match, Version};
use crate::router::Ask;
use crate::selection::Selection;
use firstlight_api::object::Key;
use firstlight_api::status_error::StatusError;
use firstlight_store::{Object, Revision, Snapshot};
use http::{Response, StatusCode};
use std::sync::Arc;

/// Upstream's words for an expired token (`k8s.io/apiserver/pkg/storage/etcd3`).
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without \
     the continue parameter, or use the continue token in this response to retrieve the remainder of the results. \
     Continuing with the provided token results in an inconsistent list - objects that were created, modified, or \
     deleted between the time the first chunk was returned and now may show up in the list.";

const EXACT_EXPIRED: &str = "The resourceVersion for the provided list is too old.";

/// Answers with the list, or the next page of it.
pub(crate) fn list(ask: &Ask<'_>) -> Result<Response<Body>, Failure> {
    let options = ListOptions::read(ask.query, false)?;
    let selection = Selection::read(ask.target.kind, ask.query)?;
    let (snapshot, after) = state(ask, &options)?;
    let Page { items, meta } = page(ask, &snapshot, &selection, after.as_ref(), options.limit);
    Ok(ask.respond(StatusCode::OK, ask.face.list(&items, &meta)))
}

/// The state a list is read from, and the object it begins after.
fn state(ask: &Ask<'_>, options: &ListOptions) -> Result<(Arc<Snapshot>, Option<Key>), Failure> {
    if let Some(token) = &options.token {
        let token = Token::read(token)?;
        let after = Key::new(ask.target.kind.resource, token.namespace.clone(), token.name.clone());
        return match token.revision {
            None => Ok((ask.api.store.snapshot(), Some(after))),
            Some(revision) => match state_at(ask, revision) {
                Some(snapshot) => Ok((snapshot, Some(after))),
                None => {
                    let rest = Token { revision: None, ..token };
                    Err(Failure::continue_expired(StatusError::expired(CONTINUE_EXPIRED), rest.write()))
                }
            },
        };
    }
    not_from_the_future(ask, options.version)?;
    match (options.version, options.matching) {
        (Version::At(revision), Some(Match::Exact)) => {
            let snapshot = state_at(ask, revision).ok_or_else(|| StatusError::expired(EXACT_EXPIRED))?;
            Ok((snapshot, None))
        }
        (Version::At(_) | Version::Latest | Version::Any, _) => Ok((ask.api.store.snapshot(), None)),
    }
}

fn state_at(ask: &Ask<'_>, revision: Revision) -> Option<Arc<Snapshot>> {
    let latest = ask.api.store.snapshot();
    if latest.revision() == revision { Some(latest) } else { ask.api.pages.find(revision, ask.now) }
}

/// What is shown at once.
struct Page {
    items: Vec<Arc<Object>>,
    meta: ListMeta,
}

fn page(
    ask: &Ask<'_>,
    snapshot: &Arc<Snapshot>,
    selection: &Selection,
    after: Option<&Key>,
    limit: Option<usize>,
) -> Page {
    let mut rest = snapshot
        .after(ask.target.kind.resource, ask.target.within(), after)
        .filter(|object| selection.admits(&object.value));
    let mut meta = ListMeta { revision: snapshot.revision(), ..ListMeta::default() };
    let Some(limit) = limit else { return Page { items: rest.cloned().collect(), meta } };
    let items: Vec<Arc<Object>> = rest.by_ref().take(limit).cloned().collect();
    let left = rest.count();
    if let (Some(last), true) = (items.last(), left > 0) {
        let Key { resource: _, namespace, name } = last.key.clone();
        meta.token = Some(Token { revision: Some(snapshot.revision()), namespace, name }.write());
        // With a selector nobody knows without looking, says upstream's contract.
        meta.remaining = selection.is_everything().then_some(left);
        ask.api.pages.keep(snapshot, ask.now);
    }
    Page { items, meta }
}
