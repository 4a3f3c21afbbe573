//! A whole node in memory from one seed: the real store, keeper, workers and publishers around the real `decide`, on an
//! imaginary kernel, in imagined time.
//!
//! ```text
//!  people ──writes──► store (in memory) ◄──status── node (real) ──Do──► kernel (imaginary) ──► witness: E2 E3 E5
//!                       │   ▲                         ▲                   │
//!                       │   └─ outlives engines       └──────Event────────┘
//!                       ▼
//!                     reader: what a client sees never contradicts itself or the kernel
//! ```
//!
//! A life has two parts. In the first, everything happens that may: engines are killed at any await point, machines
//! reboot, the processes that own sandboxes die, images and files are refused, disks are slow, people change their
//! minds. Only safety must hold. In the second all is calm, and every pod must come to what it was asked for; then
//! all are deleted, and nothing may be left (E4).
//!
//! Everything that is chosen is drawn from the seed, and nothing else decides: a seed told again is the same life, word
//! for word. A seed that fails is therefore a bug report; its story belongs into `firstlight-pod`'s stories.
//!
//! | module | question it answers |
//! | --- | --- |
//! | `world` | what happens in one life, engine after engine |
//! | `people` | what do people ask for, and when do they change their minds |
//! | `manifest` | which pods do they ask for |
//! | `kernel` | what would the runtime answer |
//! | `witness` | what really ran, and was it allowed to |
//! | `reader` | what does the API say, and is it true |
//! | `luck` | what is drawn from the seed |
//! | `flaw` | what must be found when it is broken on purpose |
#![forbid(unsafe_code)]

mod flaw;
mod kernel;
mod luck;
mod manifest;
mod people;
mod reader;
mod witness;
mod world;

pub use flaw::Flaw;
pub use world::{Life, live};
