//! How does an image come from a registry into the store? Asked by the store, once per image however many wait for it.

use super::catalog::Record;
use super::credentials::Keyring;
use super::digest::Digest;
use super::layers::Packed;
use super::manifest::{self, Compression, Descriptor, Document, Manifest};
use super::reference::{Reference, Version};
use super::registry::{Fault, Fetched, Session};
use super::{Image, Inner};
use bytes::Bytes;
use futures::future::try_join_all;
use std::io::{self, Read};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Layers of one image that come at the same time, as in containerd and Docker.
const LAYERS_AT_ONCE: usize = 3;
/// Pieces of a layer that wait to be unpacked: enough to ride out a write, little enough to hold no memory.
const PIECES_WAITING: usize = 16;

/// Pulls what `reference` means now: the image and its size in bytes. If that is what the store has, nothing but its
/// digest is fetched.
///
/// # Errors
/// The whole message, as containerd words it.
pub(super) async fn pull(inner: &Arc<Inner>, reference: &Reference, keyring: &Keyring) -> Result<(Image, u64), String> {
    if let Some(image) = still_current(inner, reference, keyring).await {
        return Ok(image);
    }
    let failed = |cause: String| format!("failed to pull and unpack image \"{reference}\": {cause}");
    let (session, top) = inner.registry.open(reference, keyring).await.map_err(failed)?;
    fetch(inner, reference, &session, top).await.map_err(failed)
}

/// The image the store has, if the registry says that the tag still means it.
async fn still_current(inner: &Inner, reference: &Reference, keyring: &Keyring) -> Option<(Image, u64)> {
    let (record, image) = inner.catalog.find(&inner.layers, reference).ok()??;
    let now = inner.registry.head(reference, keyring).await?;
    (now == record.resolved).then_some((image, record.size))
}

async fn fetch(
    inner: &Arc<Inner>,
    reference: &Reference,
    session: &Session<'_>,
    top: Fetched,
) -> Result<(Image, u64), String> {
    let say = |fault: Fault| fault.say(reference);
    let resolved = top.digest.clone();
    let (chosen, manifest) = choose(session, top).await.map_err(say)?;
    let config = session.small_blob(&manifest.config.digest).await.map_err(say)?;
    let (_, diff_ids) = manifest::config(&config)?;
    if diff_ids.len() != manifest.layers.len() {
        return Err(format!("it has {} layers and its configuration names {}", manifest.layers.len(), diff_ids.len()));
    }
    let missing = missing(inner, &manifest, diff_ids);
    let turn = Semaphore::new(LAYERS_AT_ONCE);
    try_join_all(missing.iter().map(|layer| fetch_layer(inner, reference, session, layer, &turn))).await?;
    let layers: u64 = manifest.layers.iter().map(|(layer, _)| layer.size).sum();
    let size = layers.saturating_add((config.len() + chosen.bytes.len()) as u64);
    let record = Record { reference: reference.to_string(), resolved, config: manifest.config.digest.clone(), size };
    Ok((inner.catalog.add(&inner.layers, reference, &record, &config)?, size))
}

/// The image manifest that what was found leads to.
async fn choose(session: &Session<'_>, top: Fetched) -> Result<(Fetched, Manifest), Fault> {
    let read = |fetched: &Fetched| manifest::document(&fetched.bytes, fetched.content_type.as_deref());
    match read(&top).map_err(Fault::Wrong)? {
        Document::Manifest(manifest) => Ok((top, manifest)),
        Document::Index(entries) => {
            let entry = manifest::for_this_machine(&entries).map_err(Fault::Wrong)?;
            let fetched = session.document(&Version::Digest(entry.digest.clone())).await?;
            match read(&fetched).map_err(Fault::Wrong)? {
                Document::Manifest(manifest) => Ok((fetched, manifest)),
                Document::Index(_) => Err(Fault::Wrong("an index inside an index is refused".to_owned())),
            }
        }
    }
}

/// A layer to be fetched.
struct Missing {
    descriptor: Descriptor,
    compression: Compression,
    diff_id: Digest,
}

/// The layers that are not here. One may occur twice in an image, and is fetched once.
fn missing(inner: &Inner, manifest: &Manifest, diff_ids: Vec<Digest>) -> Vec<Missing> {
    let mut missing: Vec<Missing> = Vec::new();
    for ((descriptor, compression), diff_id) in manifest.layers.iter().zip(diff_ids) {
        let listed = missing.iter().any(|layer| layer.diff_id == diff_id);
        if !listed && inner.layers.find(&diff_id).is_none() {
            missing.push(Missing { descriptor: descriptor.clone(), compression: *compression, diff_id });
        }
    }
    missing
}

/// Fetches one layer, when it is its turn, and unpacks it while it comes.
async fn fetch_layer(
    inner: &Arc<Inner>,
    reference: &Reference,
    session: &Session<'_>,
    Missing { descriptor, compression, diff_id }: &Missing,
    turn: &Semaphore,
) -> Result<(), String> {
    let _turn = turn.acquire().await.expect("the semaphore is never closed");
    let (pieces, source) = pipe();
    let promised = Some((descriptor.digest.clone(), descriptor.size));
    let packed = Packed { compression: *compression, promised };
    let unpacking = tokio::task::spawn_blocking({
        let (inner, diff_id) = (Arc::clone(inner), diff_id.clone());
        move || inner.layers.add(source, &packed, &diff_id)
    });
    let (fetched, unpacked) = tokio::join!(transfer(session, descriptor, pieces), unpacking);
    fetched.map_err(|fault| format!("failed to fetch layer {}: {}", descriptor.digest, fault.say(reference)))?;
    let failed = |cause: String| format!("failed to unpack layer {}: {cause}", descriptor.digest);
    match unpacked {
        Ok(unpacked) => unpacked.map(drop).map_err(|refusal| failed(refusal.to_string())),
        Err(panic) => Err(failed(panic.to_string())),
    }
}

/// Hands a blob's pieces to whoever unpacks them. If the unpacker gives up, its reason is the one that counts.
async fn transfer(
    session: &Session<'_>,
    descriptor: &Descriptor,
    pieces: mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), Fault> {
    let mut blob = session.blob(descriptor);
    loop {
        match blob.chunk().await {
            Ok(Some(piece)) => {
                if pieces.send(Ok(piece)).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) => {
                // The end is said, not implied: a dropped sender means that the transfer was given up.
                pieces.send(Ok(Bytes::new())).await.ok();
                return Ok(());
            }
            Err(fault) => {
                pieces.send(Err(io::Error::other("the transfer failed"))).await.ok();
                return Err(fault);
            }
        }
    }
}

fn pipe() -> (mpsc::Sender<io::Result<Bytes>>, Pieces) {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    (sender, Pieces { receiver, current: Bytes::new(), ended: false })
}

/// The receiving end, for code that blocks.
struct Pieces {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
    ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(piece) => {
                    self.current = piece?;
                    self.ended = self.current.is_empty();
                }
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the transfer was given up")),
            }
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
