//! PersistentVolumeClaims: how much and for whom, and that what was claimed stays as it is (VOL-11).

use super::pod::one_of;
use crate::admit;
use crate::quantity::Quantity;
use crate::refuse::Refusals;
use crate::view::View;
use serde_json::{Value, json};

/// In the order that upstream lists them.
const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// A claim, or the template of one, at this path.
pub(super) fn check(claim: &Value, path: &str, refused: &mut Refusals) {
    let spec = claim.object("spec");
    let at = format!("{path}spec");
    let modes = spec.texts("accessModes");
    if modes.is_empty() {
        refused.required(&format!("{at}.accessModes"), "at least 1 access mode is required");
    }
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(&mode.as_str())) {
        refused.unsupported(&format!("{at}.accessModes"), mode.as_str(), &ACCESS_MODES);
    }
    one_of(spec, "volumeMode", &["Block", "Filesystem"], &at, refused);
    let storage = spec.object("resources").object("requests").get_some("storage");
    match storage.map(Quantity::of) {
        None => refused.required(&format!("{at}.resources[storage]"), ""),
        Some(Ok(amount)) if amount.nano() > 0 => {}
        Some(_) => {
            let value = storage.cloned().unwrap_or_default();
            refused.invalid(&format!("{at}.resources[storage]"), value, "must be greater than zero");
        }
    }
}

/// A claim that is about to be made is bound to a directory of its own and to nothing else.
pub(super) fn create(claim: &Value, refused: &mut Refusals) {
    let own = admit::claim_volume(claim);
    if claim.object("spec").text("volumeName") != own {
        let words = "not honoured by Firstlight: there are no PersistentVolumes to choose from: every claim gets a \
                     directory of its own; remove it";
        refused.forbidden("spec.volumeName", words);
    }
}

/// What of it may change: how much it asks for, which nothing depends on here.
pub(super) fn update(old: &Value, new: &Value, refused: &mut Refusals) {
    let fixed = |claim: &Value| {
        let mut spec = claim.object("spec").clone();
        if let Some(requests) = spec.pointer_mut("/resources/requests") {
            *requests = json!({});
        }
        spec
    };
    if fixed(old) != fixed(new) {
        let words = "spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                     bound claims";
        refused.forbidden("spec", words);
    }
    let amount = |claim: &Value| {
        let storage = claim.object("spec").object("resources").object("requests").object("storage").clone();
        Quantity::of(&storage).map_or(0, Quantity::nano)
    };
    if amount(new) < amount(old) {
        refused.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
    }
}
