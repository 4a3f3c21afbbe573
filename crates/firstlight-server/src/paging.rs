//! How a long list is read in pages: tokens, and the snapshots they point into.
//!
//! A snapshot shares everything that did not change, so keeping one costs what changed since.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use firstlight_api::status_error::StatusError;
use firstlight_store::{Revision, Snapshot};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a page's snapshot is kept: as etcd's history in a cluster of kubeadm's.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(5);

/// How many are kept at most: as many lists may be read in pages at once.
const KEPT: usize = 64;

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The list's revision; `None` for the rest of an expired list, read from whatever is there.
    pub(crate) revision: Option<Revision>,
    /// The last object of the page before.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A token as it is written: our own form of upstream's (`k8s.io/apiserver/pkg/storage/continue.go`).
#[derive(Serialize, Deserialize)]
struct Written {
    v: String,
    rv: i64,
    start: [String; 2],
}

/// The form of our tokens.
const FORM: &str = "firstlight/v1";

impl Token {
    pub(crate) fn write(&self) -> String {
        let Token { revision, namespace, name } = self.clone();
        let rv = revision.map_or(-1, |revision| i64::try_from(revision.0).unwrap_or(i64::MAX));
        let written = Written { v: FORM.to_owned(), rv, start: [namespace, name] };
        BASE64.encode(serde_json::to_vec(&written).unwrap_or_default())
    }

    pub(crate) fn read(text: &str) -> Result<Token, StatusError> {
        let wrong = || StatusError::bad_request("continue key is not valid: it is not one this server gave");
        let bytes = BASE64.decode(text.trim_end_matches('=')).map_err(|_| wrong())?;
        let Written { v, rv, start: [namespace, name] } = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        if v != FORM || rv < -1 {
            return Err(wrong());
        }
        Ok(Token { revision: u64::try_from(rv).ok().map(Revision), namespace, name })
    }
}

/// The snapshots that tokens point into.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// A lock because any request may begin a paged list or go on with one; held for a look or a push.
    kept: Mutex<VecDeque<(Timestamp, Arc<Snapshot>)>>,
}

impl Pages {
    /// Keeps a snapshot for the pages to come.
    pub(crate) fn keep(&self, snapshot: &Arc<Snapshot>, now: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        drop_old(&mut kept, now);
        kept.retain(|(_, other)| other.revision() != snapshot.revision());
        kept.push_back((now, snapshot.clone()));
        while kept.len() > KEPT {
            kept.pop_front();
        }
    }

    /// The snapshot of a revision, if it is still kept.
    pub(crate) fn find(&self, revision: Revision, now: Timestamp) -> Option<Arc<Snapshot>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        drop_old(&mut kept, now);
        kept.iter().find(|(_, snapshot)| snapshot.revision() == revision).map(|(_, snapshot)| snapshot.clone())
    }
}

fn drop_old(kept: &mut VecDeque<(Timestamp, Arc<Snapshot>)>, now: Timestamp) {
    while kept.front().is_some_and(|(since, _)| now.duration_since(*since) > KEPT_FOR) {
        kept.pop_front();
    }
}
