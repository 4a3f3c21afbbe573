//! DELETE of a collection: each object that is selected, as if deleted by itself.

use super::delete::delete_object;
use crate::body::Body;
use crate::failure::Failure;
use crate::payload::Payload;
use crate::representation::ListMeta;
use crate::request::{DeleteOptions, ListOptions};
use crate::router::Ask;
use crate::selection::Selection;
use firstlight_store::Object;
use http::{Response, StatusCode};
use std::sync::Arc;

/// Deletes what is selected and answers with the list of it.
pub(crate) async fn delete_collection(ask: &mut Ask<'_>, payload: &Payload) -> Result<Response<Body>, Failure> {
    ListOptions::read(ask.query, false)?;
    let selection = Selection::read(ask.target.kind, ask.query)?;
    let options = DeleteOptions::read(ask.query, payload.delete_options()?.as_ref())?;
    let list = ask.api.store.list(ask.target.kind.resource, ask.target.within());
    let items: Vec<Arc<Object>> = list.items.into_iter().filter(|object| selection.admits(&object.value)).collect();
    for object in &items {
        match delete_object(ask.api, object.key.clone(), &options, ask.now).await {
            Ok(_) => {}
            // Somebody else was quicker.
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
    }
    let meta = ListMeta { revision: list.revision, ..ListMeta::default() };
    Ok(ask.respond(StatusCode::OK, ask.face.list(&items, &meta)))
}
