//! A runtime in memory: performs at once whatever is asked, and tells what it was asked.

use firstlight_node::Channels;
use firstlight_pod::action::Signal;
use firstlight_pod::event::{Exit, Instance};
use firstlight_pod::{Do, Event, Now, PodId};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Runtime {
    /// Everything asked, in order.
    asked: mpsc::UnboundedReceiver<(PodId, Do)>,
    events: mpsc::Sender<(PodId, Event)>,
}

/// A runtime, and the ends that a node holds of it.
pub(crate) fn runtime() -> (Runtime, Channels) {
    let (actions, mut to_do) = mpsc::channel::<(PodId, Do)>(64);
    let (events, told) = mpsc::channel(64);
    let (log, asked) = mpsc::unbounded_channel();
    let answers = events.clone();
    tokio::spawn(async move {
        while let Some((pod, what)) = to_do.recv().await {
            let answer = answer(&what);
            let _ = log.send((pod.clone(), what));
            if let Some(event) = answer {
                let _ = answers.send((pod, event)).await;
            }
        }
    });
    (Runtime { asked, events }, Channels { actions, events: told })
}

impl Runtime {
    /// Waits until this is asked; answers what was asked before it, as words.
    pub(crate) async fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let asked = tokio::time::timeout(PATIENCE, self.asked.recv()).await;
            let Ok(Some((_, what))) = asked else { panic!("{wanted} was not asked, but {before:?}") };
            if what.to_string() == wanted {
                return before;
            }
            before.push(what.to_string());
        }
    }

    /// Waits until this is asked for some container, and answers the whole action.
    pub(crate) async fn asked(&mut self, wanted: &str) -> Do {
        loop {
            let asked = tokio::time::timeout(PATIENCE, self.asked.recv()).await;
            let Ok(Some((_, what))) = asked else { panic!("{wanted} was not asked") };
            if what.to_string() == wanted {
                return what;
            }
        }
    }

    pub(crate) async fn tell(&self, pod: &PodId, event: Event) {
        self.events.send((pod.clone(), event)).await.unwrap();
    }

    pub(crate) async fn exit(&self, pod: &PodId, container: &str, attempt: u32, code: i32) {
        let instance = Instance { container: container.to_owned(), attempt };
        self.tell(pod, exited(instance, code)).await;
    }
}

pub(crate) fn exited(instance: Instance, code: i32) -> Event {
    let exit = Exit { code, id: "c".repeat(64), started_at: Now(1000), finished_at: Now(2000), ..Exit::default() };
    Event::Exited { instance, exit }
}

pub(crate) fn sandbox_ready(attempt: u32) -> Event {
    Event::SandboxReady { attempt, pod_ip: "127.0.0.1".to_owned(), host_ip: "127.0.0.1".to_owned(), at: Now(1000) }
}

fn answer(what: &Do) -> Option<Event> {
    let at = Now(1000);
    Some(match what.clone() {
        Do::PrepareVolumes { .. } => Event::VolumesReady { at },
        Do::CreateSandbox { attempt, .. } => sandbox_ready(attempt),
        Do::Pull { instance, image, .. } => {
            Event::ImageReady { instance, image, image_id: "sha256:1".to_owned(), pulled: None, at }
        }
        Do::Create { instance, .. } => {
            Event::Created { instance, id: "c".repeat(64), image_id: "sha256:1".to_owned(), user: None, at }
        }
        Do::Discard { instance } => Event::Discarded { instance },
        Do::Start { instance } => Event::Started { instance, at },
        Do::Hook { instance, hook, .. } => Event::HookDone { instance, hook, outcome: Ok(()), at },
        Do::Probe { instance, probe, .. } => Event::Probed { instance, probe, outcome: Ok(()), at },
        Do::Retire { instance, reason } => Event::Retired { instance, reason, at },
        Do::RestartAll { walk, because } => Event::RestartAll { walk, because, at },
        Do::Signal { instance, signal: Signal::Stop } => exited(instance, 143),
        Do::Signal { instance, signal: Signal::Kill } => exited(instance, 137),
        Do::RemoveSandbox { attempt } => Event::SandboxGone { attempt, at },
        Do::Forget => return None,
    })
}
