//! GET of a collection that goes on: what is there, if asked for, then every change, in order (E7).
//!
//! ```text
//!  first objects (ADDED) ──► initial-events-end (BOOKMARK) ──► changes, as the selection sees them
//!                                                              bookmarks, about once a minute
//!                                                         ──► the end: time is up, history is gone (ERROR 410), stop
//! ```

use crate::api::Clock;
use crate::body::Body;
use crate::failure::Failure;
use crate::representation::{EventType, Face, respond_stream};
use crate::request::{ListOptions, Version};
use crate::router::Ask;
use crate::selection::Selection;
use bytes::Bytes;
use firstlight_api::status_error::StatusError;
use firstlight_store::{Change, Expired, Object, Revision, Watch};
use futures::stream;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long a watch goes on if the client does not say: upstream ends it after 30 to 60 minutes.
const LONGEST: Duration = Duration::from_secs(3600);

/// How often a client that wants bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long before the end the last bookmark comes (`k8s.io/apiserver/pkg/storage/cacher`).
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);

/// How much is sent at once while there is more to send.
const PIECE: usize = 64 << 10;

/// Begins a watch.
pub(crate) fn watch(ask: &Ask<'_>) -> Result<Response<Body>, Failure> {
    let options = ListOptions::read(ask.query, true)?;
    let selection = Selection::read(ask.target.kind, ask.query)?;
    let place = Arc::clone(&ask.api.watches)
        .try_acquire_owned()
        .map_err(|_| StatusError::too_many_requests("too many watches are open; close some or try again", 1))?;
    let Start { watch, initial, initial_end } = start(ask, &options)?;
    let initial = initial.into_iter().filter(|object| selection.admits(&object.value)).collect();
    let now = Instant::now();
    let deadline = now + options.timeout.unwrap_or(LONGEST);
    let bookmark = options.bookmarks.then(|| first_bookmark(now, deadline));
    let feed = Feed {
        face: ask.face.clone(),
        clock: Arc::clone(&ask.api.clock),
        selection,
        watch,
        initial,
        initial_end: initial_end && options.bookmarks,
        bookmark,
        deadline,
        stop: ask.api.stop.clone(),
        ended: false,
        _place: place,
    };
    let pieces = stream::unfold(feed, |mut feed| async move {
        let piece = feed.piece().await?;
        Some((Ok::<_, io::Error>(Frame::data(Bytes::from(piece))), feed))
    });
    Ok(respond_stream(StreamBody::new(pieces).boxed_unsync(), &ask.warnings))
}

/// Where a watch begins.
struct Start {
    watch: Watch,
    initial: Vec<Arc<Object>>,
    /// Whether the client is told when the first objects are all told.
    initial_end: bool,
}

fn start(ask: &Ask<'_>, options: &ListOptions) -> Result<Start, StatusError> {
    let (resource, namespace) = (ask.target.kind.resource, ask.target.within());
    let store = &ask.api.store;
    let initial = match (options.initial, options.version) {
        (Some(initial), _) => initial,
        (None, Version::Latest | Version::Any) => true,
        (None, Version::At(_)) => false,
    };
    if let Version::At(asked) = options.version {
        let current = store.revision();
        if asked > current && initial {
            return Err(StatusError::too_large_resource_version(asked.0, current.0));
        }
        if asked > current {
            // Of another store: waiting for it would be waiting for ever.
            return Err(expired(Expired { asked, oldest: current }));
        }
    }
    let snapshot = store.snapshot();
    let from = match options.version {
        Version::At(asked) if !initial => asked,
        Version::At(_) | Version::Latest | Version::Any => snapshot.revision(),
    };
    let watch = store.watch(resource, namespace, from).map_err(expired)?;
    let initial_end = options.initial == Some(true);
    let initial = if initial { snapshot.after(resource, namespace, None).cloned().collect() } else { Vec::new() };
    Ok(Start { watch, initial, initial_end })
}

fn expired(error: Expired) -> StatusError {
    StatusError::expired(error.to_string())
}

fn first_bookmark(now: Instant, deadline: Instant) -> Instant {
    let last = deadline.checked_sub(BOOKMARK_BEFORE_END).unwrap_or(now);
    last.min(now + BOOKMARK_EVERY)
}

/// A watch under way.
struct Feed {
    face: Face,
    clock: Clock,
    selection: Selection,
    watch: Watch,
    initial: VecDeque<Arc<Object>>,
    initial_end: bool,
    /// When the next bookmark is due, if the client wants any.
    bookmark: Option<Instant>,
    deadline: Instant,
    stop: CancellationToken,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// The next events, or `None` at the end.
    async fn piece(&mut self) -> Option<Vec<u8>> {
        let mut piece = Vec::new();
        self.first_objects(&mut piece);
        while piece.is_empty() {
            if self.ended {
                return None;
            }
            self.next(&mut piece).await;
        }
        Some(piece)
    }

    fn first_objects(&mut self, piece: &mut Vec<u8>) {
        while piece.len() < PIECE
            && let Some(object) = self.initial.pop_front()
        {
            piece.extend(self.face.event(EventType::Added, &object));
        }
        if self.initial.is_empty() && self.initial_end {
            self.initial_end = false;
            piece.extend(self.face.bookmark(self.watch.seen(), true));
        }
    }

    async fn next(&mut self, piece: &mut Vec<u8>) {
        let bookmark = self.bookmark.unwrap_or(self.deadline);
        tokio::select! {
            change = self.watch.next() => {
                self.face.at((self.clock)());
                self.take(change, piece);
                while !self.ended && piece.len() < PIECE {
                    match self.watch.try_next() {
                        Ok(Some(change)) => self.take(Ok(change), piece),
                        Ok(None) => break,
                        Err(gone) => self.take(Err(gone), piece),
                    }
                }
            }
            () = sleep_until(bookmark), if self.bookmark.is_some() => {
                piece.extend(self.face.bookmark(self.watch.seen(), false));
                self.bookmark = later_bookmark(bookmark, self.deadline);
            }
            () = sleep_until(self.deadline) => self.ended = true,
            () = self.stop.cancelled() => self.ended = true,
        }
    }

    fn take(&mut self, change: Result<Change, Expired>, piece: &mut Vec<u8>) {
        match change {
            Ok(change) => {
                if let Some((happened, object)) = seen_through(&self.selection, change) {
                    piece.extend(self.face.event(happened, &object));
                }
            }
            Err(gone) => {
                piece.extend(Face::error(&expired(gone)));
                self.ended = true;
            }
        }
    }
}

/// The bookmark after the one at `at`; the last comes shortly before the end.
fn later_bookmark(at: Instant, deadline: Instant) -> Option<Instant> {
    let last = deadline.checked_sub(BOOKMARK_BEFORE_END)?;
    (at < last).then(|| last.min(at + BOOKMARK_EVERY))
}

/// What a change looks like to who sees only what is selected: what begins to match appears, what ceases to is gone.
fn seen_through(selection: &Selection, change: Change) -> Option<(EventType, Arc<Object>)> {
    let Change { revision, object, before, deleted } = change;
    let was = before.as_ref().is_some_and(|before| selection.admits(&before.value));
    let is = !deleted && selection.admits(&object.value);
    match (was, is) {
        (false, false) => None,
        (false, true) => Some((EventType::Added, object)),
        (true, true) => Some((EventType::Modified, object)),
        (true, false) if deleted => Some((EventType::Deleted, object)),
        // The last state that matched, at the revision at which it ceased to.
        (true, false) => before.map(|before| (EventType::Deleted, Arc::new(at_revision(&before, revision)))),
    }
}

fn at_revision(object: &Object, revision: Revision) -> Object {
    let mut value = object.value.clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".to_owned(), revision.0.to_string().into());
    }
    let bytes = Bytes::from(value.to_string());
    Object { key: object.key.clone(), revision, value, bytes }
}
