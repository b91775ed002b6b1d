//! Checks what a store has: documents, chains, sizes, and the bytes of all chunks or of a sample.
//!
//! Goes on after each finding. What could not be looked at (a cold object) is counted as not checked, never as good.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::sync::Mutex;

use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{StreamName, SubvolumeName};
use subvault_store::{Key, ObjectStore, StoreErrorKind};

use crate::document;
use crate::error::ArchiveError;
use crate::hash::Hash256;
use crate::inventory::{Inventory, Series, is_of_the_object};
use crate::layout::Layout;
use crate::manifest::{Chunk, HostIdentity, Manifest};

/// How much of the chunks is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Nothing: that the objects exist at the right size.
    Sizes,
    /// About so many units in a hundred, at least one per stream, chosen by the seed.
    Sample {
        /// How many in a hundred.
        percent: u8,
        /// What chooses them.
        seed: u64,
    },
    /// All.
    Everything,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Which object, or which stream.
    pub object: String,
    /// What is wrong with it.
    pub what: String,
}

/// The result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Streams whose manifests were read.
    pub streams: u64,
    /// Chunks that were looked at.
    pub chunks: u64,
    /// Units whose hash was compared.
    pub units_checked: u64,
    /// Units that exist.
    pub units: u64,
    /// Bytes read for that.
    pub bytes_read: ByteSize,
    /// Chunks that could not be read because they are in cold storage.
    pub cold: u64,
    /// Chunks that could not be read because the store failed, and what it said at last.
    pub not_reached: u64,
    /// What the store said then.
    pub failure: Option<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// What to verify.
pub struct VerifyJob<'a> {
    /// In which store.
    pub store: &'a ObjectStore,
    /// The host's keys there.
    pub layout: &'a Layout,
    /// What it has.
    pub inventory: &'a Inventory,
    /// Only this subvolume, if given.
    pub only: Option<&'a SubvolumeName>,
    /// How much is read.
    pub depth: Depth,
    /// Chunks in flight.
    pub lanes: NonZeroU32,
    /// Who listens: progress is in bytes read.
    pub monitor: &'a dyn Monitor,
}

/// Verifies.
///
/// # Errors
/// When the store fails at once; damage, and what could not be reached, are part of the report.
pub fn verify(job: &VerifyJob<'_>) -> Result<Report, ArchiveError> {
    let report = Mutex::new(Report::default());
    check_host_record(job, &report)?;
    let mut todo: Vec<(Manifest, usize)> = Vec::new();
    for (subvolume, series) in &job.inventory.series {
        if job.only.is_none_or(|only| only == subvolume) {
            check_series(job, subvolume, series, &report);
            let streams = series.streams.values().map(|p| &p.manifest);
            todo.extend(streams.flat_map(|m| (0..m.chunks.len()).map(|index| (m.clone(), index))));
        }
    }
    todo.reverse();
    let todo = Mutex::new(todo);
    std::thread::scope(|scope| {
        for _ in 0..job.lanes.get() {
            scope.spawn(|| {
                while let Some((manifest, index)) = todo.lock().ok().and_then(|mut t| t.pop()) {
                    if let Err(error) = check_chunk(job, &manifest, index, &report) {
                        give_up(&todo, &report, &error);
                    }
                }
            });
        }
    });
    let mut report = report.into_inner().map_err(|_| ArchiveError::Bug("a thread of verify died"))?;
    report.findings.sort();
    Ok(report)
}

/// The store itself fails: what is still to be looked at is not, and is counted.
fn give_up(todo: &Mutex<Vec<(Manifest, usize)>>, report: &Mutex<Report>, error: &ArchiveError) {
    let left = todo.lock().map_or(0, |mut todo| std::mem::take(&mut *todo).len());
    add(report, |r| {
        r.not_reached += 1 + left as u64;
        r.failure.get_or_insert_with(|| error.to_string());
    });
}

fn add(report: &Mutex<Report>, change: impl FnOnce(&mut Report)) {
    // A thread that died holding the lock is found when the report is taken out.
    if let Ok(mut report) = report.lock() {
        change(&mut report);
    }
}

fn find(report: &Mutex<Report>, object: &dyn Display, what: &dyn Display) {
    let finding = Finding { object: object.to_string(), what: what.to_string() };
    add(report, |r| r.findings.push(finding));
}

fn check_host_record(job: &VerifyJob<'_>, report: &Mutex<Report>) -> Result<(), ArchiveError> {
    let key = job.layout.host_record();
    match document::read::<HostIdentity>(job.store, &key) {
        Ok(_) => {}
        Err(ArchiveError::Store(e)) if e.kind() == StoreErrorKind::NotFound => {
            if !job.inventory.series.is_empty() {
                find(report, &key, &"it is missing; the next archive run writes it again");
            }
        }
        Err(error) if is_of_the_object(&error) => find(report, &key, &error),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn check_series(job: &VerifyJob<'_>, subvolume: &SubvolumeName, series: &Series, report: &Mutex<Report>) {
    for (stream, why) in &series.unreadable {
        find(report, &job.layout.manifest(subvolume, stream), why);
    }
    for (stream, what) in series.incomplete() {
        find(report, &format!("{}{stream}", job.layout.subvolume_prefix(subvolume)), &what);
    }
    check_links(job, subvolume, series, report);
    let key = job.layout.pointer(subvolume);
    match &series.pointer {
        None if series.streams.is_empty() => {}
        None => find(report, &key, &"it is missing; the next archive run writes it again"),
        Some(Err(why)) => find(report, &key, why),
        Some(Ok(pointer)) => match series.streams.get(&pointer.stream) {
            Some(published) if published.sha256 == pointer.manifest_sha256 => {}
            Some(_) => find(report, &key, &"it names another manifest than the one that is there"),
            None => find(report, &key, &format!("it names {}, which has no manifest", pointer.stream)),
        },
    }
}

/// Each incremental must follow the stream that its manifest names, by name, place, snapshot and hash.
fn check_links(job: &VerifyJob<'_>, subvolume: &SubvolumeName, series: &Series, report: &Mutex<Report>) {
    add(report, |r| r.streams += series.streams.len() as u64);
    let mut seen: BTreeSet<&StreamName> = BTreeSet::new();
    for published in series.streams.values() {
        let manifest = &published.manifest;
        let key = job.layout.manifest(subvolume, &manifest.stream);
        let Some(parent) = &manifest.parent else { continue };
        if !seen.insert(&parent.stream) {
            find(report, &key, &format!("two streams follow {}", parent.stream));
        }
        let Some(before) = series.streams.get(&parent.stream) else {
            find(report, &key, &format!("it builds on {}, which is missing", parent.stream));
            continue;
        };
        let fits = before.sha256 == parent.manifest_sha256
            && before.manifest.generation == manifest.generation
            && before.manifest.sequence.checked_add(1) == Some(manifest.sequence)
            && before.manifest.snapshot == parent.snapshot;
        if !fits {
            find(report, &key, &format!("it does not follow {} as that is now", parent.stream));
        }
    }
}

fn check_chunk(
    job: &VerifyJob<'_>,
    manifest: &Manifest,
    index: usize,
    report: &Mutex<Report>,
) -> Result<(), ArchiveError> {
    let Some(chunk) = manifest.chunks.get(index) else { return Ok(()) };
    let key = job.layout.chunk(&manifest.subvolume, &manifest.stream, &chunk.file);
    add(report, |r| {
        r.chunks += 1;
        r.units += chunk.units.len() as u64;
    });
    let result = match job.depth {
        Depth::Sizes => return Ok(()),
        Depth::Everything => check_whole(job, chunk, &key, report),
        Depth::Sample { percent, seed } => check_sample(job, chunk, &key, percent, seed, report),
    };
    match result {
        Ok(()) => {}
        Err(ArchiveError::Store(e)) if e.kind() == StoreErrorKind::Cold => add(report, |r| r.cold += 1),
        // One that is missing was found by its size already, or is found now.
        Err(error) if is_of_the_object(&error) => find(report, &key, &error),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn check_whole(job: &VerifyJob<'_>, chunk: &Chunk, key: &Key, report: &Mutex<Report>) -> Result<(), ArchiveError> {
    let mut whole = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for number in 0..chunk.units.len() {
        whole.update(&check_unit(job, chunk, key, number, report)?);
    }
    if Hash256::from_slice(whole.finish().as_ref()) == chunk.sha256 {
        return Ok(());
    }
    Err(ArchiveError::damaged(key, "its units are right, but its SHA-256 is not the one in the manifest"))
}

fn check_sample(
    job: &VerifyJob<'_>,
    chunk: &Chunk,
    key: &Key,
    percent: u8,
    seed: u64,
    report: &Mutex<Report>,
) -> Result<(), ArchiveError> {
    // A hash of seed, chunk and number says which units are in the sample: no generator to carry along.
    let pick = |number: usize| {
        let hash = blake3::hash(format!("{seed}/{key}/{number}").as_bytes());
        u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]) % 100
    };
    let mut chosen: Vec<usize> = (0..chunk.units.len()).filter(|n| pick(*n) < u16::from(percent)).collect();
    if chosen.is_empty() && chunk.stream_offset == 0 {
        chosen.extend((0..chunk.units.len()).min_by_key(|n| pick(*n)));
    }
    for number in chosen {
        check_unit(job, chunk, key, number, report)?;
    }
    Ok(())
}

fn check_unit(
    job: &VerifyJob<'_>,
    chunk: &Chunk,
    key: &Key,
    number: usize,
    report: &Mutex<Report>,
) -> Result<bytes::Bytes, ArchiveError> {
    let offset = number as u64 * chunk.unit_bytes.get();
    let len = chunk.unit_bytes.get().min(chunk.bytes.get().saturating_sub(offset));
    let bytes = job.store.get_range(key, offset, usize::try_from(len).unwrap_or(usize::MAX))?;
    job.monitor.event(Event::Progress(ByteSize::bytes(len)));
    add(report, |r| {
        r.units_checked += 1;
        r.bytes_read += ByteSize::bytes(len);
    });
    if chunk.units.get(number) == Some(&Hash256::blake3(&bytes)) {
        return Ok(bytes);
    }
    let end = offset + len;
    Err(ArchiveError::damaged(key, format!("bytes {offset}..{end} are not what was written")))
}
