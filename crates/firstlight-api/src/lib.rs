//! Kubernetes' words, pure: what the API's objects mean, without I/O.
//!
//! | module | question it answers |
//! | --- | --- |
//! | [`schema`] | which kinds, fields, merge keys, protobuf numbers and list keys exist (generated tables) |
//! | [`object`] | what every object has: kind, key, metadata |
//! | [`decode`] | what the client sent: JSON with duplicate keys found, YAML with budgets, protobuf |
//! | [`fields`] | fields a type does not have, values of the wrong type, the form Kubernetes answers |
//! | [`defaults`] | what Kubernetes fills in |
//! | [`admit`] | what the API itself writes into an object: generation, first status, identity |
//! | [`validate`] | what Kubernetes refuses, with its field paths and words |
//! | [`honoured`] | what Firstlight does not honour yet: refused by name, with the way out |
//! | [`patch`] | JSON, merge and strategic merge patches |
//! | [`select`] | label and field selectors |
//! | [`event_view`] | which kinds are a second view of another, and how: an Event as `events.k8s.io/v1` names its fields |
//! | [`mod@print`] | the Table that `kubectl get` shows |
//! | [`source`] | what a ConfigMap or a Secret holds |
//! | [`status_error`] | the `Status` object of every failure |
//! | [`settle`] | a Pod as `firstlight_pod::Spec` |
//! | [`write_status`] | a `firstlight_pod::Status` as the Pod's status, and back |
//! | [`view`] | how members of an object are read and filled in, without failing |
//! | [`discovery`] | what `/api`, `/apis`, `/openapi/v3` and `/version` answer |
#![forbid(unsafe_code)]

pub mod admit;
pub mod decode;
pub mod defaults;
pub mod discovery;
pub mod event_view;
pub mod fields;
pub mod honoured;
pub mod object;
pub mod patch;
pub mod powers;
pub mod print;
pub mod quantity;
pub mod schema;
pub mod select;
pub mod settle;
pub mod source;
pub mod status_error;
pub mod time;
pub mod validate;
pub mod view;
pub mod write_status;

mod refuse;
