//! Disks, pools and subvolumes as a tree: as they are, or, where no pool is known, as the profile divides the disks of a new host.

mod found;
mod proposed;

use subvault_plan::strategy::tier::Tier;

use super::Report;

/// The tree, and whether it shows what is there; if not, it is what is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) is_found: bool,
    pub(super) roots: Vec<Node>,
}

/// Something that is on something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// What it is called.
    pub(super) name: String,
    /// What more there is to say, a line each. Of a subvolume, where it is mounted.
    pub(super) details: Vec<String>,
    /// How much it matters, where that is known.
    pub(super) tier: Option<Tier>,
    /// Whether it is only made where it is wanted, or not used now.
    pub(super) is_faint: bool,
    /// What is on it.
    pub(super) children: Vec<Node>,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Disk,
    Pool,
    /// A partition that is no pool.
    Partition,
    Subvolume,
}

impl Kind {
    /// How deep in the tree it is.
    pub(super) const fn depth(self) -> i64 {
        match self {
            Self::Disk => 0,
            Self::Pool | Self::Partition => 1,
            Self::Subvolume => 2,
        }
    }
}

/// The tree of a host.
pub(super) fn tree(report: &Report<'_>) -> Tree {
    if report.facts.pools.is_empty() {
        Tree { is_found: false, roots: proposed::roots(report.strategy.profile.value) }
    } else {
        Tree { is_found: true, roots: found::roots(report) }
    }
}

impl Node {
    fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), details: Vec::new(), tier: None, is_faint: false, children: Vec::new() }
    }
}
