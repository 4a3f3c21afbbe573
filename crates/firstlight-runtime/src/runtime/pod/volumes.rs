//! A pod's volumes while its task lives: set up off the task, and looked at while they must not hold too much.

use super::{Done, Pod};
use crate::clock::now;
use crate::images::Unavailable;
use crate::runtime::machine::Machine;
use crate::runtime::sandbox;
use crate::volumes::{self, Ground, VolumeError};
use firstlight_pod::action::{Launch, VolumeContent, VolumeSetup};
use firstlight_pod::{Event, Now, PodId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How often volumes with a limit are looked at (DLN-4; upstream: the eviction manager's monitoring interval).
const SCAN_EVERY: Duration = Duration::from_secs(10);

/// What the task knows of the pod's volumes.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    work: Work,
    /// Those on disk that must not hold too much, and what was told of each.
    bounded: Vec<String>,
    told: HashMap<String, u64>,
    /// When to look at them again.
    scan: Option<Interval>,
}

/// What becomes of volumes: one thread at a time works on them, and the newest wish waits.
#[derive(Debug, Default)]
enum Work {
    #[default]
    Idle,
    Busy {
        next: Option<(Vec<VolumeSetup>, Option<u32>)>,
    },
}

impl Volumes {
    /// Notes which volumes must be watched for how much they hold.
    fn watch(&mut self, volumes: &[VolumeSetup]) {
        let bounded =
            |content: &VolumeContent| matches!(content, VolumeContent::Empty { memory: false, size_limit: Some(_) });
        self.bounded = volumes.iter().filter(|v| bounded(&v.content)).map(|v| v.name.clone()).collect();
        if self.bounded.is_empty() {
            self.scan = None;
        } else if self.scan.is_none() {
            let mut scan = interval_at(Instant::now() + SCAN_EVERY, SCAN_EVERY);
            scan.set_missed_tick_behavior(MissedTickBehavior::Delay);
            self.scan = Some(scan);
        }
    }

    /// When it is time to look how much there is in them; never, if there is nothing to look at.
    pub(super) async fn time_to_look(&mut self) {
        match &mut self.scan {
            Some(scan) => drop(scan.tick().await),
            None => std::future::pending().await,
        }
    }
}

impl Pod {
    pub(super) fn prepare_volumes(&mut self, volumes: Vec<VolumeSetup>, fs_group: Option<u32>) {
        if let Work::Busy { next } = &mut self.volumes.work {
            *next = Some((volumes, fs_group));
            return;
        }
        self.volumes.work = Work::Busy { next: None };
        self.volumes.watch(&volumes);
        let (machine, pod) = (self.machine.clone(), self.id.clone());
        self.jobs.spawn(async move { Done::Volumes(place(machine, pod, volumes, fs_group).await) });
    }

    /// Looks how much is in the volumes that must not hold too much.
    pub(super) fn measure(&mut self) {
        let (dir, names) = (self.machine.layout.pod(&self.id.uid), self.volumes.bounded.clone());
        self.jobs.spawn_blocking(move || {
            // A volume that cannot be read now is not there yet, or not any more.
            let usage = |name: String| volumes::usage(&dir, &name).ok().map(|bytes| (name, bytes));
            Done::Measured(names.into_iter().filter_map(usage).collect())
        });
    }

    /// Tells what has changed.
    pub(super) async fn measured(&mut self, usage: Vec<(String, u64)>) {
        for (volume, bytes) in usage {
            if self.volumes.told.insert(volume.clone(), bytes) != Some(bytes) {
                self.tell(Event::VolumeUsed { volume, bytes, at: Now(now()) }).await;
            }
        }
    }

    pub(super) async fn volumes_done(&mut self, result: Result<(), VolumeError>) {
        if let Work::Busy { next: Some((volumes, fs_group)) } = std::mem::take(&mut self.volumes.work) {
            // Only the outcome of the newest wish is worth telling.
            self.prepare_volumes(volumes, fs_group);
            return;
        }
        let at = Now(now());
        self.tell(match result {
            Ok(()) => Event::VolumesReady { at },
            Err(VolumeError { volume, message, image }) => Event::VolumesFailed { volume, message, image, at },
        })
        .await;
    }

    /// What the pod's own files say is read now, at each start (ENV-11).
    pub(super) async fn completed(&self, launch: Launch) -> Result<Launch, String> {
        if launch.draft.is_none() {
            return Ok(launch);
        }
        let dir = self.machine.layout.pod(&self.id.uid);
        let reading = move || launch.completed(|file| volumes::variable(&dir, file));
        tokio::task::spawn_blocking(reading).await.map_err(|error| format!("reading env files died: {error}"))?
    }
}

/// Sets all volumes up, once the images that some are made of are here.
async fn place(
    machine: Arc<Machine>,
    pod: PodId,
    volumes: Vec<VolumeSetup>,
    fs_group: Option<u32>,
) -> Result<(), VolumeError> {
    let dir = machine.layout.pod(&pod.uid);
    let mut images = BTreeMap::new();
    for VolumeSetup { name, content } in &volumes {
        if let VolumeContent::Image { reference, policy, credentials } = content
            && !volumes::is_placed(&dir, name)
        {
            let image = machine.store.ensure(reference, *policy, credentials).await;
            let image = image.map_err(|Unavailable { failure, message }| VolumeError {
                volume: name.clone(),
                message,
                image: Some(failure),
            });
            images.insert(name.clone(), image?);
        }
    }
    let first = volumes.first().map(|v| v.name.clone()).unwrap_or_default();
    let failed = move |message: String| VolumeError { volume: first.clone(), message, image: None };
    let died = failed.clone();
    let placing = tokio::task::spawn_blocking(move || {
        sandbox::claim_directory(&machine, &pod)
            .map_err(|error| failed(format!("making the pod's directory: {error}")))?;
        let (data, allow) = (machine.layout.data.as_path(), machine.allow);
        volumes::prepare(&Ground { pod_dir: &dir, data, fs_group, allow, images: &images }, &volumes)
    });
    placing.await.unwrap_or_else(|error| Err(died(format!("setting volumes up died: {error}"))))
}
