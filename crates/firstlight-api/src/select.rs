//! Which objects a request means: label selectors and field selectors.
//!
//! Asked for every list and watch, and by everything that selects pods: Services, StatefulSets, budgets.

mod fields;
mod labels;

pub use fields::Fields;
pub use labels::{Labels, Operator, Requirement};

#[cfg(test)]
mod tests;
