//! Chains: a full and the incrementals that build on it, one after the other.

use std::collections::BTreeMap;

use serde::Serialize;
use subvault_model::names::StreamName;
use subvault_model::stream::{Generation, StreamSummary};

/// The streams of one generation that can be restored, from the full on, without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain<'a> {
    /// Its number.
    pub generation: Generation,
    /// The full first, then each incremental after its parent. Empty when the full itself is missing.
    pub streams: Vec<&'a StreamSummary>,
    /// Streams of this generation that cannot be reached from its full, with what is missing before them.
    pub unreachable: Vec<&'a StreamSummary>,
}

impl<'a> Chain<'a> {
    /// The last stream that can be restored.
    #[must_use]
    pub fn tip(&self) -> Option<&'a StreamSummary> {
        self.streams.last().copied()
    }
}

/// Sorts published streams into chains, oldest generation first.
#[must_use]
pub fn chains(streams: &[StreamSummary]) -> Vec<Chain<'_>> {
    let mut by_generation: BTreeMap<Generation, Vec<&StreamSummary>> = BTreeMap::new();
    for stream in streams {
        by_generation.entry(stream.generation).or_default().push(stream);
    }
    by_generation.into_iter().map(|(generation, members)| link(generation, members)).collect()
}

/// Follows the parents from the full on. Two streams with the same parent (two machines under one name) leave
/// the later-published one unreachable rather than guessing which is right.
fn link(generation: Generation, mut members: Vec<&StreamSummary>) -> Chain<'_> {
    members.sort_by(|a, b| (a.sequence, a.published, &a.name).cmp(&(b.sequence, b.published, &b.name)));
    let mut chain = Chain { generation, streams: Vec::new(), unreachable: Vec::new() };
    for stream in members {
        let follows = match (chain.tip(), &stream.parent) {
            (None, None) => stream.sequence == 0,
            (Some(tip), Some(parent)) => *parent == tip.name && stream.sequence == tip.sequence + 1,
            _ => false,
        };
        if follows { chain.streams.push(stream) } else { chain.unreachable.push(stream) }
    }
    chain
}

/// A stream and all it builds on, the full first, as its parents say. `None` when one of them is missing or not what its
/// child says.
#[must_use]
pub fn ancestry<'a>(streams: &'a [StreamSummary], wanted: &'a StreamSummary) -> Option<Vec<&'a StreamSummary>> {
    let by_name: BTreeMap<&StreamName, &StreamSummary> = streams.iter().map(|s| (&s.name, s)).collect();
    let mut line = vec![wanted];
    let mut last = wanted;
    while let Some(parent) = &last.parent {
        let before = by_name.get(parent).copied()?;
        let fits = before.generation == last.generation && before.sequence.checked_add(1) == Some(last.sequence);
        // The sequence falls with each step, so this ends.
        last = Some(before).filter(|_| fits)?;
        line.push(before);
    }
    line.reverse();
    (last.sequence == 0).then_some(line)
}

/// The stream that the next incremental builds on: the tip of the newest generation that has its full.
#[must_use]
pub fn newest_tip(streams: &[StreamSummary]) -> Option<&StreamSummary> {
    chains(streams).iter().rev().find_map(Chain::tip)
}
