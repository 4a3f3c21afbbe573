//! One pod's task: turns actions into what its shim, the image store and the volumes are asked, and what they answer
//! into events. Every action is safe to repeat; only the pod's own order matters, so pods never wait for each other.

mod volumes;

use super::ending;
use super::link::Link;
use super::machine::Machine;
use super::sandbox::{self, Live, Wanted};
use crate::clock::now;
use crate::container::settle::{self, Place};
use crate::images::{Image, Unavailable};
use crate::journal;
use crate::layout::instance_name;
use crate::recover;
use crate::volumes::VolumeError;
use crate::wire::{Order, Purpose, RESTARTS_ALL, RETIRES, Request, SHARES_PROCESSES, Told};
use firstlight_pod::action::{Launch, Signal};
use firstlight_pod::event::{Hook, Instance, ProbeKind, StartFailure, StopReason};
use firstlight_pod::spec::{Handler, PullPolicy};
use firstlight_pod::{Do, Event, Millis, Now, PodId};
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use volumes::Volumes;

/// What is known of a pod's containers: for sessions and log readers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct View {
    /// The current sandbox's generation.
    pub(crate) sandbox: Option<u32>,
    /// The newest instance of each container, and whether it has ended.
    pub(crate) newest: BTreeMap<String, (u32, bool)>,
}

/// What recovery found of a pod.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Its sandbox, alive.
    pub(crate) sandbox: Option<Live>,
    /// Its containers.
    pub(crate) view: View,
    /// Sandboxes that are not alive but not taken down either.
    pub(crate) leftovers: Vec<u32>,
}

/// A pod's task.
#[derive(Debug)]
pub(crate) struct Pod {
    id: PodId,
    machine: Arc<Machine>,
    events: mpsc::Sender<(PodId, Event)>,
    sandbox: Option<Live>,
    view: watch::Sender<View>,
    images: HashMap<Instance, Image>,
    pulling: HashSet<Instance>,
    jobs: JoinSet<Done>,
    volumes: Volumes,
    /// Generations being taken down.
    ending: HashSet<u32>,
    /// Generations found dead at the start.
    leftovers: Vec<u32>,
}

/// What is left of a container that is over, for the engine to remove.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    WritableLayer,
}

/// What a job beside the task has come to.
#[derive(Debug)]
enum Done {
    Volumes(Result<(), VolumeError>),
    Measured(Vec<(String, u64)>),
    Pulled { instance: Instance, image: String, result: Box<Result<Image, Unavailable>> },
    Ended(u32),
    Swept,
}

impl Pod {
    /// The task of a pod, and the view others have of it.
    pub(crate) fn new(
        id: PodId,
        machine: Arc<Machine>,
        events: mpsc::Sender<(PodId, Event)>,
        known: Known,
    ) -> (Pod, watch::Receiver<View>) {
        let Known { sandbox, view, leftovers } = known;
        let (view, seen) = watch::channel(view);
        let pod = Pod {
            id,
            machine,
            events,
            sandbox,
            view,
            images: HashMap::new(),
            pulling: HashSet::new(),
            jobs: JoinSet::new(),
            volumes: Volumes::default(),
            ending: HashSet::new(),
            leftovers,
        };
        (pod, seen)
    }

    /// Lives until the pod is forgotten, or nobody sends actions any more. Answers with whose it was.
    pub(crate) async fn live(mut self, mut orders: mpsc::Receiver<Do>) -> PodId {
        for attempt in std::mem::take(&mut self.leftovers) {
            self.take_down(attempt, None);
        }
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Do::Forget) => {
                        self.forget().await;
                        return self.id;
                    }
                    Some(order) => self.perform(order).await,
                    None => return self.id,
                },
                told = next(self.sandbox.as_mut()) => self.hear(told).await,
                () = self.volumes.time_to_look() => self.measure(),
                Some(done) = self.jobs.join_next() => match done {
                    Ok(done) => self.done(done).await,
                    Err(error) => tracing::error!(pod = %self.id.name, %error, "a runtime job died"),
                },
            }
        }
    }

    async fn perform(&mut self, order: Do) {
        match order {
            Do::PrepareVolumes { volumes, fs_group } => self.prepare_volumes(volumes, fs_group),
            Do::CreateSandbox { attempt, identity, sysctls, share_processes } => {
                self.create_sandbox(Wanted { attempt, identity, sysctls, share_processes }).await;
            }
            Do::Pull { instance, image, policy, credentials } => self.pull(instance, image, policy, credentials),
            Do::Create { instance, sandbox, launch, ahead } => self.create(instance, sandbox, *launch, ahead).await,
            Do::Discard { instance } => self.ask(Request::Discard { instance }).await,
            Do::Start { instance } => self.ask(Request::Start { instance }).await,
            Do::Hook { instance, hook, handler, timeout } => self.hook(instance, hook, handler, timeout).await,
            Do::Probe { instance, probe, handler, timeout } => self.probe(instance, probe, handler, timeout).await,
            Do::Retire { instance, reason } => self.retire(instance, reason).await,
            Do::RestartAll { walk, because } => self.restart_all(walk, because).await,
            Do::Signal { instance, signal } => {
                self.ask(Request::Signal { instance, kill: signal == Signal::Kill }).await;
            }
            Do::RemoveSandbox { attempt } => self.remove_sandbox(attempt).await,
            Do::Forget => {}
        }
    }

    async fn create_sandbox(&mut self, wanted: Wanted) {
        let attempt = wanted.attempt;
        if self.sandbox.is_some() || self.ending.contains(&attempt) {
            return;
        }
        let machine = self.machine.clone();
        tokio::task::spawn_blocking(move || machine.cgroups.wake());
        match sandbox::spawn(&self.machine, &self.id, wanted).await {
            Ok(live) => {
                self.sandbox = Some(live);
                self.view.send_modify(|view| view.sandbox = Some(attempt));
                self.forget_older();
            }
            Err(error) => {
                self.tell(Event::SandboxFailed { attempt, message: format!("{error:#}"), at: Now(now()) }).await;
                self.take_down(attempt, None);
            }
        }
    }

    fn pull(&mut self, instance: Instance, image: String, policy: PullPolicy, credentials: Vec<Vec<u8>>) {
        if !self.pulling.insert(instance.clone()) {
            return;
        }
        let store = self.machine.store.clone();
        self.jobs.spawn(async move {
            let result = Box::new(store.ensure(&image, policy, &credentials).await);
            Done::Pulled { instance, image, result }
        });
    }

    async fn create(&mut self, instance: Instance, attempt: u32, launch: Launch, ahead: bool) {
        let Some(live) = self.sandbox.as_ref().filter(|s| s.attempt == attempt) else { return };
        let hostname = live.hostname.clone();
        if launch.target.is_some() && live.version < SHARES_PROCESSES {
            let message = "this pod runs since before its engine could share processes; start the pod anew".to_owned();
            let (failure, at) = (StartFailure::Create, Now(now()));
            return self.tell(Event::StartFailed { instance, failure, message, at }).await;
        }
        let image = match self.images.get(&instance) {
            Some(image) => Some(image.clone()),
            None => self.machine.store.local(&launch.image),
        };
        let Some(image) = image else {
            let message =
                format!("image {:?} is not here (any more); it is pulled again at the next try", launch.image);
            let event = match ahead {
                true => Event::NotAhead { instance },
                false => Event::StartFailed { instance, failure: StartFailure::Create, message, at: Now(now()) },
            };
            self.tell(event).await;
            return;
        };
        let launch = match self.completed(launch).await {
            Ok(launch) => launch,
            Err(message) => {
                let failure = StartFailure::Config;
                return self.tell(Event::StartFailed { instance, failure, message, at: Now(now()) }).await;
            }
        };
        let place = Place {
            pod: &self.id,
            hostname: &hostname,
            log_dir: self.machine.layout.logs(&self.id, &instance.container),
            guarded_devices: self.machine.cgroups.guards_devices(),
            allow_privileged: self.machine.allow.privileged,
            filters: &self.machine.filters,
        };
        match settle::settle(instance.clone(), container_id(), launch, &image, &place) {
            Ok(order) if ahead && depends_on_volumes(&order) => self.tell(Event::NotAhead { instance }).await,
            Ok(order) => self.ask(Request::Create(Box::new(order))).await,
            Err(settle::Refused { failure, message }) => {
                self.tell(Event::StartFailed { instance, failure, message, at: Now(now()) }).await;
            }
        }
    }

    async fn hook(&mut self, instance: Instance, hook: Hook, handler: Handler, timeout: Option<Millis>) {
        match (handler, &self.sandbox) {
            (Handler::Exec(command), Some(_)) => {
                let timeout_ms = timeout.map(|t| t.0);
                self.ask(Request::Hook { instance, hook, command, timeout_ms }).await;
            }
            (handler, _) => {
                let outcome = Err(not_run(&handler));
                self.tell(Event::HookDone { instance, hook, outcome, at: Now(now()) }).await;
            }
        }
    }

    async fn probe(&mut self, instance: Instance, probe: ProbeKind, handler: Handler, timeout: Millis) {
        match (handler, &self.sandbox) {
            (Handler::Exec(command), Some(_)) => {
                self.ask(Request::Probe { instance, probe, command, timeout_ms: timeout.0 }).await;
            }
            (handler, _) => {
                let outcome = Err(not_run(&handler));
                self.tell(Event::Probed { instance, probe, outcome, at: Now(now()) }).await;
            }
        }
    }

    async fn remove_sandbox(&mut self, attempt: u32) {
        match &self.sandbox {
            Some(live) if live.attempt == attempt => self.ask(Request::End).await,
            Some(_) | None if self.ending.contains(&attempt) => {}
            Some(_) | None => {
                self.tell(Event::SandboxGone { attempt, at: Now(now()) }).await;
                self.take_down(attempt, None);
            }
        }
    }

    /// The last action: ends what is left and removes everything.
    async fn forget(&mut self) {
        if let Some(Live { attempt, .. }) = &self.sandbox {
            let attempt = *attempt;
            self.ask(Request::End).await;
            while self.sandbox.is_some() {
                let told = next(self.sandbox.as_mut()).await;
                self.hear(told).await;
            }
            self.take_down(attempt, None);
        }
        while self.jobs.join_next().await.is_some() {}
        let (machine, pod) = (self.machine.clone(), self.id.clone());
        if let Err(error) = tokio::task::spawn_blocking(move || ending::pod(&machine, &pod)).await {
            tracing::error!(pod = %self.id.name, %error, "removing a pod died");
        }
    }

    /// A shim that cannot write it down yet is told nothing: then this engine alone knows.
    async fn retire(&mut self, instance: Instance, reason: StopReason) {
        match &self.sandbox {
            Some(live) if live.version < RETIRES => {
                self.tell(Event::Retired { instance, reason, at: Now(now()) }).await;
            }
            Some(_) => self.ask(Request::Retire { instance, reason }).await,
            None => {}
        }
    }

    /// As [`Pod::retire`].
    async fn restart_all(&mut self, walk: u32, because: Instance) {
        match &self.sandbox {
            Some(live) if live.version < RESTARTS_ALL => {
                self.tell(Event::RestartAll { walk, because, at: Now(now()) }).await;
            }
            Some(_) => self.ask(Request::RestartAll { walk, because }).await,
            None => {}
        }
    }

    /// Asks the shim something. A shim that is gone will never answer: its end, which tells all, is on its way.
    async fn ask(&mut self, request: Request) {
        if let Some(live) = &mut self.sandbox
            && let Err(error) = live.link.send(&request, Vec::new()).await
        {
            tracing::debug!(pod = %self.id.name, %error, "the shim does not listen");
        }
    }

    async fn hear(&mut self, told: std::io::Result<Option<Told>>) {
        match told {
            Ok(Some(told)) => self.told(told).await,
            Ok(None) => self.lost().await,
            Err(error) => {
                tracing::warn!(pod = %self.id.name, %error, "the shim's words make no sense");
                self.lost().await;
            }
        }
    }

    async fn told(&mut self, told: Told) {
        let Some(live) = &mut self.sandbox else { return };
        let attempt = live.attempt;
        match told {
            Told::Record(_) if live.skip > 0 => live.skip -= 1,
            Told::Record(record) => {
                live.told += 1;
                if let Some(event) = record.event(attempt) {
                    self.happened(event).await;
                }
            }
            Told::Probed { instance, probe, outcome, at } => {
                self.tell(Event::Probed { instance, probe, outcome, at: Now(at) }).await;
            }
            Told::Failed { message } => {
                let child = self.sandbox.take().and_then(|live| live.child);
                self.view.send_modify(|view| view.sandbox = None);
                self.tell(Event::SandboxFailed { attempt, message, at: Now(now()) }).await;
                self.take_down(attempt, child);
            }
            Told::Live { .. } | Told::Begun | Told::Refused { .. } | Told::Ended { .. } => {}
        }
    }

    /// An event from the sandbox: noted, told, and cleaned up after.
    async fn happened(&mut self, event: Event) {
        note(&self.view, &event);
        let over = match &event {
            Event::Exited { instance, .. } | Event::StartFailed { instance, failure: StartFailure::Run, .. } => {
                Some((instance.clone(), Left::WritableLayer))
            }
            // It may be made anew under the same number at once: its shim has cleared it away before saying so.
            Event::StartFailed { instance, .. } | Event::Discarded { instance } => {
                Some((instance.clone(), Left::Nothing))
            }
            _ => None,
        };
        if let Event::Started { instance, .. } = &event
            && instance.attempt > 1
        {
            self.forget_logs(instance.clone());
        }
        let gone = matches!(event, Event::SandboxGone { .. });
        self.tell(event).await;
        if let Some((instance, left)) = over {
            self.images.remove(&instance);
            if left == Left::WritableLayer {
                self.sweep(&instance);
            }
        }
        if gone && let Some(live) = self.sandbox.take() {
            self.take_down(live.attempt, live.child);
        }
    }

    /// The connection to the shim ended: it let go of this engine, or it is dead.
    async fn lost(&mut self) {
        let Some(live) = self.sandbox.take() else { return };
        let dir = self.machine.layout.sandbox(&self.id.uid, live.attempt);
        if matches!(journal::writer(&dir), Ok(Some(_))) {
            let run = self.machine.layout.sandbox_run(&self.id.uid, live.attempt);
            if let Ok(link) = Link::knock(&run, Purpose::Control, Vec::new()).await {
                self.sandbox = Some(Live { link, skip: live.told, ..live });
                return;
            }
        }
        let events = recover::bury(&self.machine, &self.id, live.attempt, live.told).await;
        for event in events {
            note(&self.view, &event);
            self.tell(event).await;
        }
        self.take_down(live.attempt, live.child);
    }

    async fn done(&mut self, done: Done) {
        match done {
            Done::Volumes(result) => self.volumes_done(result).await,
            Done::Measured(usage) => self.measured(usage).await,
            Done::Pulled { instance, image, result } => self.pulled(instance, image, *result).await,
            Done::Ended(attempt) => {
                self.ending.remove(&attempt);
                self.forget_older();
            }
            Done::Swept => {}
        }
    }

    async fn pulled(&mut self, instance: Instance, image: String, result: Result<Image, Unavailable>) {
        self.pulling.remove(&instance);
        let at = Now(now());
        let event = match result {
            Ok(here) => {
                let Image { id, pulled, .. } = &here;
                let event =
                    Event::ImageReady { instance: instance.clone(), image, image_id: id.clone(), pulled: *pulled, at };
                self.images.insert(instance, here);
                event
            }
            Err(Unavailable { failure, message }) => Event::ImageFailed { instance, image, failure, message, at },
        };
        self.tell(event).await;
    }

    /// Takes a sandbox down beside the task: nobody waits for it but [`Do::Forget`].
    fn take_down(&mut self, attempt: u32, child: Option<std::process::Child>) {
        self.view.send_modify(|view| view.sandbox = view.sandbox.filter(|&current| current != attempt));
        if self.ending.insert(attempt) {
            let (machine, pod) = (self.machine.clone(), self.id.clone());
            self.jobs.spawn_blocking(move || {
                ending::sandbox(&machine, &pod, attempt, child);
                Done::Ended(attempt)
            });
        }
    }

    /// Removes what is kept of older sandboxes, if there is a newer one.
    fn forget_older(&mut self) {
        let Some(attempt) = self.sandbox.as_ref().map(|live| live.attempt) else { return };
        let (machine, pod, ending) = (self.machine.clone(), self.id.clone(), self.ending.clone());
        self.jobs.spawn_blocking(move || {
            ending::older(&machine, &pod, attempt, &ending);
            Done::Swept
        });
    }

    /// Removes the logs that nobody can ask for any more (KRE-9).
    fn forget_logs(&mut self, instance: Instance) {
        let (machine, pod) = (self.machine.clone(), self.id.clone());
        self.jobs.spawn_blocking(move || {
            ending::logs(&machine, &pod, &instance);
            Done::Swept
        });
    }

    /// Removes the writable layer of a container that is over.
    fn sweep(&mut self, instance: &Instance) {
        let Some(attempt) = self.sandbox.as_ref().map(|live| live.attempt) else { return };
        let dir = self.machine.layout.sandbox(&self.id.uid, attempt).join("containers").join(instance_name(instance));
        self.jobs.spawn_blocking(move || {
            let _ = std::fs::remove_dir_all(dir);
            Done::Swept
        });
    }

    async fn tell(&self, event: Event) {
        // Without a worker there is nobody to tell; the journal keeps what matters.
        let _ = self.events.send((self.id.clone(), event)).await;
    }
}

/// What the shim tells next; never, without one.
async fn next(sandbox: Option<&mut Live>) -> std::io::Result<Option<Told>> {
    match sandbox {
        Some(live) => live.link.next().await,
        None => std::future::pending().await,
    }
}

/// Keeps the view up to date.
pub(crate) fn note(view: &watch::Sender<View>, event: &Event) {
    let (instance, ended) = match event {
        Event::Created { instance, .. } | Event::Started { instance, .. } => (instance, false),
        Event::Exited { instance, .. } | Event::StartFailed { instance, .. } | Event::Discarded { instance } => {
            (instance, true)
        }
        _ => return,
    };
    view.send_modify(|view| {
        let newest = view.newest.entry(instance.container.clone()).or_insert((instance.attempt, ended));
        if instance.attempt >= newest.0 {
            *newest = (instance.attempt, ended);
        }
    });
}

/// Whether creating it now, before its turn, could come out differently from creating it then: what an earlier init
/// writes into a volume decides.
fn depends_on_volumes(order: &Order) -> bool {
    let cwd = std::path::Path::new(&order.cwd);
    order
        .mounts
        .iter()
        .any(|m| !m.sub_path.is_empty() || cwd.starts_with(&m.path) && cwd != std::path::Path::new(&m.path))
}

fn not_run(handler: &Handler) -> String {
    match handler {
        Handler::Exec(_) => "the pod has no sandbox".to_owned(),
        Handler::Http { .. } | Handler::Tcp { .. } | Handler::Grpc { .. } | Handler::Sleep(_) => {
            "only commands are run by the runtime; the node asks the network and the clock itself".to_owned()
        }
    }
}

/// 64 hexadecimal digits, as every runtime's container ids are.
fn container_id() -> String {
    let mut bytes = [0; 32];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty()).unwrap_or_default();
    debug_assert_eq!(filled, bytes.len(), "the kernel fills small requests whole");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
