//! Containers on this kernel, driven as the node drives them: actions in, events out.

mod confinement;
mod env_files;
mod life;
mod mounts;
mod roots;
mod sessions;
mod sharing;
mod survival;
mod world;

use world::{script, with_world};
