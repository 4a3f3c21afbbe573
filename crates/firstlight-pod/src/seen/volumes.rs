//! The pod's volumes as far as they are known.

use crate::action::VolumeSetup;
use crate::event::ImageFailure;
use crate::time::Now;
use std::collections::BTreeMap;

/// What was asked for, what is in place, what went wrong last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Volumes {
    /// Under way, and since when.
    pub(crate) asked: Option<(Vec<VolumeSetup>, Now)>,
    /// In place.
    pub(crate) placed: Option<Vec<VolumeSetup>>,
    /// The last failure, until the next success.
    pub(crate) trouble: Option<VolumeTrouble>,
    /// The most that each was seen to hold, and when that was seen first: what held too much once is not forgiven.
    pub(crate) most: BTreeMap<String, (u64, Now)>,
}

/// A volume that could not be set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeTrouble {
    pub(crate) volume: String,
    pub(crate) message: String,
    /// Which kind of failure, if it is the image's.
    pub(crate) image: Option<ImageFailure>,
    /// How often in a row.
    pub(crate) tries: u32,
    pub(crate) at: Now,
}

impl Volumes {
    pub(crate) fn ready(&mut self) {
        if let Some((volumes, _)) = self.asked.take() {
            self.placed = Some(volumes);
        }
        self.trouble = None;
    }

    pub(crate) fn used(&mut self, volume: &str, bytes: u64, at: Now) {
        let most = self.most.entry(volume.to_owned()).or_insert((bytes, at));
        if bytes > most.0 {
            *most = (bytes, at);
        }
    }

    pub(crate) fn failed(&mut self, volume: &str, message: &str, image: Option<ImageFailure>, at: Now) {
        let tries = self.trouble.as_ref().map_or(0, |trouble| trouble.tries).saturating_add(1);
        self.asked = None;
        self.trouble = Some(VolumeTrouble { volume: volume.to_owned(), message: message.to_owned(), image, tries, at });
    }
}
