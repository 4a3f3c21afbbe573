//! Are the pod's volumes in place? Asked before the sandbox, because a container may mount any of them (SYN-4).
//!
//! File volumes are made here, from what ConfigMaps, Secrets and the pod itself hold now; a change of those is a
//! new set of files, swapped in at once (VOL-6).

use super::launch;
use super::step;
use super::turn::Turn;
use crate::action::{Do, VolumeContent, VolumeFile, VolumeSetup};
use crate::backoff::doubled;
use crate::seen::{Sandbox, Seen, VolumeTrouble};
use crate::spec::{Container, FieldRef, Init, Projection, SourceRef, Spec, Volume, VolumeKind};
use crate::time::Millis;
use std::collections::BTreeMap;

/// The first wait after a volume could not be set up; doubled each time.
const RETRY: Millis = Millis(500);
/// The longest such wait, as in the kubelet's volume manager.
const RETRY_CAP: Millis = Millis::secs(122);

/// Why a volume's content cannot be told.
enum Missing {
    /// The shell has not told whether this exists.
    Untold(SourceRef),
    /// Kubernetes' words for what is wrong.
    Wrong { volume: String, message: String },
    /// The claim does not exist, and nothing of the pod has been made yet (VOL-11).
    Unclaimed(String),
}

/// Has every volume set up and kept up to date. True if containers can be made.
pub(crate) fn placed(turn: &mut Turn<'_>) -> bool {
    let known = &turn.seen.volumes;
    let since = turn.seen.began.unwrap_or(turn.now);
    match setups(turn.spec, turn.seen) {
        Err(Missing::Untold(source)) => {
            turn.wait(None, "Sources", format!("to be told about {}", launch::named(&source)), since);
        }
        Err(Missing::Wrong { volume, message }) => {
            let what = format!("MountVolume.SetUp failed for volume \"{volume}\" : {message}");
            turn.wait(None, "FailedMount", what, since);
        }
        Err(Missing::Unclaimed(message)) => turn.wait(None, "Unschedulable", no_node(&message), since),
        Ok(wanted) if wanted.is_empty() => return true,
        Ok(wanted) => match (&known.asked, &known.placed, &known.trouble) {
            (Some((_, since)), _, _) => turn.wait(None, "VolumesPreparing", "its volumes to be set up", *since),
            (None, Some(placed), _) if *placed == wanted => return true,
            (None, _, Some(trouble)) if turn.now < trouble.at.plus(doubled(RETRY, trouble.tries, RETRY_CAP)) => {
                let until = trouble.at.plus(doubled(RETRY, trouble.tries, RETRY_CAP));
                let what = format!("the next try to set up volume \"{}\": {}", trouble.volume, trouble.message);
                turn.wait_until(None, "VolumeRetry", what, trouble.at, until);
            }
            (None, placed, _) => {
                let why = match placed {
                    None => "volumes come before the sandbox",
                    Some(_) => "what its volumes hold has changed",
                };
                turn.act(Do::PrepareVolumes { volumes: wanted, fs_group: turn.spec.fs_group }, why);
            }
        },
    }
    if let Some(trouble) = &known.trouble {
        show_image_trouble(turn, trouble);
    }
    known.placed.is_some()
}

/// VOL-16: containers that mount an image which cannot be had say so as they do of their own.
fn show_image_trouble<'a>(turn: &mut Turn<'a>, trouble: &'a VolumeTrouble) {
    let volume = turn.spec.volumes.iter().find(|volume| volume.name == trouble.volume);
    let (Some(failure), Some(VolumeKind::Image { reference, .. })) = (trouble.image, volume.map(|v| &v.kind)) else {
        return;
    };
    let mounted = |container: &Container| container.mounts.iter().any(|mount| mount.volume == trouble.volume);
    let containers: Vec<_> = turn.containers().map(|(container, _)| container).filter(|c| mounted(c)).collect();
    for container in containers {
        step::show_failure(turn, container, reference, failure, &trouble.message, trouble.at);
    }
}

/// Why the pod can run nowhere: a claim of it does not exist. What runs already goes on.
pub(crate) fn unschedulable(turn: &Turn<'_>) -> Option<String> {
    turn.spec.volumes.iter().find_map(|volume| match &volume.kind {
        VolumeKind::Claim { name, trust_root, .. } => match claim(turn.seen, volume, name, *trust_root) {
            Err(Missing::Unclaimed(message)) => Some(no_node(&message)),
            Err(Missing::Untold(_) | Missing::Wrong { .. }) | Ok(_) => None,
        },
        VolumeKind::EmptyDir { .. }
        | VolumeKind::Files { .. }
        | VolumeKind::HostPath { .. }
        | VolumeKind::Image { .. } => None,
    })
}

/// As the scheduler says it.
fn no_node(why: &str) -> String {
    format!("0/1 nodes are available: {why}.")
}

fn setups(spec: &Spec, seen: &Seen) -> Result<Vec<VolumeSetup>, Missing> {
    spec.volumes
        .iter()
        .map(|volume| Ok(VolumeSetup { name: volume.name.clone(), content: content(spec, seen, volume)? }))
        .collect()
}

fn content(spec: &Spec, seen: &Seen, volume: &Volume) -> Result<VolumeContent, Missing> {
    Ok(match &volume.kind {
        VolumeKind::EmptyDir { memory, size_limit } => {
            let own = size_limit.as_ref().map(|limit| limit.bytes);
            let size_limit = if *memory { Some(memory_size(spec, own)) } else { own };
            VolumeContent::Empty { memory: *memory, size_limit }
        }
        VolumeKind::Claim { name, trust_root, .. } => claim(seen, volume, name, *trust_root)?,
        VolumeKind::Image { reference, pull } => {
            let credentials = step::credentials(spec, seen);
            VolumeContent::Image { reference: reference.clone(), policy: *pull, credentials }
        }
        VolumeKind::HostPath { path, check } => VolumeContent::Host { path: path.clone(), check: *check },
        VolumeKind::Files { projections, default_mode, memory } => {
            let mut files = BTreeMap::new();
            for projection in projections {
                add(spec, seen, &volume.name, projection, *default_mode, &mut files)?;
            }
            VolumeContent::Files { files: files.into_values().collect(), memory: *memory }
        }
    })
}

/// VOL-11. A claim that goes while its directory is in use takes nothing away from the pod that uses it.
fn claim(seen: &Seen, volume: &Volume, name: &str, trust_root: bool) -> Result<VolumeContent, Missing> {
    let source = SourceRef::Claim(name.to_owned());
    let placed = seen.volumes.placed.iter().flatten().find(|placed| placed.name == volume.name);
    match (seen.sources.get(&source), placed) {
        (None, _) => Err(Missing::Untold(source)),
        (Some(Some(data)), _) => {
            let directory = data.get(SourceRef::VOLUME).map(Vec::as_slice).unwrap_or_default();
            Ok(VolumeContent::Claim { directory: String::from_utf8_lossy(directory).into_owned(), trust_root })
        }
        (Some(None), Some(placed)) => Ok(placed.content.clone()),
        (Some(None), None) => {
            let message = launch::not_found(&source);
            Err(match seen.sandbox {
                Sandbox::Never if seen.containers.values().all(|history| history.past().is_none()) => {
                    Missing::Unclaimed(message)
                }
                _ => Missing::Wrong { volume: volume.name.clone(), message },
            })
        }
    }
}

fn add(
    spec: &Spec,
    seen: &Seen,
    volume: &str,
    projection: &Projection,
    default_mode: u32,
    files: &mut BTreeMap<String, VolumeFile>,
) -> Result<(), Missing> {
    let wrong = |message: String| Missing::Wrong { volume: volume.to_owned(), message };
    let mut put = |path: &str, mode: Option<u32>, data: Vec<u8>| {
        let file = VolumeFile { path: path.to_owned(), mode: mode.unwrap_or(default_mode), data };
        files.insert(path.to_owned(), file);
    };
    match projection {
        Projection::Source { source, items, optional } => {
            let data = match seen.sources.get(source) {
                None => return Err(Missing::Untold(source.clone())),
                Some(None) if *optional => return Ok(()),
                Some(None) => return Err(wrong(launch::not_found(source))),
                Some(Some(data)) => data,
            };
            if items.is_empty() {
                for (key, value) in data {
                    put(key, None, value.clone());
                }
            }
            for (key, path, mode) in items {
                match data.get(key) {
                    Some(value) => put(path, *mode, value.clone()),
                    None if *optional => {}
                    None => return Err(wrong(no_such_key(source, key))),
                }
            }
        }
        Projection::Field { path, field, mode } => {
            let text = match field {
                FieldRef::Labels => key_values(&spec.labels),
                FieldRef::Annotations => key_values(&spec.annotations),
                FieldRef::Name
                | FieldRef::Namespace
                | FieldRef::Uid
                | FieldRef::Label(_)
                | FieldRef::Annotation(_)
                | FieldRef::NodeName
                | FieldRef::ServiceAccountName
                | FieldRef::HostIp
                | FieldRef::PodIp => launch::field(spec, seen, field),
            };
            put(path, *mode, text.into_bytes());
        }
        Projection::Resource { path, resource, mode } => {
            let text = launch::resource(spec, resource).map_err(wrong)?;
            put(path, *mode, text.into_bytes());
        }
    }
    Ok(())
}

/// What an `emptyDir` in memory may take: the least of its own limit, the pod's and the node's (VOL-2).
fn memory_size(spec: &Spec, own: Option<u64>) -> u64 {
    let node = spec.rules.allocatable_memory;
    [own, memory_limit(spec)].into_iter().flatten().filter(|limit| *limit > 0).fold(node, u64::min)
}

/// The pod's memory limit, if every container has one: what may run at the same time, at its most (RES-2).
fn memory_limit(spec: &Spec) -> Option<u64> {
    let (mut sidecars, mut most) = (0_u64, 0_u64);
    for init in &spec.inits {
        let limit = init.container().resources.memory_limit?;
        match init {
            Init::Once(_) => most = most.max(sidecars.saturating_add(limit)),
            Init::Sidecar(_) => sidecars = sidecars.saturating_add(limit),
        }
    }
    let mains = spec.mains.iter().map(|main| main.resources.memory_limit);
    let mains = mains.sum::<Option<u64>>()?;
    Some(most.max(sidecars.saturating_add(mains)))
}

/// VOL-4.
fn no_such_key(source: &SourceRef, key: &str) -> String {
    match source {
        SourceRef::ConfigMap(_) => format!("configmap references non-existent config key: {key}"),
        SourceRef::Secret(_) | SourceRef::Claim(_) => format!("references non-existent secret key: {key}"),
    }
}

/// Labels or annotations as a downward API file: `key="value"` lines, the value quoted as Go quotes it.
fn key_values(pairs: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", go_quoted(value))).collect();
    lines.join("\n")
}

fn go_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
