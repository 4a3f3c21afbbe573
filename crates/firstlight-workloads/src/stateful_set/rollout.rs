//! Which pods to make and which to delete now (STS-3 to STS-9).

use super::replica::{self, Pod};
use super::revision::{Revision, Revisions};
use super::{Set, Update, storage};
use crate::act::Act;
use crate::world::{World, name};

/// What is to be done about the pods.
pub(super) fn decide(world: &World, set: &Set<'_>, pods: &[Pod<'_>], revisions: &Revisions) -> Vec<Act> {
    let mut acts = Vec::new();
    let slots = slots(set, pods);
    if fill(world, set, &slots, revisions, &mut acts) == Step::Wait {
        acts.extend(stuck(set, &slots, revisions));
        return acts;
    }
    if shrink(set, &slots, pods, &mut acts) == Step::Wait {
        return acts;
    }
    update(set, &slots, revisions, &mut acts);
    acts
}

/// When a pod that is ready will have been so for long enough, if that is what may be waited for.
pub(super) fn wake(set: &Set<'_>, pods: &[Pod<'_>]) -> Option<u64> {
    let waiting = pods.iter().filter(|pod| pod.ready() && !pod.available(set));
    waiting.filter_map(|pod| pod.available_at(set)).min()
}

/// Whether the round goes on.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Go,
    Wait,
}

/// A number that is to have a pod, and the pod that has it.
struct Slot<'a> {
    ordinal: i64,
    pod: Option<Pod<'a>>,
}

fn slots<'a>(set: &Set<'_>, pods: &[Pod<'a>]) -> Vec<Slot<'a>> {
    let numbers = set.start..set.start.saturating_add(set.replicas);
    let pod = |ordinal| pods.iter().find(|pod| pod.ordinal == ordinal).copied();
    numbers.map(|ordinal| Slot { ordinal, pod: pod(ordinal) }).collect()
}

/// Makes what is missing and replaces what is over, lowest first.
fn fill(world: &World, set: &Set<'_>, slots: &[Slot<'_>], revisions: &Revisions, acts: &mut Vec<Act>) -> Step {
    for slot in slots {
        let done = match &slot.pod {
            None => {
                acts.extend(make(world, set, slot.ordinal, revisions));
                false
            }
            // STS-5, STS-9: the next one is made when this one is gone.
            Some(pod) if pod.over() => {
                acts.extend((!pod.terminating()).then(|| pod.delete(set)));
                false
            }
            Some(pod) if pod.terminating() => false,
            Some(pod) => {
                let standing = pod.available(set);
                acts.extend((standing || !set.ordered).then(|| pod.identity(set)).flatten());
                standing
            }
        };
        if set.ordered && !done {
            return Step::Wait;
        }
    }
    Step::Go
}

fn make(world: &World, set: &Set<'_>, ordinal: i64, revisions: &Revisions) -> Vec<Act> {
    let pod = set.pod_name(ordinal);
    if world.get(&set.pod_key(&pod)).is_some() {
        let told = set.told("create", "SuccessfulCreate", "FailedCreate", &pod);
        let mut event = told.failed;
        event.message.push_str(&format!("pods \"{pod}\" already exists and belongs to somebody else"));
        return vec![Act::Tell(event)];
    }
    let mut acts = storage::create(world, set, ordinal);
    acts.push(replica::create(set, ordinal, revision_for(set, ordinal, revisions)));
    acts
}

/// Pods that the rolling update spares are made anew as they were.
fn revision_for<'a>(set: &Set<'_>, ordinal: i64, revisions: &'a Revisions) -> &'a Revision {
    match set.update {
        Update::Rolling { partition } if ordinal < set.start.saturating_add(partition) => &revisions.current,
        Update::Rolling { .. } | Update::OnDelete => &revisions.update,
    }
}

/// Deletes what is too much, highest first; one at a time, and not while a lower one is unwell (STS-6).
fn shrink(set: &Set<'_>, slots: &[Slot<'_>], pods: &[Pod<'_>], acts: &mut Vec<Act>) -> Step {
    let surplus: Vec<&Pod<'_>> =
        pods.iter().filter(|pod| slots.iter().all(|slot| slot.ordinal != pod.ordinal)).collect();
    let wanted = slots.iter().filter_map(|slot| slot.pod.as_ref());
    let unwell = wanted.chain(surplus.iter().copied()).find(|pod| !pod.healthy(set)).map(|pod| pod.ordinal);
    for pod in surplus.into_iter().rev() {
        if pod.terminating() {
            if set.ordered {
                return Step::Wait;
            }
            continue;
        }
        if set.ordered && !pod.available(set) && unwell != Some(pod.ordinal) {
            return Step::Wait;
        }
        acts.push(pod.delete(set));
        if set.ordered {
            return Step::Wait;
        }
    }
    Step::Go
}

/// Replaces pods of another revision, highest first, each only when those above it are well (STS-7).
fn update(set: &Set<'_>, slots: &[Slot<'_>], revisions: &Revisions, acts: &mut Vec<Act>) {
    let Update::Rolling { partition } = set.update else { return };
    let spared = usize::try_from(partition).unwrap_or(0);
    for slot in slots.iter().skip(spared).rev() {
        let Some(pod) = &slot.pod else { return };
        if pod.revision() != revisions.update.name && !pod.terminating() {
            acts.push(pod.delete(set));
            return;
        }
        if !pod.healthy(set) {
            return;
        }
    }
}

/// STS-8: a pod of an outdated template that never becomes ready holds back the template that would mend it. Kubernetes
/// waits in silence; we wait too, and say what is waited for.
fn stuck(set: &Set<'_>, slots: &[Slot<'_>], revisions: &Revisions) -> Option<Act> {
    let Update::Rolling { partition } = set.update else { return None };
    let spared = usize::try_from(partition).unwrap_or(0);
    let mut updated = slots.iter().skip(spared).filter_map(|slot| slot.pod.as_ref());
    let first = slots.iter().filter_map(|slot| slot.pod.as_ref()).find(|pod| !pod.available(set))?;
    let outdated = updated.any(|pod| pod.ordinal == first.ordinal) && first.revision() != revisions.update.name;
    let waits = outdated && !first.terminating() && !first.over();
    waits.then(|| {
        let pod = name(first.object);
        let origin = match first.revision() {
            "" => "that this set did not make".to_owned(),
            revision => format!("of the outdated revision {revision}"),
        };
        let next = &revisions.update.name;
        let message = format!("Pod {pod} {origin} is not ready and holds back revision {next}; delete it to go on");
        Act::Tell(set.event(true, "RolloutBlocked", message))
    })
}
