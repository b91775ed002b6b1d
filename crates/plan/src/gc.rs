//! What may be removed from a store: superseded generations and what no manifest names.
//!
//! Manifests go before the chunks they name, and the last of a chain before the ones it builds on, so that at
//! every moment each visible manifest has its whole chain. A run that dies in between leaves orphans, which
//! the next one finds.

pub mod forget;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::names::{StreamKind, StreamName, SubvolumeName};
use subvault_model::stream::{Generation, StreamSummary};

use crate::chain::{Chain, chains};
use crate::policy::ArchivePolicy;

/// An object of the store, with the stream that its key lies under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenObject {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: ByteSize,
    /// The stream whose folder it is in.
    pub stream: StreamName,
}

/// An upload that was begun and neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenUpload {
    /// The key it would have.
    pub key: String,
    /// Its position in the list it came from.
    pub index: usize,
    /// The stream whose folder it is in, when the key is one of ours.
    pub stream: StreamName,
}

/// One subvolume's part of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenStore {
    /// Which subvolume.
    pub subvolume: SubvolumeName,
    /// Its published streams.
    pub streams: Vec<StreamSummary>,
    /// Manifests that exist and cannot be read: nothing below their stream is touched.
    pub unreadable: BTreeSet<StreamName>,
    /// Streams whose chunks are not all there at the right size.
    pub incomplete: BTreeSet<StreamName>,
    /// All objects in stream folders, manifests not included.
    pub objects: Vec<SeenObject>,
    /// All unfinished uploads.
    pub uploads: Vec<SeenUpload>,
    /// Streams that a journal of this host wants to go on with.
    pub unfinished: BTreeSet<StreamName>,
}

/// One removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum GcStep {
    /// Make a stream invisible.
    DeleteManifest {
        /// Of which subvolume.
        subvolume: SubvolumeName,
        /// Which stream.
        stream: StreamName,
        /// Why.
        because: String,
    },
    /// Remove an object.
    DeleteObject {
        /// Which.
        key: String,
        /// How large it is.
        bytes: ByteSize,
        /// Why.
        because: String,
    },
    /// Abort an unfinished upload.
    AbortUpload {
        /// Under which key.
        key: String,
        /// Its position in the list of uploads.
        index: usize,
        /// Why.
        because: String,
    },
}

/// What is removed and what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GcPlan {
    /// Removals, in order.
    pub steps: Vec<GcStep>,
    /// Generations that stay, and why.
    pub kept: Vec<String>,
}

/// Decides what to remove.
#[must_use]
pub fn plan(policy: &ArchivePolicy, seen: &SeenStore, now: Timestamp) -> GcPlan {
    let mut plan = GcPlan::default();
    let chains = chains(&seen.streams);
    let mut objects: BTreeMap<&StreamName, Vec<&SeenObject>> = BTreeMap::new();
    for object in &seen.objects {
        objects.entry(&object.stream).or_default().push(object);
    }
    for (chain, verdict) in chains.iter().zip(judge(policy, seen, &chains, now)) {
        match verdict {
            Verdict::Keep(because) => {
                plan.kept.push(format!("{} generation {}: {because}", seen.subvolume, chain.generation));
            }
            Verdict::Delete(because) => delete_chain(&mut plan, seen, chain, &mut objects, &because),
        }
    }
    delete_orphans(&mut plan, seen, &objects);
    plan
}

enum Verdict {
    Keep(String),
    Delete(String),
}

fn judge(policy: &ArchivePolicy, seen: &SeenStore, chains: &[Chain<'_>], now: Timestamp) -> Vec<Verdict> {
    // Only a generation that is all there can supersede another.
    let whole = |c: &Chain<'_>| {
        !c.streams.is_empty()
            && c.unreachable.is_empty()
            && c.streams.iter().all(|s| !seen.incomplete.contains(&s.name))
    };
    let keepers: Vec<Generation> = chains
        .iter()
        .rev()
        .filter(|c| whole(c))
        .take(policy.keep_generations.get() as usize)
        .map(|c| c.generation)
        .collect();
    let newest = keepers.first().copied();
    let built_on = built_on(&seen.unreadable, chains);
    let judge =
        |chain: &Chain<'_>| match (judge_one(policy, chain, &keepers, newest, now), built_on.get(&chain.generation)) {
            (Verdict::Delete(_), Some(stream)) => {
                Verdict::Keep(format!("{stream}, whose manifest cannot be read, may build on it"))
            }
            (verdict, _) => verdict,
        };
    chains.iter().map(judge).collect()
}

/// The generations that streams with unreadable manifests may belong to. An incremental lies after the full of its
/// generation and before the next one; what cannot be read today may be readable by a newer version.
fn built_on<'a>(unreadable: &'a BTreeSet<StreamName>, chains: &[Chain<'_>]) -> BTreeMap<Generation, &'a StreamName> {
    let begins = |c: &Chain<'_>| c.streams.iter().chain(&c.unreachable).map(|s| s.name.taken()).min();
    let incrementals = unreadable.iter().filter(|s| s.kind() == StreamKind::Incremental);
    incrementals
        .filter_map(|stream| {
            let before = |c: &&Chain<'_>| begins(c).is_some_and(|begins| begins <= stream.taken());
            chains.iter().rev().find(before).map(|chain| (chain.generation, stream))
        })
        .collect()
}

fn judge_one(
    policy: &ArchivePolicy,
    chain: &Chain<'_>,
    keepers: &[Generation],
    newest: Option<Generation>,
    now: Timestamp,
) -> Verdict {
    let Some(newest) = newest else {
        return Verdict::Keep("no generation is complete, so none is superseded".to_owned());
    };
    if chain.generation == newest {
        return Verdict::Keep("the newest".to_owned());
    }
    if chain.generation > newest {
        return Verdict::Keep("not complete; nothing newer supersedes it".to_owned());
    }
    if keepers.contains(&chain.generation) {
        return Verdict::Keep(format!("{} generations are kept", policy.keep_generations));
    }
    if keepers.len() < policy.keep_generations.get() as usize {
        return Verdict::Keep(format!("fewer than {} complete generations exist", policy.keep_generations));
    }
    let youngest = chain.streams.iter().chain(&chain.unreachable).map(|s| s.published).max();
    let paid_for = i64::from(policy.minimum_storage_days) * 86_400;
    match youngest.map(|y| y.as_second().saturating_add(paid_for)) {
        Some(until) if until > now.as_second() => {
            let until = Timestamp::from_second(until).map_or_else(|_| "later".to_owned(), |t| format!("{t:.0}"));
            Verdict::Keep(format!("superseded by generation {newest}, but its storage is paid for until {until}"))
        }
        _ => Verdict::Delete(format!("superseded by generation {newest}")),
    }
}

fn delete_chain<'a>(
    plan: &mut GcPlan,
    seen: &'a SeenStore,
    chain: &Chain<'a>,
    objects: &mut BTreeMap<&'a StreamName, Vec<&'a SeenObject>>,
    because: &str,
) {
    for stream in chain.unreachable.iter().rev().chain(chain.streams.iter().rev()) {
        plan.steps.push(GcStep::DeleteManifest {
            subvolume: seen.subvolume.clone(),
            stream: stream.name.clone(),
            because: because.to_owned(),
        });
        for object in objects.remove(&stream.name).unwrap_or_default() {
            plan.steps.push(GcStep::DeleteObject {
                key: object.key.clone(),
                bytes: object.bytes,
                because: because.to_owned(),
            });
        }
    }
}

/// Removes what no manifest names. The host's lock is held and keys lie per host, so nobody else is writing here;
/// what this host's journals still want is left alone.
fn delete_orphans(plan: &mut GcPlan, seen: &SeenStore, objects: &BTreeMap<&StreamName, Vec<&SeenObject>>) {
    let named: BTreeSet<&StreamName> =
        seen.streams.iter().map(|s| &s.name).chain(&seen.unreadable).chain(&seen.unfinished).collect();
    let because = "no manifest names it: left by an interrupted run";
    for object in objects.iter().filter(|(stream, _)| !named.contains(*stream)).flat_map(|(_, o)| o) {
        plan.steps.push(GcStep::DeleteObject {
            key: object.key.clone(),
            bytes: object.bytes,
            because: because.to_owned(),
        });
    }
    for upload in seen.uploads.iter().filter(|u| !seen.unfinished.contains(&u.stream)) {
        plan.steps.push(GcStep::AbortUpload {
            key: upload.key.clone(),
            index: upload.index,
            because: "an interrupted run left it".to_owned(),
        });
    }
}
