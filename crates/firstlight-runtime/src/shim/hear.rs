//! What the engine asks: connections, requests, and who is told what.

use super::container::{Container, Life, Then};
use super::dial::{Dial, Outcome};
use super::door::{self, Peer, Role};
use super::run::{Purpose, Streams, Wanted};
use super::turn::Shim;
use crate::clock::now;
use crate::container::create::Places;
use crate::layout::instance_name;
use crate::wire::{self, Exec, Inbox, Order, Record, Refusal, Request, Told, VERSION};
use firstlight_pod::event::{Hook, Instance, ProbeKind, StartFailure, StopReason};
use rustix::fd::OwnedFd;
use rustix::process::Pid;
use std::io;
use std::time::{Duration, Instant};

/// How long no connection is taken after descriptors ran out: a door that cannot be answered must not be polled.
const DEAF: Duration = Duration::from_millis(100);

impl Shim {
    /// Somebody knocks.
    pub(super) fn knock(&mut self) {
        match door::accept(&self.listener, self.peers.len()) {
            Ok(Some(socket)) => {
                let id = self.fresh_id();
                if let Ok(peer) = Peer::new(id, Role::Unknown, socket, Inbox::default()) {
                    self.peers.push(peer);
                }
            }
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.deaf_until = Some(Instant::now() + DEAF),
        }
    }

    /// A connection can be read or written.
    pub(super) fn peer_ready(&mut self, id: u64) {
        let Some(peer) = self.peers.iter_mut().find(|p| p.id == id) else { return };
        if !peer.flush() || !peer.fill() {
            self.hang_up(id);
            return;
        }
        self.hear(id);
    }

    /// Handles every whole request of a connection.
    pub(super) fn hear(&mut self, id: u64) {
        while let Some(peer) = self.peers.iter_mut().find(|p| p.id == id) {
            match peer.take() {
                Ok(Some(request)) => self.asked(id, request),
                Ok(None) => return,
                Err(_) => self.hang_up(id),
            }
        }
    }

    fn asked(&mut self, id: u64, request: Request) {
        let Some(peer) = self.peers.iter_mut().find(|p| p.id == id) else { return };
        match (peer.role, request) {
            (Role::Unknown, Request::Hello { version: _, purpose }) => self.greeted(id, purpose),
            (Role::Control, request) => self.ordered(request),
            (Role::Unknown | Role::Session, _) => self.hang_up(id),
        }
    }

    fn greeted(&mut self, id: u64, purpose: wire::Purpose) {
        let Some(peer) = self.peers.iter_mut().find(|p| p.id == id) else { return };
        if purpose == wire::Purpose::Control {
            peer.role = Role::Control;
            // One engine at a time: the newest, or two would both obey an old one's orders.
            let older: Vec<u64> =
                self.peers.iter().filter(|p| p.role == Role::Control && p.id != id).map(|p| p.id).collect();
            older.into_iter().for_each(|id| self.hang_up(id));
            self.replay(id);
            return;
        }
        peer.role = Role::Session;
        let fds = peer.take_fds();
        let begun = match purpose {
            wire::Purpose::Exec(exec) => self.exec(id, exec, fds),
            wire::Purpose::Attach { container, streams } => self.attach(id, &container, streams, fds),
            wire::Purpose::Dial { port } => self.dial(id, port),
            wire::Purpose::Control => Ok(()),
        };
        if let Err((reason, message)) = begun {
            self.tell_last(id, &Told::Refused { reason, message });
        }
    }

    fn ordered(&mut self, request: Request) {
        match request {
            Request::Hello { .. } => {}
            Request::Create(order) => self.create(order),
            Request::Discard { instance } => self.discard(&instance),
            Request::Start { instance } => self.start(&instance),
            Request::Retire { instance, reason } => self.retire(instance, reason),
            Request::RestartAll { walk, because } => self.restart_all(walk, because),
            Request::Signal { instance, kill } => self.signal(&instance, kill),
            Request::Hook { instance, hook, command, timeout_ms } => self.hook(instance, hook, command, timeout_ms),
            Request::Probe { instance, probe, command, timeout_ms } => {
                self.probe(instance, probe, command, timeout_ms);
            }
            Request::End => self.end(),
        }
    }

    fn create(&mut self, order: Box<Order>) {
        let instance = order.instance.clone();
        if self.ending || self.over.contains(&instance) || self.containers.contains_key(&instance) {
            return;
        }
        let places = self.places(&instance);
        let Ok(target) = order.target.as_deref().map(|target| self.first_process(target)).transpose() else {
            let message =
                format!("container {:?} does not run: it has no processes to see", order.target.unwrap_or_default());
            return self.not_made(&instance, &places, StartFailure::Create, message);
        };
        // Whose processes it shares by name, or those of all.
        let target = target.or(self.holder.as_ref().map(|holder| holder.pid));
        if !self.facts.intend(Record::Creating { instance: instance.clone(), id: order.id.clone() }) {
            let message = "the sandbox's journal cannot be written; is the disk full?".to_owned();
            self.not_made(&instance, &places, StartFailure::Create, message);
            return;
        }
        match Container::create(self.alone, order, places.clone(), target, &self.cgroups) {
            Ok(container) => drop(self.containers.insert(instance, container)),
            Err(error) => self.not_made(&instance, &places, StartFailure::Create, format!("{error:#}")),
        }
    }

    fn places(&self, instance: &Instance) -> Places {
        let name = instance_name(instance);
        Places {
            pod_dir: self.config.pod_dir.clone(),
            dir: self.config.dir.join("containers").join(&name),
            run: self.config.run.join("containers").join(&name),
            root: self.config.run.join("root"),
            etc: self.config.dir.join("etc"),
            shm: self.config.run.join("shm"),
            cgroup: format!("{}/{name}", self.config.cgroup),
        }
    }

    /// The first process of a running container. It is this process's child and not waited for, so the number is its own
    /// at least until this process looks again.
    fn first_process(&self, container: &str) -> Result<Pid, (Refusal, String)> {
        let instance = self.running(container)?;
        let init = self.containers.get(&instance).and_then(Container::init);
        init.map(|init| init.pid).ok_or_else(|| (Refusal::NotRunning, String::new()))
    }

    fn discard(&mut self, instance: &Instance) {
        match self.containers.get_mut(instance) {
            None if self.over.contains(instance) => {}
            None => self.facts.add(Record::Discarded { instance: instance.clone() }),
            Some(container) => match &mut container.life {
                Life::Creating(_) => container.then = Then::Discard,
                Life::Created(init) => {
                    init.discarded = true;
                    init.signal(libc::SIGKILL);
                }
                // It ran: its end is an exit.
                Life::Starting { .. } | Life::Running { .. } => {}
            },
        }
    }

    /// Only what runs can be stopped: an end that was written first is the container's own.
    fn retire(&mut self, instance: Instance, reason: StopReason) {
        let runs = self.containers.get(&instance).is_some_and(|container| match container.life {
            Life::Running { .. } => true,
            Life::Creating(_) | Life::Created(_) | Life::Starting { .. } => false,
        });
        if runs {
            self.facts.add(Record::Retired { instance, reason, at: now() });
        }
    }

    /// Whatever is written after this belongs to the new walk, unless it tells of what was about to start before.
    fn restart_all(&mut self, walk: u32, because: Instance) {
        let begun = |record: &Record| matches!(record, Record::RestartAll { walk: begun, .. } if *begun >= walk);
        if !self.facts.all().iter().any(begun) {
            self.facts.add(Record::RestartAll { walk, because, at: now() });
        }
    }

    fn signal(&mut self, instance: &Instance, kill: bool) {
        let Some(container) = self.containers.get_mut(instance) else { return };
        let number = if kill { libc::SIGKILL } else { container.order.stop_signal };
        match container.init() {
            Some(init) => init.signal(number),
            None => container.then = Then::Discard,
        }
    }

    fn hook(&mut self, instance: Instance, hook: Hook, command: Vec<String>, timeout_ms: Option<u64>) {
        let purpose = Purpose::Hook(hook);
        if self.runs.values().any(|run| run.instance == instance && run.purpose == purpose) {
            return;
        }
        if let Err(message) = self.run_collected(&instance, purpose, command, timeout_ms) {
            self.facts.add(Record::HookDone { instance, hook, outcome: Err(message), at: now() });
        }
    }

    fn probe(&mut self, instance: Instance, probe: ProbeKind, command: Vec<String>, timeout_ms: u64) {
        let purpose = Purpose::Probe(probe);
        if self.runs.values().any(|run| run.instance == instance && run.purpose == purpose) {
            return;
        }
        if let Err(message) = self.run_collected(&instance, purpose, command, Some(timeout_ms)) {
            self.tell_control(&Told::Probed { instance, probe, outcome: Err(message), at: now() });
        }
    }

    fn run_collected(
        &mut self,
        instance: &Instance,
        purpose: Purpose,
        command: Vec<String>,
        timeout_ms: Option<u64>,
    ) -> Result<(), String> {
        let deadline = timeout_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        let wanted = Wanted { command, streams: Streams::Collected, deadline };
        self.run_in(instance, purpose, wanted)
    }

    fn exec(&mut self, id: u64, exec: Exec, fds: Vec<OwnedFd>) -> Result<(), (Refusal, String)> {
        let Exec { container, command, tty, streams } = exec;
        let instance = self.running(&container)?;
        let streams = if tty {
            Streams::Terminal
        } else {
            let mut fds = fds.into_iter();
            let mut next = |wanted: bool| if wanted { fds.next() } else { None };
            Streams::Given { stdin: next(streams.stdin), stdout: next(streams.stdout), stderr: next(streams.stderr) }
        };
        let wanted = Wanted { command, streams, deadline: None };
        self.run_in(&instance, Purpose::Session(id), wanted).map_err(|message| (Refusal::Failed, message))
    }

    fn attach(
        &mut self,
        id: u64,
        container: &str,
        streams: wire::Streams,
        fds: Vec<OwnedFd>,
    ) -> Result<(), (Refusal, String)> {
        let instance = self.running(container)?;
        let Some(container) = self.containers.get_mut(&instance) else { return Ok(()) };
        let failed = |error: io::Error| (Refusal::Failed, error.to_string());
        container.streams.attach(id, streams, fds).map_err(failed)?;
        let terminal = container.streams.terminal().map(|fd| fd.try_clone_to_owned()).transpose().map_err(failed)?;
        self.tell(id, &Told::Begun, terminal.into_iter().collect());
        Ok(())
    }

    fn dial(&mut self, id: u64, port: u16) -> Result<(), (Refusal, String)> {
        let dial = Dial::begin(id, port).map_err(|error| (Refusal::Failed, error.to_string()))?;
        let number = self.fresh_id();
        self.dials.insert(number, dial);
        Ok(())
    }

    /// A connection into the pod's network is made, or not.
    pub(super) fn dialled(&mut self, number: u64) {
        let Some(dial) = self.dials.remove(&number) else { return };
        let peer = dial.peer;
        match dial.outcome() {
            Ok(Outcome::Connected(socket)) => self.tell(peer, &Told::Begun, vec![socket]),
            Ok(Outcome::Again(dial)) => drop(self.dials.insert(number, dial)),
            Err(error) => {
                self.tell_last(peer, &Told::Refused { reason: Refusal::Failed, message: error.to_string() });
            }
        }
    }

    /// Nobody answers at the port.
    pub(super) fn dial_late(&mut self, number: u64) {
        let Some(dial) = self.dials.remove(&number) else { return };
        let message = "connection timed out".to_owned();
        self.tell_last(dial.peer, &Told::Refused { reason: Refusal::Failed, message });
    }

    /// The running instance of a container.
    fn running(&self, container: &str) -> Result<Instance, (Refusal, String)> {
        let newest = self.containers.iter().rev().find(|(instance, _)| instance.container == container);
        match newest {
            Some((instance, Container { life: Life::Running { .. }, .. })) => Ok(instance.clone()),
            Some(_) => Err((Refusal::NotRunning, format!("container {container:?} is not running"))),
            None if self.over.iter().any(|instance| instance.container == container) => {
                Err((Refusal::NotRunning, format!("container {container:?} has ended")))
            }
            None => Err((Refusal::NotFound, format!("container {container:?} has not started yet"))),
        }
    }

    /// Ends everything; the loop ends when it has.
    fn end(&mut self) {
        self.ending = true;
        for container in self.containers.values_mut() {
            match &container.life {
                Life::Creating(_) => container.then = Then::Discard,
                Life::Created(init) | Life::Starting { init, .. } | Life::Running { init, .. } => {
                    init.signal(libc::SIGKILL);
                }
            }
        }
        self.runs.values_mut().for_each(super::run::Run::kill);
    }

    /// Tells a connection everything so far.
    pub(super) fn replay(&mut self, id: u64) {
        // Whoever else listens must not miss what was written but not told yet.
        self.tell_fresh();
        let Some(peer) = self.peers.iter_mut().find(|p| p.id == id) else { return };
        let told = self.facts.all().iter().cloned().map(Told::Record).chain([Told::Live { version: VERSION }]);
        let mut open = true;
        for told in told {
            open = open && peer.tell(&told, Vec::new());
        }
        if !open {
            self.hang_up(id);
        }
    }

    /// Tells the engine what was written since the last time.
    pub(super) fn tell_fresh(&mut self) {
        for record in self.facts.take_fresh() {
            self.tell_control(&Told::Record(record));
        }
    }

    /// Tells the engine, if one is connected.
    pub(super) fn tell_control(&mut self, told: &Told) {
        if let Some(id) = self.peers.iter().find(|p| p.role == Role::Control).map(|p| p.id) {
            self.tell(id, told, Vec::new());
        }
    }

    /// Tells one connection.
    pub(super) fn tell(&mut self, id: u64, told: &Told, fds: Vec<OwnedFd>) {
        if self.peers.iter_mut().find(|p| p.id == id).is_some_and(|peer| !peer.tell(told, fds)) {
            self.hang_up(id);
        }
    }

    /// Tells one connection something and closes it.
    pub(super) fn tell_last(&mut self, id: u64, told: &Told) {
        if self.peers.iter_mut().find(|p| p.id == id).is_some_and(|peer| !peer.tell_last(told)) {
            self.hang_up(id);
        }
    }

    /// A number nothing else has.
    pub(super) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Lets a connection go, with what it began.
    fn hang_up(&mut self, id: u64) {
        self.peers.retain(|p| p.id != id);
        self.dials.retain(|_, dial| dial.peer != id);
        self.containers.values_mut().for_each(|c| c.streams.detach(id));
        for run in self.runs.values_mut().filter(|run| run.purpose == Purpose::Session(id)) {
            run.kill();
        }
    }
}
