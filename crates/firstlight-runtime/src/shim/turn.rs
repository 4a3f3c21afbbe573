//! The shim's one loop: wait until something happens, let the file it belongs to handle it, tell the engine.

use super::container::{Container, Creator, Life};
use super::dial::Dial;
use super::door::{Peer, Role};
use super::journaled::Facts;
use super::run::Run;
use super::sandbox::Made;
use super::streams::Part;
use crate::clock::now;
use crate::container::cgroup::Cgroups;
use crate::sys::fork::{Alone, Child};
use crate::wire::{Inbox, Record, Sandbox};
use firstlight_pod::event::Instance;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long an ending shim tries to send its last words.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A running shim.
#[derive(Debug)]
pub(crate) struct Shim {
    /// It may fork.
    pub(super) alone: Alone,
    /// What the sandbox was made from.
    pub(super) config: Sandbox,
    /// What happened.
    pub(super) facts: Facts,
    /// Where engines knock.
    pub(super) listener: UnixListener,
    /// When to listen there again, after descriptors ran out.
    pub(super) deaf_until: Option<Instant>,
    /// The machine's cgroups.
    pub(super) cgroups: Cgroups,
    /// Connections.
    pub(super) peers: Vec<Peer>,
    /// The next connection's or run's number.
    pub(super) next_id: u64,
    /// Containers that are not over.
    pub(super) containers: BTreeMap<Instance, Container>,
    /// Instances that are: never made again (E5).
    pub(super) over: BTreeSet<Instance>,
    /// What holds the processes of containers together that share them.
    pub(super) holder: Option<Child>,
    /// Further processes in containers.
    pub(super) runs: BTreeMap<u64, Run>,
    /// Connections being made into the pod's network.
    pub(super) dials: BTreeMap<u64, Dial>,
    /// Creators that have reported and are about to exit.
    pub(super) leaving: Vec<Child>,
    /// Cleaning up that can wait until nothing else is to be done.
    pub(super) chores: VecDeque<Chore>,
    /// Told to end.
    pub(super) ending: bool,
}

/// What is left of a container that is over.
#[derive(Debug)]
pub(super) struct Chore {
    /// Its cgroup.
    pub(super) cgroup: String,
    /// Its volatile directory.
    pub(super) run: PathBuf,
}

/// Where something can happen.
#[derive(Debug, Clone)]
enum Source {
    Door,
    Peer(u64),
    Report(Instance),
    CreatorEnd(Instance),
    Gate(Instance),
    End(Instance),
    Stream(Instance, Part),
    RunReport(u64),
    JoinerEnd(u64),
    RunGate(u64),
    RunEnd(u64),
    RunOutput(u64),
    Dialled(u64),
    Left,
}

/// What one turn waits for.
#[derive(Default)]
struct Interests<'a> {
    sources: Vec<Source>,
    fds: Vec<PollFd<'a>>,
}

impl<'a> Interests<'a> {
    fn add(&mut self, source: Source, fd: BorrowedFd<'a>, flags: PollFlags) {
        self.sources.push(source);
        self.fds.push(PollFd::from_borrowed_fd(fd, flags));
    }
}

impl Shim {
    /// A shim over a sandbox just made, with its engine connected.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(crate) fn new(made: Made, engine: OwnedFd, inbox: Inbox) -> anyhow::Result<Shim> {
        let Made { config, journal, listener, cgroups, holder } = made;
        let mut shim = Shim {
            alone: Alone::check()?,
            config,
            holder,
            facts: Facts::new(journal),
            listener,
            deaf_until: None,
            cgroups,
            peers: vec![Peer::new(0, Role::Control, engine, inbox)?],
            next_id: 1,
            containers: BTreeMap::new(),
            over: BTreeSet::new(),
            runs: BTreeMap::new(),
            dials: BTreeMap::new(),
            leaving: Vec::new(),
            chores: VecDeque::new(),
            ending: false,
        };
        shim.replay(0);
        // Orders may have come in one piece with the sandbox's.
        shim.hear(0);
        Ok(shim)
    }

    /// Lives until told to end.
    ///
    /// # Errors
    /// If the kernel refuses to wait.
    pub(crate) fn live(mut self) -> anyhow::Result<()> {
        while !(self.ending && self.containers.is_empty() && self.runs.is_empty()) {
            let now = Instant::now();
            self.facts.retry(now);
            self.expire(now);
            self.tell_fresh();
            for source in self.wait(now)? {
                self.handle(source);
            }
        }
        self.leave();
        Ok(())
    }

    /// Waits until something happens or it is time for something; does one chore if nothing does.
    fn wait(&mut self, now: Instant) -> anyhow::Result<Vec<Source>> {
        let timeout = match self.chores.is_empty() {
            true => self.next_deadline().map(|at| at.saturating_duration_since(now)),
            false => Some(Duration::ZERO),
        };
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        let Interests { sources, mut fds } = self.interests();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let happened: Vec<Source> = sources
            .into_iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(source, _)| source)
            .collect();
        drop(fds);
        if happened.is_empty() {
            self.do_chore();
        }
        Ok(happened)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let runs = self.runs.values().filter_map(|run| run.deadline);
        let dials = self.dials.values().map(|dial| dial.deadline);
        runs.chain(dials).chain(self.facts.again()).chain(self.deaf_until).min()
    }

    /// Requests last: what happened before them is known before they are judged.
    fn interests(&self) -> Interests<'_> {
        let mut all = Interests::default();
        for (instance, container) in &self.containers {
            container_interests(instance, container, &mut all);
        }
        for (&id, run) in &self.runs {
            run_interests(id, run, &mut all);
        }
        for (&id, dial) in &self.dials {
            all.add(Source::Dialled(id), dial.socket.as_fd(), PollFlags::OUT);
        }
        for child in &self.leaving {
            all.add(Source::Left, child.pidfd.as_fd(), PollFlags::IN);
        }
        for peer in &self.peers {
            let (socket, flags) = peer.interest();
            all.add(Source::Peer(peer.id), socket.as_fd(), flags);
        }
        if self.deaf_until.is_none() {
            all.add(Source::Door, self.listener.as_fd(), PollFlags::IN);
        }
        all
    }

    fn handle(&mut self, source: Source) {
        match source {
            Source::Door => self.knock(),
            Source::Peer(id) => self.peer_ready(id),
            Source::Report(instance) => self.creator_reports(&instance),
            Source::CreatorEnd(instance) => self.creator_ends(&instance),
            Source::Gate(instance) => self.gate(&instance),
            Source::End(instance) => self.init_ends(&instance),
            Source::Stream(instance, part) => {
                if let Some(container) = self.containers.get_mut(&instance) {
                    container.streams.ready(part, &mut container.log);
                }
            }
            Source::RunReport(id) | Source::RunGate(id) => self.run_progresses(id),
            Source::JoinerEnd(id) => self.joiner_ends(id),
            Source::RunEnd(id) => self.run_ends(id),
            Source::RunOutput(id) => {
                if let Some(run) = self.runs.get_mut(&id) {
                    run.collect();
                }
            }
            Source::Dialled(id) => self.dialled(id),
            Source::Left => self.reap_leaving(),
        }
    }

    /// Does what it is time for.
    fn expire(&mut self, now: Instant) {
        self.deaf_until = self.deaf_until.filter(|&until| until > now);
        for run in self.runs.values_mut().filter(|run| run.deadline.is_some_and(|at| at <= now)) {
            run.deadline = None;
            run.timed_out = true;
            run.kill();
        }
        let late: Vec<u64> = self.dials.iter().filter(|(_, dial)| dial.deadline <= now).map(|(&id, _)| id).collect();
        late.into_iter().for_each(|id| self.dial_late(id));
    }

    fn do_chore(&mut self) {
        if let Some(chore) = self.chores.pop_front() {
            self.take_away(&chore);
        }
        self.sweep();
    }

    pub(super) fn take_away(&self, chore: &Chore) {
        let Chore { cgroup, run } = chore;
        self.cgroups.remove(cgroup);
        let _ = std::fs::remove_dir_all(run);
    }

    /// Says that the sandbox is gone, then takes down what the engine need not wait for.
    fn leave(&mut self) {
        self.facts.conclude(Record::Gone { at: now() });
        self.tell_fresh();
        let until = Instant::now() + LAST_WORDS;
        while self.peers.iter().any(Peer::has_pending) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
            self.peers.retain_mut(Peer::flush);
        }
        while !self.chores.is_empty() {
            self.do_chore();
        }
    }
}

fn container_interests<'a>(instance: &Instance, container: &'a Container, all: &mut Interests<'a>) {
    match &container.life {
        Life::Creating(Creator { child, report, .. }) => {
            all.add(Source::Report(instance.clone()), report.as_fd(), PollFlags::IN);
            all.add(Source::CreatorEnd(instance.clone()), child.pidfd.as_fd(), PollFlags::IN);
        }
        Life::Created(init) | Life::Starting { init, .. } | Life::Running { init, .. } => {
            if let Some(gate) = &init.gate {
                all.add(Source::Gate(instance.clone()), gate.as_fd(), PollFlags::IN);
            }
            container.streams.interests(|part, fd, flags| all.add(Source::Stream(instance.clone(), part), fd, flags));
            all.add(Source::End(instance.clone()), init.pidfd.as_fd(), PollFlags::IN);
        }
    }
}

fn run_interests<'a>(id: u64, run: &'a Run, all: &mut Interests<'a>) {
    let sources = [
        (Source::RunReport(id), run.report.as_ref()),
        (Source::RunGate(id), run.gate.as_ref()),
        (Source::RunOutput(id), run.output.as_ref()),
        (Source::JoinerEnd(id), run.joiner.as_ref().map(|c| &c.pidfd)),
        (Source::RunEnd(id), run.process.as_ref().map(|c| &c.pidfd)),
    ];
    for (source, fd) in sources {
        if let Some(fd) = fd {
            all.add(source, fd.as_fd(), PollFlags::IN);
        }
    }
}
