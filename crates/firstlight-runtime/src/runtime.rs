//! The engine's half: actions in, events out, one task per pod.
//!
//! ```text
//!  (PodId, Do) ──► dispatcher ──► pod task ──► its shim ──► containers
//!                                   │  ├──► blocking threads: volumes, directories
//!  (PodId, Event) ◄─────────────────┘  └──► image store
//! ```
//!
//! Nothing here forks or clones: shims are spawned, from a sealed copy of the program (S2).

mod descriptors;
mod ending;
mod guard;
mod link;
mod machine;
mod pod;
mod sandbox;
mod sealed;

pub(crate) use link::Link;
pub(crate) use machine::Machine;
pub(crate) use pod::{Known, View, note};
pub(crate) use sandbox::Live;

use crate::images::Store;
use crate::network::Bridge;
use crate::recover::{self, Survivor};
use crate::{Config, Ends, Recovered};
use anyhow::Context;
use firstlight_pod::{Do, Event, PodId};
use rustix::fs::{FlockOperation, flock};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// Actions and events on their way: enough for every container of a hundred pods to have one, so that a burst does
/// not make the two sides wait for each other.
const QUEUE: usize = 1024;

/// How long the lock of an engine that was killed may outlive it: a process it was about to spawn holds it too, until
/// it has become a shim.
const LINGER: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(5);

/// The engine's half of the runtime. Cheap to clone. It ends when the sender of actions and all clones are gone;
/// containers live on.
#[derive(Debug, Clone)]
pub struct Runtime {
    asks: mpsc::Sender<Ask>,
    present: watch::Receiver<BTreeSet<PodId>>,
    pub(crate) machine: Arc<Machine>,
}

/// What sessions and log readers ask the dispatcher.
#[derive(Debug)]
struct Ask {
    uid: String,
    reply: oneshot::Sender<Option<watch::Receiver<View>>>,
}

impl Runtime {
    /// Starts the runtime: takes the data directory, brings the bridge up, and finds what an earlier engine left.
    /// Raises this process's soft limit of descriptors to the hard one; pods keep what the process was given.
    ///
    /// Every pod with anything on this machine is among the [`Recovered`]; the node decides what becomes of it.
    ///
    /// # Errors
    /// If another engine holds the data directory, or the machine lacks what containers need (control groups, a
    /// network).
    pub async fn start(config: Config) -> anyhow::Result<(Runtime, Ends, Vec<Recovered>)> {
        let (machine, found) = tokio::task::spawn_blocking(move || prepare(config)).await??;
        let machine = Arc::new(machine);
        // Copying the program takes longer than all else here, and the first pod is not there yet.
        tokio::spawn({
            let machine = machine.clone();
            async move { machine.sealed().await.map(drop) }
        });
        tokio::spawn(guard::watch(Arc::downgrade(&machine)));
        let (actions, orders) = mpsc::channel(QUEUE);
        let (telling, events) = mpsc::channel(QUEUE);
        let (asks, questions) = mpsc::channel(QUEUE);
        let (present, seen) = watch::channel(BTreeSet::new());
        let mut dispatcher = Dispatcher {
            machine: machine.clone(),
            events: telling,
            pods: HashMap::new(),
            present,
            tasks: JoinSet::new(),
        };
        let mut recovered = Vec::new();
        for survivor in found {
            let Survivor { pod, sandbox, old } = survivor;
            let (known, told) = recover::adopt(&machine, &pod, sandbox, old).await;
            dispatcher.begin(&pod, known);
            recovered.push(Recovered { pod, events: told });
        }
        tokio::spawn(dispatcher.live(orders, questions));
        Ok((Runtime { asks, present: seen, machine }, Ends { actions, events }, recovered))
    }

    /// Every pod with anything on this machine now, whatever the API says of it: a pod whose object is gone is here
    /// until its containers, volumes and directories are gone too.
    #[must_use]
    pub fn pods(&self) -> Vec<PodId> {
        self.present.borrow().iter().cloned().collect()
    }

    /// Waits until no pod has anything on this machine.
    pub async fn nothing_left(&self) {
        // A dispatcher that has ended keeps nothing.
        let _ = self.present.clone().wait_for(BTreeSet::is_empty).await;
    }

    /// Waits until everything that was asked for has been done, after the sender of actions is gone: what is torn down
    /// later than it is told must still be torn down before the engine ends.
    pub async fn ended(&self) {
        self.asks.closed().await;
    }

    /// Takes down everything that is left, as [`dismantle`] does, once the sender of actions is gone.
    ///
    /// # Errors
    /// If something cannot be removed; the next engine finds it.
    pub async fn dismantle(self) -> anyhow::Result<()> {
        self.ended().await;
        let machine = self.machine;
        tokio::task::spawn_blocking(move || take_down(&machine, recover::find(&machine))).await?
    }

    /// What is known of a pod's containers now, and from now on.
    pub(crate) async fn view(&self, uid: &str) -> Option<watch::Receiver<View>> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask { uid: uid.to_owned(), reply }).await.ok()?;
        answer.await.ok()?
    }
}

/// Takes down everything an engine with this configuration left on the machine: sandboxes with their containers, pods
/// with their volumes and logs, the bridge, the control groups, the volatile directory. Images and what else is in the
/// data directory stay. Blocking.
///
/// # Errors
/// If an engine runs with it: its pods are deleted through it first.
pub fn dismantle(config: Config) -> anyhow::Result<()> {
    let (machine, found) = prepare(config)?;
    take_down(&machine, found)
}

fn take_down(machine: &Machine, found: Vec<Survivor>) -> anyhow::Result<()> {
    for Survivor { pod, sandbox, old } in found {
        for attempt in old.into_iter().chain(sandbox) {
            recover::end(machine, &pod, attempt);
            ending::sandbox(machine, &pod, attempt, None);
        }
        ending::pod(machine, &pod);
    }
    Bridge::down(&machine.network)?;
    machine.cgroups.remove(&machine.cgroup);
    match fs::remove_dir_all(&machine.layout.run) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Everything of the start that blocks.
fn prepare(config: Config) -> anyhow::Result<(Machine, Vec<Survivor>)> {
    descriptors::take_all();
    for dir in [&config.data, &config.run, &config.images] {
        private_directory(dir).with_context(|| format!("making {}", dir.display()))?;
    }
    let lock = lock(&config.data)?;
    let bridge = Bridge::up(&config.network).context("bringing the bridge up")?;
    let store = Store::of(&config).context("opening the image store")?;
    let machine = Machine::new(config, lock, bridge, store)?;
    let found = recover::find(&machine);
    Ok((machine, found))
}

fn private_directory(dir: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// One engine per data directory (E5); the kernel lets go when it dies.
fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("runtime.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    let until = Instant::now() + LINGER;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() > until {
            anyhow::bail!(
                "another engine uses {}; stop it, or give this one a data directory of its own (it holds {})",
                data.display(),
                path.display()
            );
        }
        std::thread::sleep(PAUSE);
    }
    Ok(file)
}

/// Hands actions to the pods' tasks.
#[derive(Debug)]
struct Dispatcher {
    machine: Arc<Machine>,
    events: mpsc::Sender<(PodId, Event)>,
    pods: HashMap<String, Handle>,
    /// The same pods, for everybody to see.
    present: watch::Sender<BTreeSet<PodId>>,
    /// Tasks end with their pod once nothing of it is left.
    tasks: JoinSet<PodId>,
}

/// A pod's task.
#[derive(Debug)]
struct Handle {
    orders: mpsc::Sender<Do>,
    view: watch::Receiver<View>,
}

impl Dispatcher {
    async fn live(mut self, mut orders: mpsc::Receiver<(PodId, Do)>, mut asks: mpsc::Receiver<Ask>) {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some((pod, what)) => self.order(pod, what).await,
                    None => break,
                },
                Some(Ask { uid, reply }) = asks.recv() => {
                    let view = self.pods.get(&uid).map(|handle| handle.view.clone());
                    // Whoever asked may have gone away meanwhile.
                    let _ = reply.send(view);
                }
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(pod) => self.end(&pod),
                    Err(error) => tracing::error!(%error, "a pod's runtime task died; its pod is adopted at the next start"),
                },
            }
        }
        // Pods that are being forgotten are forgotten to the end; the others go on without us.
        self.pods.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    async fn order(&mut self, pod: PodId, what: Do) {
        let known = self.pods.get(&pod.uid).is_some_and(|handle| !handle.orders.is_closed());
        if !known {
            self.begin(&pod, Known::default());
        }
        if let Some(handle) = self.pods.get(&pod.uid) {
            // It ends only after a Forget, which is a pod's last action.
            let _ = handle.orders.send(what).await;
        }
    }

    fn begin(&mut self, pod: &PodId, known: Known) {
        let (orders, inbox) = mpsc::channel(QUEUE);
        let (task, view) = pod::Pod::new(pod.clone(), self.machine.clone(), self.events.clone(), known);
        self.tasks.spawn(task.live(inbox));
        self.pods.insert(pod.uid.clone(), Handle { orders, view });
        self.present.send_if_modified(|present| present.insert(pod.clone()));
    }

    fn end(&mut self, pod: &PodId) {
        self.pods.remove(&pod.uid);
        self.present.send_if_modified(|present| present.remove(pod));
    }
}
