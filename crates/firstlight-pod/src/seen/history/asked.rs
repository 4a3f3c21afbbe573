//! What was asked of the runtime about a container.

use super::{History, HookRun, Stage};
use crate::action::{Launch, Signal};
use crate::event::{Hook, ProbeKind};
use crate::time::Now;

impl History {
    pub(in crate::seen) fn pull_asked(&mut self, attempt: u32, image: &str, at: Now) {
        self.take_turn(attempt, Some(image), at);
        if let Some(coming) = self.coming_mut(attempt) {
            coming.stage = Stage::Pulling { since: at, transfer: false };
        }
    }

    pub(in crate::seen) fn create_asked(&mut self, attempt: u32, launch: &Launch, ahead: bool, at: Now) {
        if !ahead {
            self.take_turn(attempt, Some(&launch.image), at);
        }
        if let Some(coming) = self.enter(attempt) {
            coming.launch = Some(Box::new(launch.clone()));
            coming.stage = Stage::Creating { since: at, ahead };
        }
    }

    pub(in crate::seen) fn discard_asked(&mut self, attempt: u32, at: Now) {
        if let Some(coming) = self.coming_mut(attempt) {
            coming.stage = Stage::Discarding { since: at };
        }
    }

    pub(in crate::seen) fn start_asked(&mut self, attempt: u32, at: Now) {
        let image = self.coming().and_then(|coming| coming.launch.as_ref()).map(|launch| launch.image.clone());
        self.take_turn(attempt, image.as_deref(), at);
        if let Some(coming) = self.coming_mut(attempt) {
            coming.stage = Stage::Starting { since: at };
        }
    }

    pub(in crate::seen) fn hook_asked(&mut self, attempt: u32, hook: Hook, at: Now) {
        let Some(live) = self.live_mut(attempt) else { return };
        match hook {
            Hook::PostStart => live.post_start = HookRun::Asked(at),
            Hook::PreStop => {
                live.stop_asked.get_or_insert(at);
                live.pre_stop = HookRun::Asked(at);
            }
        }
    }

    pub(in crate::seen) fn retire_asked(&mut self, attempt: u32, at: Now) {
        if let Some(live) = self.live_mut(attempt) {
            live.retire_asked = Some(at);
        }
    }

    pub(in crate::seen) fn signal_asked(&mut self, attempt: u32, signal: &Signal, at: Now) {
        let Some(live) = self.live_mut(attempt) else { return };
        live.stop_asked.get_or_insert(at);
        match signal {
            Signal::Stop => live.stop_signal.get_or_insert(at),
            Signal::Kill => live.kill_signal.get_or_insert(at),
        };
    }

    pub(in crate::seen) fn probe_asked(&mut self, attempt: u32, probe: ProbeKind, at: Now) {
        if let Some(live) = self.live_mut(attempt) {
            let tries = live.tries_mut(probe);
            tries.under_way = true;
            tries.last_asked = Some(at);
        }
    }
}
