//! What a decision asks to be done. Every act is one request to the API and safe to repeat.

use firstlight_api::object::{Key, Resource};
use serde_json::Value;

/// What a desk decided for one object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// In this order; the first that fails ends the round, and the desk is asked again a little later.
    pub acts: Vec<Act>,
    /// When to ask again although nothing changed, in milliseconds since the Unix epoch.
    pub wake_ms: Option<u64>,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Make an object. That it exists already is not a failure: what it is will be told.
    Create {
        /// Which resource.
        resource: Resource,
        /// What.
        object: Value,
        /// What to tell people about it.
        told: Option<Told>,
    },
    /// Replace an object, if it is still of the version inside `object`.
    Replace {
        /// Which.
        key: Key,
        /// By what.
        object: Value,
    },
    /// Replace an object's status, if it is still of the version inside `object`.
    Status {
        /// Which.
        key: Key,
        /// The object with its new status.
        object: Value,
    },
    /// Change some fields by a merge patch; a version inside guards it.
    Patch {
        /// Which.
        key: Key,
        /// The patch.
        patch: Value,
    },
    /// Delete an object, if it still has this UID. That it is gone is not a failure.
    Delete {
        /// Which.
        key: Key,
        /// Its UID.
        uid: String,
        /// What becomes of what it owns.
        policy: Policy,
        /// What to tell people about it.
        told: Option<Told>,
    },
    /// Delete all objects of a resource in a namespace.
    DeleteAll {
        /// Which resource.
        resource: Resource,
        /// Where.
        namespace: String,
    },
    /// Take our finalizer off a Namespace that is empty.
    Finalize {
        /// The Namespace without it.
        namespace: Value,
    },
    /// After asking the API whether these owners are really gone: delete the object, or only take the references away.
    Collect {
        /// Which.
        key: Key,
        /// Its UID.
        uid: String,
        /// The owners that seem to be gone.
        gone: Vec<Value>,
        /// The references that stay, if one of them still holds the object; else it is deleted.
        keep: Option<Vec<Value>>,
    },
    /// Tell people something.
    Tell(Event),
}

/// What becomes of what a deleted object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It goes afterwards.
    Background,
    /// It goes before.
    Foreground,
}

impl Policy {
    /// As written in `DeleteOptions`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Policy::Background => "Background",
            Policy::Foreground => "Foreground",
        }
    }
}

/// What people are told of a request's outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// If it is done: a Normal event.
    pub done: Event,
    /// If it failed: a Warning, whose message ends with the cause.
    pub failed: Event,
}

/// A Kubernetes Event to record.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What it is about, whole.
    pub about: Value,
    /// Who tells it: `statefulset-controller`.
    pub component: &'static str,
    /// `Warning` rather than `Normal`.
    pub warning: bool,
    /// CamelCase.
    pub reason: &'static str,
    /// The sentence.
    pub message: String,
}
