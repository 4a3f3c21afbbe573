//! Which items are published right now: looked at when the volume changes, and once a second in case it said nothing.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firstlight_bootstrap::Digest;
use firstlight_bootstrap::marker::{Made, Marker};
use rustix::fs::{Mode, OFlags, ResolveFlags, inotify};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::item::{Content, Item, ReadyWhen, State};
use super::private;
use crate::failure::Failure;
use crate::hash::{self, Hasher};
use crate::log::Log;
use crate::marker;

/// The unit in which bytes are checked before they are sent: small enough that thousands of transfers fit in memory.
pub const CHUNK: usize = 64 << 10;

/// How often everything is looked at even if the kernel reported nothing (network filesystems do not).
const RESCAN: Duration = Duration::from_secs(1);

/// Content up to this size is searched for keys as a whole.
const SEARCHED: u64 = 16 << 20;

/// All items at one instant.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// By name.
    pub items: BTreeMap<String, State>,
    /// We were asked to stop: not ready any more.
    pub draining: bool,
}

impl Snapshot {
    /// What is not published, and why.
    pub fn missing(&self) -> Vec<(&str, &str)> {
        let missing = |(name, state): (&'_ String, &'_ State)| match state {
            State::Published(_) => None,
            State::Waiting { .. } | State::Refused { .. } => Some(name.clone()),
        };
        let names: Vec<String> = self.items.iter().filter_map(missing).collect();
        self.items
            .iter()
            .filter(|(name, _)| names.contains(name))
            .filter_map(|(name, state)| match state {
                State::Waiting { why } | State::Refused { why } => Some((name.as_str(), why.as_str())),
                State::Published(_) => None,
            })
            .collect()
    }
}

/// What has to be the same for an item not to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    file: Option<(u64, u64, u64, i64, i64, u32)>,
    vouched: Vouched,
}

/// What the markers say about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Vouched {
    /// Some step that is done made it, with this content.
    By { size: u64, sha256: Digest, generation: u64 },
    /// No marker is asked for.
    NotAsked,
    /// Nobody has.
    No(String),
}

/// Looks at items and remembers what it saw.
#[derive(Debug)]
pub struct Scanner {
    items: Vec<Item>,
    dir: Option<PathBuf>,
    ready_when: Vec<ReadyWhen>,
    seen: BTreeMap<String, (Seen, State)>,
}

impl Scanner {
    /// Has seen nothing yet.
    pub fn new(items: Vec<Item>, dir: Option<PathBuf>, ready_when: Vec<ReadyWhen>) -> Scanner {
        Scanner { items, dir, ready_when, seen: BTreeMap::new() }
    }

    /// Looks at everything; reads only what changed.
    pub async fn scan(&mut self) -> Snapshot {
        let markers = self.markers();
        let held_back = self.held_back(&markers);
        let mut snapshot = Snapshot::default();
        for item in self.items.clone() {
            let state = match &held_back {
                Some(why) => State::Waiting { why: why.clone() },
                None => self.look(&item, &markers).await,
            };
            snapshot.items.insert(item.name, state);
        }
        snapshot
    }

    fn markers(&self) -> BTreeMap<String, marker::Noted> {
        let directory = self.dir.as_ref().map(|dir| dir.join("markers"));
        let entries = directory.and_then(|directory| std::fs::read_dir(directory).ok());
        let names = entries.into_iter().flatten().flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".json")?.to_owned();
            marker::legal_name(&name).then(|| (name, marker::read(&entry.path())))
        });
        names.collect()
    }

    /// Why nothing is published, if a condition for all is not met.
    fn held_back(&self, markers: &BTreeMap<String, marker::Noted>) -> Option<String> {
        self.ready_when.iter().find_map(|condition| match condition {
            ReadyWhen::Exists => None,
            ReadyWhen::File(path) => (!path.exists()).then(|| format!("{} does not exist", path.display())),
            ReadyWhen::Marker(name) => match markers.get(name).map(|noted| &noted.marker) {
                Some(Marker::Done(_)) => None,
                Some(Marker::Begun(_)) => Some(format!("step {name} is not done: it has begun")),
                Some(Marker::Failed(_)) => Some(format!("step {name} is not done: it failed")),
                Some(Marker::Unreadable(why)) => Some(format!("the marker of step {name} cannot be understood: {why}")),
                Some(Marker::Absent) | None => Some(format!("step {name} is not done: it has not begun")),
            },
        })
    }

    async fn look(&mut self, item: &Item, markers: &BTreeMap<String, marker::Noted>) -> State {
        let vouched = self.vouched(&item.path, markers);
        let opened = open(&item.path);
        let file = opened.as_ref().ok().and_then(|file| file.metadata().ok()).map(|metadata| identity(&metadata));
        let seen = Seen { file, vouched };
        let before = self.seen.get(&item.name);
        if let Some((_, state)) = before.filter(|(before, _)| *before == seen && seen.file.is_some()) {
            return state.clone();
        }
        let generation = match before {
            Some((_, State::Published(content))) => content.generation + 1,
            Some((_, State::Waiting { .. } | State::Refused { .. })) | None => 1,
        };
        let examined = match opened {
            Ok(file) => examine(file, item, &seen.vouched, generation).await,
            Err(error) => Err(State::Waiting { why: unopened(&error) }),
        };
        let state = examined.unwrap_or_else(|state| state);
        self.seen.insert(item.name.clone(), (seen, state.clone()));
        state
    }

    fn vouched(&self, path: &Path, markers: &BTreeMap<String, marker::Noted>) -> Vouched {
        if self.ready_when.contains(&ReadyWhen::Exists) {
            return Vouched::NotAsked;
        }
        let Some(path) = path.to_str() else { return Vouched::No("its path is not UTF-8".to_owned()) };
        let mut begun = None;
        for (name, noted) in markers {
            match &noted.marker {
                Marker::Done(record) => {
                    if let Some(Made::Fixed { size, sha256 }) = record.outputs.get(path) {
                        return Vouched::By { size: *size, sha256: *sha256, generation: noted.generation };
                    }
                }
                Marker::Begun(claim) if claim.outputs.iter().any(|output| output == path) => {
                    begun = Some(format!("step {name} is making it"));
                }
                Marker::Failed(claim) if claim.outputs.iter().any(|output| output == path) => {
                    begun = Some(format!("step {name}, which makes it, failed"));
                }
                Marker::Begun(_) | Marker::Failed(_) | Marker::Absent | Marker::Unreadable(_) => {}
            }
        }
        Vouched::No(begun.unwrap_or_else(|| format!("no step that is done has committed {path}")))
    }
}

fn unopened(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR) => "its file does not exist".to_owned(),
        Some(Errno::LOOP) => "its path leads over a link, which is not followed".to_owned(),
        Some(_) | None => format!("its file cannot be opened: {error}"),
    }
}

/// Opens without following any link: the volume is writable by others, and a link could lead to what is ours alone.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(File::from(file)),
        // Kernels before 5.6, and seccomp filters that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) => Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?)),
        Err(errno) => Err(errno.into()),
    }
}

fn identity(metadata: &Metadata) -> (u64, u64, u64, i64, i64, u32) {
    (metadata.dev(), metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec(), metadata.mode())
}

async fn examine(file: File, item: &Item, vouched: &Vouched, next_generation: u64) -> Result<State, State> {
    let waiting = |why: String| State::Waiting { why };
    let refused = |why: &str| State::Refused { why: why.to_owned() };
    let metadata = file.metadata().map_err(|error| waiting(error.to_string()))?;
    if !metadata.is_file() {
        return Err(waiting("it is no regular file".to_owned()));
    }
    if let Vouched::No(why) = vouched {
        return Err(waiting(why.clone()));
    }
    if metadata.len() == 0 {
        return Err(waiting("its file is empty".to_owned()));
    }
    if metadata.permissions().mode() & 0o044 == 0 {
        return Err(refused("its mode says that only its owner may read it; if it is public, make it 0640"));
    }
    let (chunks, whole) = measure(&file).await.map_err(|error| waiting(error.to_string()))?;
    let sha256 = whole.digest();
    let generation = match vouched {
        Vouched::By { size, sha256: committed, generation } => {
            if whole.size != *size || sha256 != *committed {
                return Err(waiting(format!("it was committed as sha256 {committed} and is {sha256}")));
            }
            *generation
        }
        Vouched::NotAsked | Vouched::No(_) => next_generation,
    };
    if let Some(why) = search(&file, whole.size).map_err(|error| waiting(error.to_string()))? {
        return Err(refused(why));
    }
    let content_type = item.content_type.clone();
    Ok(State::Published(Arc::new(Content { file, size: whole.size, sha256, chunks, generation, content_type })))
}

async fn measure(file: &File) -> io::Result<(Vec<Digest>, Hasher)> {
    let (mut chunks, mut whole) = (Vec::new(), Hasher::default());
    let mut chunk = vec![0u8; CHUNK];
    loop {
        let read = read_full(file, &mut chunk, whole.size)?;
        if read == 0 {
            return Ok((chunks, whole));
        }
        chunks.push(hash::of_bytes(&chunk[..read]));
        whole.update(&chunk[..read]);
        tokio::task::yield_now().await;
    }
}

/// Reads until the buffer is full or the file ends.
pub fn read_full(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Searches the content for keys: whole where it is small, in overlapping pieces where it is not.
fn search(file: &File, size: u64) -> io::Result<Option<&'static str>> {
    const OVERLAP: u64 = 256;
    let mut piece = vec![0u8; usize::try_from(size.min(SEARCHED)).map_err(io::Error::other)?];
    let mut offset = 0;
    loop {
        let read = read_full(file, &mut piece, offset)?;
        if let Some(why) = private::by_content(&piece[..read]) {
            return Ok(Some(why));
        }
        if offset + read as u64 >= size || read == 0 {
            return Ok(None);
        }
        offset += (read as u64).saturating_sub(OVERLAP).max(1);
    }
}

/// Keeps the snapshot up to date for ever.
pub async fn keep(mut scanner: Scanner, sender: &watch::Sender<Snapshot>, log: &Log) -> Failure {
    let mut volume = match Volume::watch() {
        Ok(volume) => volume,
        Err(error) => return Failure::io("watching the volume", error),
    };
    loop {
        // Watches first, then look: what changes in between is reported.
        volume.cover(&scanner);
        let snapshot = scanner.scan().await;
        let before = sender.borrow().clone();
        say(&before, &snapshot, log);
        sender.send_modify(|current| current.items = snapshot.items);
        tokio::select! {
            () = volume.changed() => {}
            () = tokio::time::sleep(RESCAN) => {}
        }
    }
}

/// Says what has changed.
pub fn say(before: &Snapshot, now: &Snapshot, log: &Log) {
    for (name, state) in &now.items {
        let target = format!("item {name}");
        match (before.items.get(name), state) {
            (Some(State::Published(was)), State::Published(is)) if was.sha256 == is.sha256 => {}
            (_, State::Published(content)) => {
                let text = format!(
                    "published: {} bytes, sha256 {}, generation {}",
                    content.size, content.sha256, content.generation
                );
                log.info().target(target).say(text);
            }
            (Some(State::Waiting { why: was }), State::Waiting { why: is }) if was == is => {}
            (Some(State::Published(_)), State::Waiting { why }) => {
                log.error().target(target).reason("withdrawn").say(format!("no longer published: {why}"));
            }
            (_, State::Waiting { why }) => {
                log.info().target(target).reason("not-published").say(format!("not published yet: {why}"));
            }
            (Some(State::Refused { why: was }), State::Refused { why: is }) if was == is => {}
            (_, State::Refused { why }) => {
                log.error().target(target).reason("private").say(format!("is not published: {why}"));
            }
        }
    }
}

/// What the kernel reports about the directories that matter.
struct Volume {
    notices: AsyncFd<OwnedFd>,
}

impl Volume {
    fn watch() -> io::Result<Volume> {
        let notices = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        #[expect(deprecated, reason = "deprecated for handles that can change their descriptor; an OwnedFd cannot")]
        let notices = AsyncFd::new(notices)?;
        Ok(Volume { notices })
    }

    /// Watches every directory that exists; one that is watched already is not watched twice.
    fn cover(&mut self, scanner: &Scanner) {
        let markers = scanner.dir.iter().map(|dir| dir.join("markers"));
        let parents = scanner.items.iter().filter_map(|item| item.path.parent().map(Path::to_path_buf));
        let flags = inotify::WatchFlags::CLOSE_WRITE
            | inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::MOVED_FROM
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::ATTRIB;
        for directory in markers.chain(parents).chain(scanner.dir.clone()) {
            // Without a watch the rescan is what is left.
            let _rescanned = inotify::add_watch(self.notices.get_ref(), &directory, flags);
        }
    }

    /// Waits for the next change, and a little more: changes come in groups.
    async fn changed(&mut self) {
        let Ok(mut ready) = self.notices.readable().await else { return std::future::pending().await };
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut buffer = [0u8; 4096];
        while rustix::io::read(self.notices.get_ref(), &mut buffer).is_ok_and(|read| read > 0) {}
        ready.clear_ready();
    }
}
