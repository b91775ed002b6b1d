//! Everything that exists of a subvolume, in one line per moment: snapshots on the pool and streams in stores.
//!
//! Only looks; what it could not look at is told beside the rest and never counts as absent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use subvault_archive::inventory::Series;
use subvault_model::bytesize::ByteSize;
use subvault_model::ids::SnapshotUuid;
use subvault_model::names::{SnapshotName, StreamKind, StreamName, SubvolumeName, TargetName};
use subvault_plan::restore::plan as restore_plan;

use crate::observe::Sight;

/// A snapshot and where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// Which subvolume.
    pub subvolume: SubvolumeName,
    /// When the snapshot was taken.
    pub taken: Timestamp,
    /// What it is called.
    pub name: SnapshotName,
    /// Its identity.
    pub uuid: SnapshotUuid,
    /// Whether it is on the pool.
    pub local: bool,
    /// The streams that bring it back.
    pub streams: Vec<Archived>,
    /// The replicas that have a copy of it, unchanged.
    pub copies: Vec<TargetName>,
}

/// A stream as the timeline shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Archived {
    /// Its name.
    pub stream: StreamName,
    /// In which store.
    pub target: TargetName,
    /// Full or incremental.
    pub kind: StreamKind,
    /// Which chain.
    pub generation: u32,
    /// Its place there.
    pub sequence: u32,
    /// Length of the stream.
    pub stream_bytes: ByteSize,
    /// Length of what is stored.
    pub stored_bytes: ByteSize,
    /// Whether everything that a restore needs is there at the right size; if not, what is missing.
    pub missing: Option<String>,
}

/// Puts together what was seen, oldest first.
#[must_use]
pub fn of(sight: &Sight) -> Vec<Moment> {
    let mut moments: BTreeMap<(SubvolumeName, SnapshotName, SnapshotUuid), Moment> = BTreeMap::new();
    for subvolume in &sight.observed.subvolumes {
        // Those of other programs are listed as theirs.
        for snapshot in subvolume.snapshots.iter().filter(|snapshot| !snapshot.foreign) {
            let taken = snapshot.name.taken();
            moments.insert(
                (subvolume.name.clone(), snapshot.name.clone(), snapshot.uuid),
                Moment {
                    subvolume: subvolume.name.clone(),
                    taken,
                    name: snapshot.name.clone(),
                    uuid: snapshot.uuid,
                    local: true,
                    streams: Vec::new(),
                    copies: Vec::new(),
                },
            );
        }
    }
    for ((target, subvolume), series) in &sight.series {
        for archived in of_series(target, subvolume, series) {
            let Some(published) = series.streams.get(&archived.stream) else { continue };
            let snapshot = &published.manifest.snapshot;
            let moment =
                moments.entry((subvolume.clone(), snapshot.name.clone(), snapshot.uuid)).or_insert_with(|| Moment {
                    subvolume: subvolume.clone(),
                    taken: snapshot.taken,
                    name: snapshot.name.clone(),
                    uuid: snapshot.uuid,
                    local: false,
                    streams: Vec::new(),
                    copies: Vec::new(),
                });
            moment.streams.push(archived);
        }
    }
    for seen in &sight.observed.subvolumes {
        for (replica, copy) in seen.replicas.iter().flat_map(|r| r.copies.iter().map(move |copy| (r, copy))) {
            let origin = copy.received.filter(|_| copy.intact);
            let Some(uuid) = origin.and_then(|origin| SnapshotUuid::from_bytes(*origin.as_bytes())) else { continue };
            // One that came back from a replica has another identity here, and the same name.
            let here = seen.snapshots.iter().find(|s| s.name == copy.name && s.received == origin).map(|s| s.uuid);
            let uuid = here.unwrap_or(uuid);
            let moment = moments.entry((seen.name.clone(), copy.name.clone(), uuid)).or_insert_with(|| Moment {
                subvolume: seen.name.clone(),
                taken: copy.name.taken(),
                name: copy.name.clone(),
                uuid,
                local: false,
                streams: Vec::new(),
                copies: Vec::new(),
            });
            moment.copies.push(replica.name.clone());
        }
    }
    moments.into_values().collect()
}

fn of_series(target: &TargetName, subvolume: &SubvolumeName, series: &Series) -> Vec<Archived> {
    let summaries = series.summaries();
    let incomplete = series.incomplete();
    let missing = |stream: &StreamName, taken: Timestamp| {
        // A chain is as whole as its weakest stream.
        match restore_plan(subvolume, &summaries, Some(taken)) {
            Err(error) => Some(error.to_string()),
            Ok(plan) if plan.streams.last().is_some_and(|s| s.name == *stream) => {
                plan.streams.iter().find_map(|s| incomplete.get(&s.name).map(|what| format!("{}: {what}", s.name)))
            }
            Ok(_) => incomplete.get(stream).cloned(),
        }
    };
    let mut found: Vec<Archived> = summaries
        .iter()
        .map(|s| Archived {
            stream: s.name.clone(),
            target: target.clone(),
            kind: s.kind(),
            generation: s.generation.0,
            sequence: s.sequence,
            stream_bytes: s.stream_bytes,
            stored_bytes: s.stored_bytes,
            missing: missing(&s.name, s.snapshot.taken),
        })
        .collect();
    found.sort_by_key(|a| (a.generation, a.sequence));
    found
}
