//! The HTTP face of the engine: Kubernetes' API over the store, by one path grammar and one handler set.
//!
//! It reaches a container only through [`console::Console`]. Every request needs a client certificate (or comes
//! from inside the process); Host and Origin are checked.
//!
//! | module | question it answers |
//! | --- | --- |
//! | [`api`] | the API behind one face, over the network or from inside the process |
//! | `path`, `query`, `request`, `payload` | what a request means: target, options, body |
//! | `router` | which handler answers |
//! | `verbs`, `subresources`, `reviews` | what is done |
//! | `change`, `part`, `metadata`, `ownership`, `admission` | how an object becomes another, and what the API keeps in it |
//! | `selection`, `paging`, `representation`, `failure` | what is answered, and in which form |
//! | `discovery`, `health` | what is served at all |
//! | [`identity`] | who may be trusted: the data directory's certificate authority, and what it signs |
//! | [`caller`] | who is asking |
//! | [`listener`] | how requests come in: TLS, HTTP/1.1 and HTTP/2, limits, Host and Origin |
//! | [`streams`] | logs, exec, attach and port-forward |
//! | [`console`] | the port behind which containers are |
//! | [`body`] | what every answer's body is |
#![forbid(unsafe_code)]

mod admission;
pub mod api;
pub mod body;
pub mod caller;
mod change;
pub mod console;
mod discovery;
mod failure;
mod health;
pub mod identity;
mod ids;
pub mod listener;
mod metadata;
mod ownership;
mod paging;
mod part;
mod path;
mod payload;
mod private_file;
mod query;
mod representation;
mod request;
mod reviews;
mod router;
mod running_pods;
mod selection;
pub mod streams;
mod subresources;
mod verbs;
