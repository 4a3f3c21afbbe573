//! What did an earlier engine leave? Asked once at the start, and whenever a shim turns out to be dead.
//!
//! Shims and their containers outlive the engine, so most of this is finding them and listening to their journals
//! again. A shim that is dead has a journal too: containers that ran under it are ended, because nobody is left to
//! see their end, and reported with an exit that is not known (fault rows 5 and 6). Stored state is never trusted
//! to make sense: what does not is reported and taken down, not asserted on.

use crate::clock::now;
use crate::journal::{self, Found};
use crate::layout;
use crate::runtime::{Known, Link, Machine, View};
use crate::wire::{OLDEST, Purpose, Record, Told};
use firstlight_pod::event::{Exit, Instance};
use firstlight_pod::{Event, Now, PodId, garbage};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a shim may take to answer before it is taken for broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pod with something on this machine.
#[derive(Debug)]
pub(crate) struct Survivor {
    /// Whose.
    pub(crate) pod: PodId,
    /// Its newest sandbox, if it has one.
    pub(crate) sandbox: Option<u32>,
    /// Older ones, being taken down when the engine died.
    pub(crate) old: Vec<u32>,
}

/// Finds every pod, and ends what belongs to none.
pub(crate) fn find(machine: &Machine) -> Vec<Survivor> {
    let dirs = fs::read_dir(machine.layout.pods()).into_iter().flatten().flatten();
    let survivors: Vec<Survivor> = dirs.filter_map(|entry| survivor(machine, &entry.path())).collect();
    end_strays(machine, &survivors);
    survivors
}

fn survivor(machine: &Machine, dir: &Path) -> Option<Survivor> {
    let uid = dir.file_name()?.to_str()?.to_owned();
    let Some(pod) = owner(machine, &uid) else {
        // Its name was never written, so nothing was made in it yet.
        tracing::warn!(%uid, "a pod's directory without a name is removed");
        let _ = crate::volumes::remove(dir);
        let _ = fs::remove_dir_all(dir);
        return None;
    };
    let sandboxes: BTreeSet<u32> = layout::sandboxes(dir).into_iter().collect();
    let old = garbage::sandboxes(&sandboxes, None);
    Some(Survivor { pod, sandbox: sandboxes.last().copied(), old: old.into_iter().collect() })
}

fn owner(machine: &Machine, uid: &str) -> Option<PodId> {
    let text = fs::read_to_string(machine.layout.pod_file(uid)).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    let field = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    let pod = PodId { namespace: field("namespace")?, name: field("name")?, uid: field("uid")? };
    (pod.uid == uid).then_some(pod)
}

/// Processes, groups and directories whose pod is not here any more (E4).
fn end_strays(machine: &Machine, survivors: &[Survivor]) {
    let known: BTreeSet<&str> = survivors.iter().map(|s| s.pod.uid.as_str()).collect();
    for uid in machine.cgroups.children(&machine.cgroup).iter().filter(|uid| !known.contains(uid.as_str())) {
        let group = machine.pod_cgroup(uid);
        tracing::warn!(%uid, "ending what is left of a pod that is not here any more");
        if let Err(error) = machine.cgroups.kill(&group) {
            tracing::warn!(%uid, %error, "some of it does not end");
        }
        machine.cgroups.remove(&group);
    }
    for entry in fs::read_dir(machine.layout.sandboxes()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.rsplit_once('-').is_none_or(|(uid, _)| !known.contains(uid)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let logs: Vec<String> = fs::read_dir(machine.layout.all_logs())
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    // `NAMESPACE_NAME_UID`, and none of them has an underscore in it.
    let uids = logs.iter().filter_map(|name| name.rsplit('_').next());
    let gone: BTreeSet<&str> = garbage::logs(uids, &known).into_iter().collect();
    for name in logs.iter().filter(|name| name.rsplit('_').next().is_some_and(|uid| gone.contains(uid))) {
        let _ = fs::remove_dir_all(machine.layout.all_logs().join(name));
    }
}

/// Connects to a survivor's sandbox again, or buries it. Answers with what the pod's task needs and what happened so
/// far, as events.
pub(crate) async fn adopt(
    machine: &Arc<Machine>,
    pod: &PodId,
    sandbox: Option<u32>,
    old: Vec<u32>,
) -> (Known, Vec<Event>) {
    let Some(attempt) = sandbox else {
        return (Known { leftovers: old, ..Known::default() }, Vec::new());
    };
    match connect(machine, pod, attempt).await {
        Ok((live, events)) => {
            let view = view(Some(attempt), &events);
            (Known { sandbox: Some(live), view, leftovers: old }, events)
        }
        Err(error) => {
            tracing::info!(pod = %pod.name, attempt, %error, "the sandbox's shim does not answer");
            let events = bury(machine, pod, attempt, 0).await;
            let leftovers = old.into_iter().chain([attempt]).collect();
            (Known { sandbox: None, view: view(None, &events), leftovers }, events)
        }
    }
}

async fn connect(machine: &Machine, pod: &PodId, attempt: u32) -> io::Result<(crate::runtime::Live, Vec<Event>)> {
    let dir = machine.layout.sandbox(&pod.uid, attempt);
    if journal::writer(&dir)?.is_none() {
        return Err(io::Error::other("it is dead"));
    }
    let run = machine.layout.sandbox_run(&pod.uid, attempt);
    let mut link = Link::knock(&run, Purpose::Control, Vec::new()).await?;
    let (version, records) = tokio::time::timeout(PATIENCE, replayed(&mut link)).await??;
    let mut events = Vec::new();
    for record in &records {
        if let Record::Ready { pod_ip, .. } = record
            && let Ok(address) = pod_ip.parse()
        {
            machine.adopt_address(&pod.uid, attempt, address);
        }
        events.extend(record.event(attempt));
    }
    if events.iter().any(|event| matches!(event, Event::SandboxGone { .. })) {
        return Err(io::Error::other("it is ending"));
    }
    let hostname = fs::read_to_string(dir.join("etc/hostname"))?.trim_end().to_owned();
    let live = crate::runtime::Live { attempt, version, link, child: None, hostname, told: records.len(), skip: 0 };
    Ok((live, events))
}

/// The shim's version and its journal.
async fn replayed(link: &mut Link) -> io::Result<(u32, Vec<Record>)> {
    let mut records = Vec::new();
    loop {
        match link.next().await? {
            Some(Told::Record(record)) => records.push(record),
            Some(Told::Live { version }) if version >= OLDEST => return Ok((version, records)),
            Some(Told::Live { version }) => {
                return Err(io::Error::other(format!("it speaks protocol {version}, this engine {OLDEST} and newer")));
            }
            Some(_) => {}
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Ends a sandbox whose shim is dead or broken, and says what its journal and its end mean, leaving out what the
/// first `told` records said already.
pub(crate) async fn bury(machine: &Arc<Machine>, pod: &PodId, attempt: u32, told: usize) -> Vec<Event> {
    let (machine, pod) = (machine.clone(), pod.clone());
    tokio::task::spawn_blocking(move || bury_now(&machine, &pod, attempt, told)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "burying a sandbox died");
        vec![Event::SandboxGone { attempt, at: Now(now()) }]
    })
}

fn bury_now(machine: &Machine, pod: &PodId, attempt: u32, told: usize) -> Vec<Event> {
    let mut records = end(machine, pod, attempt);
    if !records.iter().any(|record| matches!(record, Record::Gone { .. })) {
        let mut rest = unseen_ends(&records);
        rest.push(Record::Gone { at: now() });
        // Every later engine tells the same ends. Where they cannot be written it tells others: unseen as well.
        if let Err(error) = journal::complete(&machine.layout.sandbox(&pod.uid, attempt), &rest) {
            tracing::warn!(pod = %pod.name, attempt, %error, "writing down the end of a sandbox that died");
        }
        records.extend(rest);
    }
    records.iter().skip(told).filter_map(|record| record.event(attempt)).collect()
}

/// Kills a sandbox's shim and whatever runs in it, and answers with its journal, complete now.
pub(crate) fn end(machine: &Machine, pod: &PodId, attempt: u32) -> Vec<Record> {
    let dir = machine.layout.sandbox(&pod.uid, attempt);
    let found = journal::read(&dir).unwrap_or(Found { records: Vec::new(), writer: None });
    found.writer.into_iter().for_each(kill);
    let group = machine.pod_cgroup(&pod.uid);
    let names = found.records.iter().filter_map(Record::creating).map(layout::instance_name);
    for name in names.chain([format!("shim-{attempt}")]) {
        if let Err(error) = machine.cgroups.kill(&format!("{group}/{name}")) {
            tracing::warn!(pod = %pod.name, %error, "some processes of a dead sandbox do not end");
        }
    }
    // A shim that was killed just now may have written more meanwhile.
    journal::read(&dir).map_or(found.records, |found| found.records)
}

/// The ends nobody saw: of every container that was started, or may have been.
fn unseen_ends(records: &[Record]) -> Vec<Record> {
    let mut ids: BTreeMap<Instance, String> = BTreeMap::new();
    let mut running: BTreeMap<Instance, (u64, bool)> = BTreeMap::new();
    for record in records {
        match record {
            Record::Creating { instance, id } => drop(ids.insert(instance.clone(), id.clone())),
            Record::Starting { instance, at } => drop(running.insert(instance.clone(), (*at, false))),
            Record::Started { instance, at } => drop(running.insert(instance.clone(), (*at, true))),
            Record::StartFailed { instance, .. } | Record::Exited { instance, .. } | Record::Discarded { instance } => {
                running.remove(instance);
            }
            Record::Begun { .. }
            | Record::Ready { .. }
            | Record::Created { .. }
            | Record::Retired { .. }
            | Record::RestartAll { .. }
            | Record::HookDone { .. }
            | Record::Gone { .. } => {}
        }
    }
    let mut ends = Vec::new();
    for (instance, (since, started)) in running {
        if !started {
            ends.push(Record::Started { instance: instance.clone(), at: since });
        }
        let exit = Exit {
            code: 255,
            oom: false,
            unknown: true,
            id: ids.get(&instance).cloned().unwrap_or_default(),
            message: "the process that watched over it died first".to_owned(),
            started_at: Now(since),
            finished_at: Now(now()),
        };
        ends.push(Record::Exited { instance, exit });
    }
    ends
}

fn view(sandbox: Option<u32>, events: &[Event]) -> View {
    let (sender, receiver) = tokio::sync::watch::channel(View { sandbox, ..View::default() });
    events.iter().for_each(|event| crate::runtime::note(&sender, event));
    receiver.borrow().clone()
}

fn kill(pid: Pid) {
    if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
        // Gone meanwhile is what was wanted.
        let _ = pidfd_send_signal(pidfd, Signal::KILL);
    }
}

#[cfg(test)]
mod tests;
