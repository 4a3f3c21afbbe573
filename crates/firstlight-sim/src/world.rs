//! What happens in one life, engine after engine?

use crate::flaw::Flaw;
use crate::kernel::Kernel;
use crate::luck::Luck;
use crate::manifest::NODE;
use crate::people::{self, People, Wish};
use crate::reader::{self, Reader};
use firstlight_api::object::resources;
use firstlight_node::{Channels, Clock, Node, NodeConfig};
use firstlight_pod::spec::Backoff;
use firstlight_pod::{Do, Millis, Now, PodId};
use firstlight_store::memory::{Fate, Memory};
use firstlight_store::{Options, Revision, Store, Watch, Write};
use std::time::Duration;
use tokio::sync::mpsc;

/// When every life begins: 2026-11-20T11:00:00Z.
const BEGINNING: Now = Now(1_795_172_400_000);

/// How many engines a life has before it is calm, at most, and how long each of them lives, at most.
const ENGINES: u64 = 6;
const ENGINE_LIFE: Millis = Millis::secs(40);

/// How long a pod may take to come to what it was asked for once all is calm: the longest back-off of an image
/// (IMG-6), and some.
const CALM: Millis = Millis::secs(700);

/// How long a deleted pod may take to be gone: the longest grace, a hook, the runtime's floor, and some.
const ENDING: Millis = Millis::secs(90);

/// The longest crash back-off: short, so that lives are (BKF-9).
const BACKOFF: Millis = Millis::secs(10);

/// Actions and events on their way: more than a life has, so that this world never waits for the node.
const QUEUE: usize = 1 << 16;

/// How the next engine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    Stopped,
    Reboot,
}

/// A life that was lived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Life {
    /// What was broken, in order; empty if nothing was.
    pub violations: Vec<String>,
    /// What happened, line by line.
    pub told: Vec<String>,
}

/// Lives the life of this seed to its end, or to the first thing that is broken.
///
/// # Panics
/// If tokio cannot make a runtime of one thread.
#[must_use]
pub fn live(seed: u64, flaw: Option<Flaw>) -> Life {
    let mut world = World::new(seed, flaw);
    for _ in 0..=world.luck.below(ENGINES) {
        let length = Millis(world.luck.below(ENGINE_LIFE.0));
        let end = *world.luck.one(&[End::Killed, End::Killed, End::Stopped, End::Reboot]);
        world.engine(length, end);
        if world.is_broken() {
            return world.life;
        }
    }
    world.calms_down();
    world.life
}

struct World {
    luck: Luck,
    seed: u64,
    flaw: Option<Flaw>,
    now: Now,
    memory: Memory,
    kernel: Kernel,
    people: People,
    reader: Reader,
    /// What was acknowledged to people: a later engine must have it (E1).
    acknowledged: Revision,
    engines: u64,
    life: Life,
}

/// What one engine is asked to live through.
struct Chapter {
    until: Now,
    end: End,
    /// Whether people act and sandboxes die meanwhile.
    busy: bool,
    /// Whether people delete everything at its start.
    deletes: bool,
}

impl World {
    fn new(seed: u64, flaw: Option<Flaw>) -> World {
        World {
            luck: Luck::of(seed, 1),
            seed,
            flaw,
            now: BEGINNING,
            memory: Memory::default(),
            kernel: Kernel::new(Luck::of(seed, 2), flaw),
            people: People::new(Luck::of(seed, 3)),
            reader: Reader::default(),
            acknowledged: Revision(0),
            engines: 0,
            life: Life::default(),
        }
    }

    fn engine(&mut self, length: Millis, end: End) {
        let until = self.now.plus(length);
        self.chapter(&Chapter { until, end, busy: true, deletes: false });
        // Nobody watches for a while.
        let pause = self.luck.about(Millis(2000));
        self.now = self.now.plus(pause);
        self.kernel.pass(self.now);
    }

    /// Safety was all that had to hold so far. From here on every pod comes to its end as well.
    fn calms_down(&mut self) {
        self.kernel.calm = true;
        let until = self.now.plus(CALM);
        self.chapter(&Chapter { until, end: End::Stopped, busy: false, deletes: false });
        if self.is_broken() {
            return;
        }
        let until = self.now.plus(ENDING);
        self.chapter(&Chapter { until, end: End::Stopped, busy: false, deletes: true });
        let left = self.kernel.pods();
        if !left.is_empty() {
            self.broken(format!("{left:?} are on the machine though all pods are deleted (E4)"));
        }
    }

    /// One engine, from its start to its end.
    fn chapter(&mut self, chapter: &Chapter) {
        self.engines += 1;
        let before = if self.flaw == Some(Flaw::StoreForgets) { Some(self.memory.copy()) } else { None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime of one thread");
        runtime.block_on(self.lives(chapter));
        // Every task of the engine ends where it waits.
        drop(runtime);
        match chapter.end {
            End::Reboot => self.kernel.reboots(),
            End::Killed | End::Stopped => self.kernel.engine_dies(),
        }
        if let (Some(before), End::Killed) = (before, chapter.end) {
            self.memory = before;
        }
    }

    async fn lives(&mut self, chapter: &Chapter) {
        let clock = Clock::from(self.now);
        let store = Store::in_memory(&self.memory, Options::default(), disk(self.seed, self.engines, chapter.busy));
        if store.revision() < self.acknowledged {
            let was = self.acknowledged;
            self.broken(format!("{was:?} was acknowledged and is lost (E1)"));
            return;
        }
        let mut watch = self.reads_all(&store);
        let (do_, mut actions) = mpsc::channel(QUEUE);
        let (events, happened) = mpsc::channel(QUEUE);
        let (acknowledge, mut acknowledged) = mpsc::unbounded_channel();
        let recovered = self.kernel.recovered();
        self.tell(format!("engine {} begins; {} pods are on the machine", self.engines, recovered.len()));
        let config = NodeConfig {
            name: NODE.to_owned(),
            host_ip: "10.88.0.1".to_owned(),
            backoff: Backoff::default().at_most(BACKOFF),
            clock,
        };
        let node = Node::start(config, store.clone(), Channels { actions: do_, events: happened }, recovered);
        if !chapter.busy {
            let all = if chapter.deletes { self.deletes_all(&store) } else { Vec::new() };
            for write in all.into_iter().chain(people::config(&store, true)) {
                // Somebody wrote in between: asked again by the next reading below.
                let _ = store.commit(write).await;
            }
        }
        let (mut pause, mut wish) = self.people.next();
        let mut acts = clock.now().plus(pause);
        loop {
            let now = clock.now();
            self.now = now;
            if now >= chapter.until || self.is_broken() {
                break;
            }
            for (pod, event) in self.kernel.pass(now) {
                self.tell(format!("{} {event:?}", pod.uid));
                // It has room for everything.
                let _ = events.try_send((pod, event));
            }
            while let Ok(revision) = acknowledged.try_recv() {
                self.acknowledged = self.acknowledged.max(revision);
            }
            self.reads(&mut watch);
            if chapter.busy && now >= acts {
                self.acts(&wish, &store, now, &acknowledge);
                (pause, wish) = self.people.next();
                acts = now.plus(pause);
            }
            if chapter.deletes {
                for write in self.deletes_all(&store) {
                    let _ = store.commit(write).await;
                }
            }
            let next = [self.kernel.next(), chapter.busy.then_some(acts), Some(chapter.until)];
            let next = next.into_iter().flatten().min().unwrap_or(chapter.until);
            tokio::select! {
                biased;
                asked = actions.recv() => if let Some((pod, what)) = asked {
                    self.performs(&pod, what, clock.now());
                },
                () = tokio::time::sleep(Duration::from_millis(next.since(clock.now()).0)) => {}
            }
        }
        self.reads(&mut watch);
        if chapter.end == End::Stopped {
            // What it asks for while it stops is asked of nobody, as of a runtime that has ended.
            drop(actions);
            node.stop().await;
            self.reads(&mut watch);
        }
        if !chapter.busy {
            self.judges(&store, chapter.deletes);
        }
    }

    fn performs(&mut self, pod: &PodId, what: Do, now: Now) {
        self.tell(format!("{} {}", pod.uid, in_short(&what)));
        self.kernel.perform(pod, what, now);
    }

    fn acts(&mut self, wish: &Wish, store: &Store, now: Now, acknowledge: &mpsc::UnboundedSender<Revision>) {
        self.tell(format!("people: {wish:?}"));
        if self.luck.happens(60) {
            self.kernel.some_sandbox_dies();
        }
        let Some(write) = self.people.write(wish, store, &mut self.kernel.witness, now) else { return };
        let (store, acknowledge) = (store.clone(), acknowledge.clone());
        tokio::spawn(async move {
            if let Ok(object) = store.commit(write).await {
                // The world may have gone on without this engine.
                let _ = acknowledge.send(object.revision);
            }
        });
    }

    fn deletes_all(&self, store: &Store) -> Vec<Write> {
        let now = self.now;
        let pods = store.list(resources::PODS, None).items;
        let stay = pods.iter().filter(|pod| !reader::is_going(&pod.value));
        stay.map(|pod| people::delete(pod.revision, pod.value.clone(), None, now)).collect()
    }

    /// A reader that begins with what is there, as after a 410.
    fn reads_all(&mut self, store: &Store) -> Watch {
        let snapshot = store.snapshot();
        let pods = snapshot.list(resources::PODS, None).items;
        self.reader.list(&pods, &mut self.kernel.witness, self.now);
        store.watch(resources::PODS, None, snapshot.revision()).expect("nothing is older than the latest")
    }

    fn reads(&mut self, watch: &mut Watch) {
        while let Ok(Some(change)) = watch.try_next() {
            let pod = &change.object.value;
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
            let says = if change.deleted { "it is gone".to_owned() } else { reader::in_short(pod) };
            self.tell(format!("{uid} API {}: {says}", change.revision.0));
            self.reader.read(pod, change.deleted, &mut self.kernel.witness, self.now);
        }
    }

    fn judges(&mut self, store: &Store, deleted: bool) {
        for pod in store.list(resources::PODS, None).items {
            if deleted {
                self.broken(format!("{} is deleted and never goes", pod.key.name));
            } else if !reader::is_going(&pod.value) {
                self.reader.judge(&pod, &self.kernel.witness);
            }
        }
        self.is_broken();
    }

    fn is_broken(&mut self) -> bool {
        self.life.violations.append(&mut self.kernel.witness.violations);
        self.life.violations.append(&mut self.reader.violations);
        !self.life.violations.is_empty()
    }

    fn broken(&mut self, what: String) {
        self.life.violations.push(what);
    }

    fn tell(&mut self, line: String) {
        let at = self.now.since(BEGINNING).0;
        self.life.told.push(format!("{at:>8} {line}"));
    }
}

fn in_short(what: &Do) -> String {
    match what {
        Do::PrepareVolumes { .. } => "PrepareVolumes".to_owned(),
        Do::CreateSandbox { attempt, .. } => format!("CreateSandbox {attempt}"),
        Do::Create { instance, launch, ahead, .. } => format!("Create {instance:?} {} ahead: {ahead}", launch.image),
        Do::Pull { .. }
        | Do::Discard { .. }
        | Do::Start { .. }
        | Do::Hook { .. }
        | Do::Probe { .. }
        | Do::Retire { .. }
        | Do::RestartAll { .. }
        | Do::Signal { .. }
        | Do::RemoveSandbox { .. }
        | Do::Forget => format!("{what:?}"),
    }
}

/// The disk of one engine's life: slow at times, and at times it refuses.
fn disk(seed: u64, engine: u64, busy: bool) -> impl FnMut() -> Fate + Send + 'static {
    let mut luck = Luck::of(seed, 100 + engine);
    move || {
        let before = Duration::from_millis(luck.about(Millis(4)).0);
        let after = Duration::from_millis(luck.about(Millis(2)).0);
        let refused = luck.happens(20) && busy;
        Fate { before, after, refused: refused.then(|| "the disk is full".to_owned()) }
    }
}
