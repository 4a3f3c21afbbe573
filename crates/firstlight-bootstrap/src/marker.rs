//! What a run-once step has to do next, given its marker and what is on disk.
//!
//! `fl run-once` asks, twice: [`step`] before anything is done, [`commit`] when the command has ended well.
//!
//! ```text
//!            ┌────────── Absent ── outputs there already: Refuse
//!            │ claim
//!            ▼
//!          Begun ── owner alive or unknown: Wait
//!            │ ╲___ owner dead: CleanThenMake        (never accepted, whatever lies on disk)
//!   command  │
//!    ends    ├── badly ──► Failed ── CleanThenMake
//!            │ well, every output there
//!            ▼ commit
//!          Done ── same inputs, same bytes: Keep;  anything else: by policy, Refuse unless told otherwise
//! ```
//!
//! The one law: the only way to [`Step::Keep`] is a committed record whose every digest is found again on disk.

use std::collections::BTreeMap;

use crate::digest::Digest;

/// The name of an output: its path as declared.
pub type Path = String;

/// What the marker file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// There is none.
    Absent,
    /// There is one, but it is not ours to understand: damaged, or of a newer version. The text says which.
    Unreadable(String),
    /// Somebody claimed the work and has not ended it.
    Begun(Claim),
    /// The work was ended badly by its owner.
    Failed(Claim),
    /// The work is committed.
    Done(Record),
}

/// What is durable before the first byte is made: whose work it is, from what, and which paths it may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who claims, as one word that no two claims share; compared, never read.
    pub maker: String,
    /// How often the work was begun so far, this time included; starts at 1.
    pub attempt: u64,
    /// The digest of the declared inputs.
    pub inputs: Digest,
    /// The system this state belongs to, if one was named.
    pub cluster: Option<String>,
    /// Every path the work may leave behind, and so what a take-over may remove.
    pub outputs: Vec<Path>,
}

/// What was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How often the work was begun until it was done.
    pub attempt: u64,
    /// The digest of the declared inputs.
    pub inputs: Digest,
    /// The system this state belongs to, if one was named.
    pub cluster: Option<String>,
    /// What was made.
    pub outputs: BTreeMap<Path, Made>,
}

/// What was committed about one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// These bytes, for good.
    Fixed {
        /// Bytes in the file; of all files, for a directory.
        size: u64,
        /// Of the content; of the listing with every file's digest, for a directory.
        sha256: Digest,
    },
    /// It exists; the running system goes on writing it.
    Mutable,
}

/// What is on disk under one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A file or a directory with this content.
    Content {
        /// Bytes.
        size: u64,
        /// Digest, as in [`Made::Fixed`].
        sha256: Digest,
    },
    /// Something that cannot be an output: a link, a socket, a device.
    Foreign,
}

/// Whether the one who claimed can still be at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Its process lives.
    Alive,
    /// Its process is gone: same kernel and no such process, or the same host booted again.
    Dead,
    /// It ran on another host, whose processes cannot be seen from here.
    Unknown,
}

/// What to do where the safe answer is to ask a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Stop and say why.
    Refuse,
    /// Clean and make it again.
    Remake,
}

/// The three places where somebody may prefer a remake to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// Outputs are there, but no marker says who made them.
    pub unclaimed_outputs: Policy,
    /// The work is done, from other inputs than the ones declared now.
    pub changed_inputs: Policy,
    /// The work is done, but an output is gone or holds other bytes.
    pub changed_outputs: Policy,
}

impl Policies {
    /// Refuse everywhere: what was published once is never made anew behind somebody's back.
    pub const SAFE: Policies =
        Policies { unclaimed_outputs: Policy::Refuse, changed_inputs: Policy::Refuse, changed_outputs: Policy::Refuse };
}

/// Everything a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The marker as read under the lock.
    pub marker: &'a Marker,
    /// The digest of the inputs as declared now.
    pub inputs: Digest,
    /// The cluster id as declared now.
    pub cluster: Option<&'a str>,
    /// Whether the claim's owner lives; matters for [`Marker::Begun`] only.
    pub owner: Owner,
    /// What is on disk, for every output declared now and every one the marker names.
    pub disk: &'a BTreeMap<Path, Found>,
    /// The outputs declared now.
    pub declared: &'a [Path],
    /// What to do in doubt.
    pub policies: Policies,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write the claim, run the command.
    Make {
        /// The attempt to claim.
        attempt: u64,
    },
    /// Remove these paths, then write the claim and run the command.
    CleanThenMake {
        /// The attempt to claim.
        attempt: u64,
        /// What may be removed: only what a claim or record of ours names, or what the policy hands over.
        remove: Vec<Path>,
        /// Why what lies there is not kept.
        why: Why,
    },
    /// It is done, and every byte is still as committed.
    Keep,
    /// Somebody else is at it.
    Wait {
        /// Who, and what is known of them.
        why: Why,
    },
    /// A person has to decide.
    Refuse {
        /// What was found.
        why: Why,
    },
}

/// The reason of a [`Step`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The marker cannot be understood.
    Unreadable(String),
    /// The marker belongs to another system than the one named now.
    OtherCluster {
        /// As recorded.
        recorded: Option<String>,
        /// As declared now.
        declared: Option<String>,
    },
    /// This path exists although nobody claimed it.
    Unclaimed(Path),
    /// The owner of the claim lives.
    OwnerAlive,
    /// The owner of the claim ran on another host.
    OwnerUnknown,
    /// The owner of the claim died on the way.
    OwnerDied,
    /// The last attempt ended badly.
    LastFailed,
    /// The inputs are others.
    InputsChanged {
        /// As committed.
        committed: Digest,
        /// As declared now.
        declared: Digest,
    },
    /// The set of declared outputs is another; this path is in one of them only.
    OutputsRedeclared(Path),
    /// This output is gone.
    OutputGone(Path),
    /// This output holds other bytes.
    OutputChanged {
        /// Which.
        path: Path,
        /// As committed.
        committed: Digest,
        /// As found; `None` if it is no file or directory any more.
        found: Option<Digest>,
    },
}

/// What to do next. Total: one step for every input.
pub fn step(seen: &Seen<'_>) -> Step {
    match seen.marker {
        Marker::Absent => absent(seen),
        Marker::Unreadable(why) => Step::Refuse { why: Why::Unreadable(why.clone()) },
        Marker::Begun(claim) => other_cluster(&claim.cluster, seen).unwrap_or_else(|| begun(claim, seen)),
        Marker::Failed(claim) => {
            other_cluster(&claim.cluster, seen).unwrap_or_else(|| take_over(claim, seen, Why::LastFailed))
        }
        Marker::Done(record) => other_cluster(&record.cluster, seen).unwrap_or_else(|| done(record, seen)),
    }
}

fn absent(seen: &Seen<'_>) -> Step {
    let there = |path: &&Path| !matches!(seen.disk.get(*path), None | Some(Found::Absent));
    match (seen.declared.iter().find(there), seen.policies.unclaimed_outputs) {
        (None, Policy::Refuse | Policy::Remake) => Step::Make { attempt: 1 },
        (Some(path), Policy::Refuse) => Step::Refuse { why: Why::Unclaimed(path.clone()) },
        (Some(path), Policy::Remake) => {
            Step::CleanThenMake { attempt: 1, remove: seen.declared.to_vec(), why: Why::Unclaimed(path.clone()) }
        }
    }
}

/// State of another system is never touched, whatever the policies say.
fn other_cluster(recorded: &Option<String>, seen: &Seen<'_>) -> Option<Step> {
    (recorded.as_deref() != seen.cluster).then(|| Step::Refuse {
        why: Why::OtherCluster { recorded: recorded.clone(), declared: seen.cluster.map(str::to_owned) },
    })
}

fn begun(claim: &Claim, seen: &Seen<'_>) -> Step {
    match seen.owner {
        Owner::Alive => Step::Wait { why: Why::OwnerAlive },
        Owner::Unknown => Step::Wait { why: Why::OwnerUnknown },
        Owner::Dead => take_over(claim, seen, Why::OwnerDied),
    }
}

fn take_over(claim: &Claim, seen: &Seen<'_>, why: Why) -> Step {
    Step::CleanThenMake {
        attempt: claim.attempt.saturating_add(1),
        remove: union(claim.outputs.iter(), seen.declared),
        why,
    }
}

fn done(record: &Record, seen: &Seen<'_>) -> Step {
    let Some((why, policy)) = difference(record, seen) else { return Step::Keep };
    match policy {
        Policy::Refuse => Step::Refuse { why },
        Policy::Remake => Step::CleanThenMake {
            attempt: record.attempt.saturating_add(1),
            remove: union(record.outputs.keys(), seen.declared),
            why,
        },
    }
}

/// The first thing that is not as committed, and the policy that answers it.
fn difference(record: &Record, seen: &Seen<'_>) -> Option<(Why, Policy)> {
    let Policies { unclaimed_outputs: _, changed_inputs, changed_outputs } = seen.policies;
    if record.inputs != seen.inputs {
        let why = Why::InputsChanged { committed: record.inputs, declared: seen.inputs };
        return Some((why, changed_inputs));
    }
    let only_now = seen.declared.iter().find(|path| !record.outputs.contains_key(*path));
    let only_then = record.outputs.keys().find(|path| !seen.declared.contains(path));
    if let Some(path) = only_now.or(only_then) {
        return Some((Why::OutputsRedeclared(path.clone()), changed_inputs));
    }
    record.outputs.iter().find_map(|(path, made)| damage(path, *made, seen.disk)).map(|why| (why, changed_outputs))
}

fn damage(path: &Path, made: Made, disk: &BTreeMap<Path, Found>) -> Option<Why> {
    let found = disk.get(path).copied().unwrap_or(Found::Absent);
    match (made, found) {
        (Made::Fixed { .. } | Made::Mutable, Found::Absent) | (Made::Mutable, Found::Foreign) => {
            Some(Why::OutputGone(path.clone()))
        }
        (Made::Mutable, Found::Content { .. }) => None,
        (Made::Fixed { size, sha256 }, Found::Content { size: found_size, sha256: found }) => {
            let same = size == found_size && sha256 == found;
            (!same).then(|| Why::OutputChanged { path: path.clone(), committed: sha256, found: Some(found) })
        }
        (Made::Fixed { sha256, .. }, Found::Foreign) => {
            Some(Why::OutputChanged { path: path.clone(), committed: sha256, found: None })
        }
    }
}

fn union<'a>(recorded: impl Iterator<Item = &'a Path>, declared: &'a [Path]) -> Vec<Path> {
    let mut all: Vec<Path> = recorded.chain(declared).cloned().collect();
    all.sort();
    all.dedup();
    all
}

/// An output as declared: whether its bytes are fixed once made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Where.
    pub path: Path,
    /// `false` if the running system goes on writing it.
    pub fixed: bool,
}

/// Why something that was made cannot be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotMade {
    /// The command ended well and left this output out.
    Missing(Path),
    /// This output is a link, a socket or a device.
    Foreign(Path),
    /// The marker is no longer the claim this run wrote: somebody took over.
    Fenced,
}

/// The record to write when the command has ended well and the outputs are synced and measured.
///
/// `marker` is the marker as read again just now: it must still be `claim`.
pub fn commit(
    claim: &Claim,
    marker: &Marker,
    declared: &[Declared],
    disk: &BTreeMap<Path, Found>,
) -> Result<Record, NotMade> {
    match marker {
        Marker::Begun(found) if found == claim => {}
        Marker::Begun(_) | Marker::Absent | Marker::Unreadable(_) | Marker::Failed(_) | Marker::Done(_) => {
            return Err(NotMade::Fenced);
        }
    }
    let mut outputs = BTreeMap::new();
    for Declared { path, fixed } in declared {
        let made = match (disk.get(path).copied().unwrap_or(Found::Absent), fixed) {
            (Found::Absent, _) => return Err(NotMade::Missing(path.clone())),
            (Found::Foreign, _) => return Err(NotMade::Foreign(path.clone())),
            (Found::Content { size, sha256 }, true) => Made::Fixed { size, sha256 },
            (Found::Content { .. }, false) => Made::Mutable,
        };
        outputs.insert(path.clone(), made);
    }
    let Claim { maker: _, attempt, inputs, cluster, outputs: _ } = claim;
    Ok(Record { attempt: *attempt, inputs: *inputs, cluster: cluster.clone(), outputs })
}

#[cfg(test)]
mod tests;
