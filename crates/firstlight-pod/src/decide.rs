//! The decision: one `match` on where the pod is in its life, one file per phase.

use crate::plan::Plan;
use crate::seen::Seen;
use crate::spec::Spec;
use crate::status::Status;
use crate::time::Now;

/// What to do for this pod now. Total: one plan for every input; the same input gives the same plan.
#[must_use]
pub fn decide(spec: &Spec, seen: &Seen, now: Now) -> Plan {
    let _ = (seen, now);
    Plan {
        actions: Vec::new(),
        status: Status { observed_generation: spec.generation, ..Status::default() },
        waits: Vec::new(),
        wake: None,
    }
}
