//! The subvolumes of a strategy where the machine has them: what is decided beside what is there.

use subvault_model::facts::{Facts, PoolFacts, SubvolumeFacts};
use subvault_plan::strategy::{FilesystemStrategy, Strategy, SubvolumeStrategy};

/// A subvolume that the strategy is about and that the machine shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// What is decided for it.
    pub(crate) decided: &'a SubvolumeStrategy,
    /// What is known of it.
    pub(crate) facts: &'a SubvolumeFacts,
    /// The pool that it is on.
    pub(crate) pool: &'a PoolFacts,
}

impl Seen<'_> {
    /// Where it is seen, as a whole path.
    pub(crate) fn path(&self) -> Vec<u8> {
        [b"/", self.decided.path.as_bytes()].concat()
    }
}

/// All of them, the outer before the inner ones.
pub(crate) fn all<'a>(facts: &'a Facts, strategy: &'a Strategy) -> Vec<Seen<'a>> {
    let there = |decided: &'a SubvolumeStrategy| {
        let mut on_pools = facts.pools.iter().flat_map(|pool| pool.subvolumes.iter().map(move |facts| (pool, facts)));
        let (pool, facts) = on_pools.find(|(_, facts)| place(facts) == Some(decided.path.as_bytes()))?;
        Some(Seen { decided, facts, pool })
    };
    let mut seen: Vec<Seen<'a>> = strategy.subvolumes.iter().filter_map(there).collect();
    seen.sort_by(|one, other| one.decided.path.cmp(&other.decided.path));
    seen
}

/// Where a subvolume is seen, without the slash that the machine has in front and the strategy has not.
fn place(facts: &SubvolumeFacts) -> Option<&[u8]> {
    let at = facts.seen_at.as_ref()?.as_bytes();
    Some(at.strip_prefix(b"/").unwrap_or(at))
}

/// How a pool is to be mounted.
pub(crate) fn filesystem<'a>(pool: &PoolFacts, strategy: &'a Strategy) -> Option<&'a FilesystemStrategy> {
    let uuid = pool.uuid.to_string();
    strategy.filesystems.iter().find(|filesystem| filesystem.uuid == uuid)
}
