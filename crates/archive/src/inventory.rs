//! What a store has of a host: read from the store alone, so that nothing local is needed to go on or to restore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use subvault_model::names::{HostName, StreamName, SubvolumeName};
use subvault_model::stream::StreamSummary;
use subvault_store::{Key, ObjectInfo, ObjectStore, StoreErrorKind};

use crate::document;
use crate::error::ArchiveError;
use crate::hash::Hash256;
use crate::layout::{Layout, Place};
use crate::manifest::Manifest;
use crate::pointer::Pointer;

/// Manifests that are read at once.
const READERS: usize = 8;

/// A stream that is all there.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its manifest.
    pub manifest: Manifest,
    /// The hash in the manifest's last line.
    pub sha256: Hash256,
}

/// One subvolume in a store.
#[derive(Debug, Default)]
pub struct Series {
    /// Its published streams by name.
    pub streams: BTreeMap<StreamName, Published>,
    /// Manifests that could not be used, and why.
    pub unreadable: BTreeMap<StreamName, ArchiveError>,
    /// Everything else in stream folders.
    pub objects: Vec<(StreamName, ObjectInfo)>,
    /// The pointer, or why it could not be read; `None` when there is none.
    pub pointer: Option<Result<Pointer, ArchiveError>>,
}

impl Series {
    /// The published streams as planning sees them.
    #[must_use]
    pub fn summaries(&self) -> Vec<StreamSummary> {
        self.streams.values().map(|p| p.manifest.summary()).collect()
    }

    /// Streams of which a chunk is missing or has another size than its manifest says.
    #[must_use]
    pub fn incomplete(&self) -> BTreeMap<StreamName, String> {
        let sizes: BTreeMap<(&StreamName, &str), u64> =
            self.objects.iter().map(|(stream, info)| ((stream, info.key.name()), info.size)).collect();
        let mut found = BTreeMap::new();
        for (name, published) in &self.streams {
            for chunk in &published.manifest.chunks {
                let what = match sizes.get(&(name, chunk.file.as_str())) {
                    Some(size) if *size == chunk.bytes.get() => continue,
                    Some(size) => format!("{} has {size} bytes instead of {}", chunk.file, chunk.bytes.get()),
                    None => format!("{} is missing", chunk.file),
                };
                found.entry(name.clone()).or_insert(what);
            }
        }
        found
    }
}

/// What a store has of one host.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Its subvolumes by name.
    pub series: BTreeMap<SubvolumeName, Series>,
    /// Scratch objects that a run left when it died.
    pub scratch: Vec<Key>,
    /// Keys below the host's that are not of this format: left alone.
    pub foreign: Vec<Key>,
}

/// Lists everything of a host and reads its manifests and pointers.
///
/// # Errors
/// When the store fails. A damaged manifest or pointer is part of the answer.
pub fn take(store: &ObjectStore, layout: &Layout) -> Result<Inventory, ArchiveError> {
    collect(store, layout, &layout.prefix())
}

/// The same for one subvolume, which costs one listing and a read per manifest.
///
/// # Errors
/// When the store fails.
pub fn take_series(store: &ObjectStore, layout: &Layout, subvolume: &SubvolumeName) -> Result<Series, ArchiveError> {
    let mut inventory = collect(store, layout, &layout.subvolume_prefix(subvolume))?;
    Ok(inventory.series.remove(subvolume).unwrap_or_default())
}

fn collect(store: &ObjectStore, layout: &Layout, prefix: &str) -> Result<Inventory, ArchiveError> {
    let mut inventory = Inventory::default();
    let mut manifests: Vec<(SubvolumeName, StreamName)> = Vec::new();
    let mut pointers: Vec<SubvolumeName> = Vec::new();
    for info in store.list(prefix) {
        let info = info?;
        match layout.place(&info.key) {
            Place::Host => {}
            Place::Pointer(subvolume) => pointers.push(subvolume),
            Place::Manifest(subvolume, stream) => manifests.push((subvolume, stream)),
            Place::Chunk(subvolume, stream) => {
                inventory.series.entry(subvolume).or_default().objects.push((stream, info));
            }
            Place::Scratch => inventory.scratch.push(info.key),
            Place::Foreign => inventory.foreign.push(info.key),
        }
    }
    for ((subvolume, stream), read) in read_all(store, layout, manifests) {
        let series = inventory.series.entry(subvolume).or_default();
        match read {
            Ok((manifest, sha256)) => {
                series.streams.insert(stream, Published { manifest, sha256 });
            }
            Err(error) if is_of_the_object(&error) => {
                series.unreadable.insert(stream, error);
            }
            Err(error) => return Err(error),
        }
    }
    for subvolume in pointers {
        let pointer = match document::read(store, &layout.pointer(&subvolume)) {
            Err(error) if !is_of_the_object(&error) => return Err(error),
            other => other.map(|(pointer, _)| pointer),
        };
        inventory.series.entry(subvolume).or_default().pointer = Some(pointer);
    }
    Ok(inventory)
}

/// Whether it is this one object that cannot be read: what else the store has can still be. Also one that was listed and is
/// not found: a store that contradicts itself must not make orphans of what lies beside it.
#[must_use]
pub fn is_of_the_object(error: &ArchiveError) -> bool {
    use StoreErrorKind as Kind;
    let ArchiveError::Store(error) = error else { return true };
    matches!(
        error.kind(),
        Kind::NotFound | Kind::Io | Kind::Cold | Kind::Permission | Kind::Short | Kind::Unfaithful | Kind::TooLarge
    )
}

/// What came of reading a manifest.
type ReadManifest = ((SubvolumeName, StreamName), Result<(Manifest, Hash256), ArchiveError>);

/// Reads manifests, several at once: over a network each takes a round trip.
fn read_all(store: &ObjectStore, layout: &Layout, wanted: Vec<(SubvolumeName, StreamName)>) -> Vec<ReadManifest> {
    let threads = wanted.len().min(READERS);
    let wanted = Mutex::new(wanted.into_iter());
    let read = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // A lock is poisoned only when another reader panicked, which the scope passes on.
                while let Some((subvolume, stream)) = wanted.lock().ok().and_then(|mut wanted| wanted.next()) {
                    let manifest = Manifest::read(store, layout, &subvolume, &stream);
                    if let Ok(mut read) = read.lock() {
                        read.push(((subvolume, stream), manifest));
                    }
                }
            });
        }
    });
    read.into_inner().unwrap_or_default()
}

/// The subvolumes of a host that a store has something of: one listing, nothing is read.
///
/// # Errors
/// When the store fails.
pub fn subvolumes(store: &ObjectStore, layout: &Layout) -> Result<BTreeSet<SubvolumeName>, ArchiveError> {
    let mut found = BTreeSet::new();
    for info in store.list(&layout.prefix()) {
        match layout.place(&info?.key) {
            Place::Pointer(subvolume) | Place::Manifest(subvolume, _) | Place::Chunk(subvolume, _) => {
                found.insert(subvolume);
            }
            Place::Host | Place::Scratch | Place::Foreign => {}
        }
    }
    Ok(found)
}

/// The hosts that a store has streams of.
///
/// # Errors
/// When the store fails.
pub fn hosts(store: &ObjectStore) -> Result<BTreeSet<HostName>, ArchiveError> {
    let mut hosts = BTreeSet::new();
    for info in store.list("") {
        let info = info?;
        let Some((host, _)) = info.key.as_str().split_once('/') else { continue };
        if let Ok(host) = host.parse() {
            hosts.insert(host);
        }
    }
    Ok(hosts)
}
