//! What happened to a container.

use super::told::{Kept, lost, with_scheme};
use super::{Again, Coming, History, HookRun, Live, Next, Past, Stage, Told, Tried};
use crate::event::{Exit, Hook, ProbeKind, StartFailure, StopReason};
use crate::seen::walk::Walk;
use crate::status::{Terminated, User};
use crate::time::Now;

impl History {
    pub(in crate::seen) fn transfer_begins(&mut self, attempt: u32) {
        if let Some(Coming { stage: Stage::Pulling { transfer, .. }, .. }) = self.coming_mut(attempt) {
            *transfer = true;
        }
    }

    pub(in crate::seen) fn image_ready(&mut self, attempt: u32, image: &str, image_id: &str) {
        if let Some(coming) = self.coming_mut(attempt)
            && matches!(coming.stage, Stage::Pulling { .. })
        {
            coming.image_id = image_id.to_owned();
            coming.stage = Stage::Pulled { image: image.to_owned() };
        }
    }

    pub(in crate::seen) fn image_failed(&mut self, attempt: u32) {
        if let Some(coming) = self.coming_mut(attempt)
            && matches!(coming.stage, Stage::Pulling { .. })
        {
            coming.stage = Stage::Idle;
        }
    }

    pub(in crate::seen) fn created(&mut self, attempt: u32, id: &str, image_id: &str, user: Option<&User>) {
        let Some(coming) = self.enter(attempt) else { return };
        let ahead = matches!(coming.stage, Stage::Creating { ahead: true, .. });
        coming.tried = None;
        coming.image_id = image_id.to_owned();
        coming.id = id.to_owned();
        coming.user = user.cloned();
        coming.stage = Stage::Created { ahead };
    }

    pub(in crate::seen) fn not_ahead(&mut self, attempt: u32) {
        if let Some(coming) = self.coming_mut(attempt)
            && matches!(coming.stage, Stage::Creating { .. })
        {
            coming.not_ahead = true;
            coming.stage = Stage::Idle;
        }
    }

    pub(in crate::seen) fn discarded(&mut self, attempt: u32) {
        if let Some(coming) = self.coming_mut(attempt) {
            coming.stage = Stage::Idle;
            coming.launch = None;
            // What it will run with was not certain: it is not made again before its turn.
            coming.not_ahead = true;
        }
    }

    pub(in crate::seen) fn start_failed(
        &mut self,
        attempt: u32,
        walk: Option<Walk>,
        failure: StartFailure,
        message: &str,
        at: Now,
    ) {
        match failure {
            StartFailure::Config | StartFailure::Create => {
                let Some(coming) = self.enter(attempt) else { return };
                // Also if it was created and died waiting: else it would be made ahead again and again.
                coming.not_ahead = true;
                // Whether another engine asked ahead of its turn is not known: then it counts as a try of its own.
                let untold = coming.launch.is_none() && coming.stage == Stage::Idle;
                if coming.turn.is_some() || untold {
                    coming.tried = Some(Tried { failure, message: message.to_owned(), at });
                }
                coming.stage = Stage::Idle;
            }
            StartFailure::Run => {
                self.hear_of(attempt);
                self.take_turn(attempt, None, at);
                let id = self.id_of(attempt);
                let terminated = Terminated {
                    code: 128,
                    reason: "StartError".to_owned(),
                    message: message.to_owned(),
                    started_at: at,
                    finished_at: at,
                    container_id: with_scheme(&id),
                };
                self.end(attempt, walk, terminated, false);
            }
        }
    }

    /// Whoever asked: from here on its turn has come, and it may run.
    pub(in crate::seen) fn starting(&mut self, attempt: u32, at: Now) {
        self.take_turn(attempt, None, at);
        if let Some(coming) = self.coming_mut(attempt)
            && !matches!(coming.stage, Stage::Starting { .. })
        {
            coming.stage = Stage::Starting { since: at };
        }
    }

    pub(in crate::seen) fn started(&mut self, attempt: u32, walk: Option<Walk>, at: Now) {
        let kept = self.hear_of(attempt);
        self.take_turn(attempt, None, at);
        if let Some(coming) = self.coming_mut(attempt) {
            let live = Live::new(coming, walk, at, kept.as_ref());
            self.next = Some(Next::Live(Box::new(live)));
        }
    }

    /// An event tells of this instance. If it is the newest that the API told of, or a later one, events alone tell from
    /// here on; what remains of the API's word is how older instances ended, and how this one was shown while it ran.
    fn hear_of(&mut self, attempt: u32) -> Option<Kept> {
        let told = self.told.take_if(|told| told.past.attempt <= attempt)?;
        let Told { past, before, kept } = told;
        let (kept, past, before) =
            if past.attempt == attempt { (kept, before, None) } else { (None, Some(past), before) };
        if past.as_ref().map(|past| past.attempt) > self.past.as_ref().map(|past| past.attempt) {
            (self.past, self.before) = (past, before.map(|before| before.terminated));
        }
        kept
    }

    pub(in crate::seen) fn exited(&mut self, attempt: u32, walk: Option<Walk>, exit: &Exit) {
        self.hear_of(attempt);
        let terminated = Terminated {
            code: exit.code,
            reason: exit_reason(exit).to_owned(),
            message: exit.message.clone(),
            started_at: exit.started_at,
            finished_at: exit.finished_at,
            container_id: with_scheme(&exit.id),
        };
        self.end(attempt, walk, terminated, false);
    }

    /// Once written down, the reason stands, whatever is asked of the pod meanwhile.
    pub(in crate::seen) fn retired(&mut self, attempt: u32, reason: StopReason, at: Now) {
        if let Some(live) = self.live_mut(attempt) {
            live.retired.get_or_insert((reason, at));
        }
    }

    pub(in crate::seen) fn hook_done(&mut self, attempt: u32, hook: Hook, outcome: &Result<(), String>) {
        let Some(live) = self.live_mut(attempt) else { return };
        let run = match outcome {
            Ok(()) => HookRun::Done,
            Err(message) => HookRun::Failed(message.clone()),
        };
        match hook {
            Hook::PostStart => live.post_start = run,
            Hook::PreStop => live.pre_stop = run,
        }
    }

    pub(in crate::seen) fn probed(&mut self, attempt: u32, probe: ProbeKind, success: bool) {
        if let Some(live) = self.live_mut(attempt) {
            let tries = live.tries_mut(probe);
            tries.under_way = false;
            tries.streaks.push(success);
        }
    }

    /// The sandbox ended, and with it whatever ran in it; what was only created leaves no trace.
    pub(in crate::seen) fn lost(&mut self, walk: Option<Walk>, at: Now) {
        let (attempt, since, id) = match &self.next {
            Some(Next::Live(live)) => (live.attempt, live.since, live.id.clone()),
            Some(Next::Coming(Coming { attempt, stage: Stage::Starting { since }, id, .. })) => {
                (*attempt, *since, id.clone())
            }
            Some(Next::Coming(coming)) => {
                if let Some(before) = coming.counted_from.clone() {
                    self.crashes = *before;
                }
                self.next = None;
                return;
            }
            None => return,
        };
        self.hear_of(attempt);
        self.end(attempt, walk, lost(since, at, &with_scheme(&id)), true);
    }

    /// What ended did so in no sandbox that is still there.
    pub(in crate::seen) fn past_is_elsewhere(&mut self) {
        if let Some(past) = &mut self.past {
            past.walk = None;
        }
    }

    fn id_of(&self, attempt: u32) -> String {
        let id = match &self.next {
            Some(Next::Coming(coming)) if coming.attempt == attempt => Some(coming.id.as_str()),
            Some(Next::Coming(_) | Next::Live(_)) | None => None,
        };
        id.unwrap_or_default().to_owned()
    }

    fn end(&mut self, attempt: u32, walk: Option<Walk>, terminated: Terminated, lost: bool) {
        if let Some(past) = self.past.as_mut().filter(|past| past.attempt >= attempt) {
            if past.attempt == attempt {
                past.walk = past.walk.or(walk);
                past.terminated = terminated;
                past.lost = lost;
            }
            return;
        }
        let newer = match &self.next {
            Some(Next::Coming(coming)) => coming.attempt > attempt,
            Some(Next::Live(live)) => live.attempt > attempt,
            None => false,
        };
        if newer {
            return;
        }
        let mut terminated = terminated;
        let (image_id, user, retired, ran_in) = match self.next.take() {
            Some(Next::Live(live)) => {
                // A wall clock that was set back must not make a crash look long past (BKF-3).
                terminated.finished_at = terminated.finished_at.max(live.since);
                (live.image_id, live.user, live.retired.map(|(reason, _)| reason), live.walk)
            }
            Some(Next::Coming(coming)) => (coming.image_id, coming.user, None, coming.left.or(walk).filter(|_| !lost)),
            None => (String::new(), None, None, walk),
        };
        let again = if !lost && Walk::is_over(ran_in, walk) { Again::Removed } else { Again::Judged };
        self.before = self.past.take().map(|past| past.told_end());
        self.past = Some(Past { attempt, walk: ran_in, image_id, user, terminated, lost, retired, again });
    }

    /// Every container runs again: what has begun does not count any more. `trigger` is the number of the instance whose
    /// end is the reason, if it is one of these.
    pub(in crate::seen) fn restarted(&mut self, old: Walk, trigger: Option<u32>) {
        if let Some(Next::Coming(coming)) = &mut self.next {
            if matches!(coming.stage, Stage::Starting { .. }) {
                coming.left = Some(old);
            } else if coming.turn.take().is_some()
                && let Some(before) = coming.counted_from.take()
            {
                // What never ran is made for the next walk, and no restart of it counts before its turn there.
                self.crashes = *before;
            }
        }
        let told = self.told.as_mut().map(|told| &mut told.past);
        for past in told.into_iter().chain(&mut self.past) {
            if past.again != Again::Removed {
                past.again = Again::WithAll { its_own: trigger == Some(past.attempt) };
            }
        }
    }
}

/// STA-6.
fn exit_reason(exit: &Exit) -> &'static str {
    if exit.oom {
        "OOMKilled"
    } else if exit.unknown {
        "Unknown"
    } else if exit.code == 0 {
        "Completed"
    } else {
        "Error"
    }
}
