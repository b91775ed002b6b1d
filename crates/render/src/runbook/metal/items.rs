//! The subvolumes that a new pool gets: those that the host has, or those that its profile asks for where nothing is known
//! of its pools.

use std::path::{Path, PathBuf};

use subvault_plan::strategy::layout::{Filesystem, Layout, LayoutSubvolume};
use subvault_plan::strategy::storage::Means;
use subvault_plan::strategy::workload::Workload;

use super::disks::MetalPool;
use crate::runbook::host::{Host, Subvolume};

/// A subvolume to be made or brought.
pub(super) struct Item<'h, 'a> {
    /// The number of its pool.
    pub(super) pool: usize,
    /// Where it is in it.
    pub(super) path: PathBuf,
    /// Where it is mounted.
    pub(super) at: Option<PathBuf>,
    pub(super) workload: Workload,
    /// What the strategy says of it.
    pub(super) subvolume: Option<&'h Subvolume<'a>>,
}

impl Item<'_, '_> {
    /// What makes true how it is to be stored.
    pub(super) fn means(&self) -> &[Means] {
        self.subvolume.map_or(&[], |subvolume| &subvolume.chosen.means)
    }
}

/// All of them, those inside of others after these.
pub(super) fn all<'h, 'a>(host: &'h Host<'a>, pools: &[MetalPool], layout: &Layout) -> Vec<Item<'h, 'a>> {
    let is_known = pools.iter().any(|pool| pool.uuid.is_some());
    let mut items = if is_known { known(host, pools) } else { of_layout(host, layout) };
    items.sort_by(|one, other| (one.pool, &one.path).cmp(&(other.pool, &other.path)));
    items
}

fn known<'h, 'a>(host: &'h Host<'a>, pools: &[MetalPool]) -> Vec<Item<'h, 'a>> {
    let item = |subvolume: &'h Subvolume<'a>| {
        let place = subvolume.place()?;
        let is_mounted = subvolume.seen.is_some_and(|(_, seen)| seen.is_mounted);
        Some(Item {
            pool: pools.iter().position(|pool| pool.uuid == Some(place.pool))?,
            path: place.path,
            at: is_mounted.then(|| subvolume.at.clone()),
            workload: subvolume.chosen.workload.value,
            subvolume: Some(subvolume),
        })
    };
    host.subvolumes.iter().filter_map(item).collect()
}

fn of_layout<'h, 'a>(host: &'h Host<'a>, layout: &Layout) -> Vec<Item<'h, 'a>> {
    let partitions = layout.disks.iter().flat_map(|disk| &disk.partitions);
    let pools =
        partitions.filter(|partition| partition.filesystem == Filesystem::Btrfs && !partition.subvolumes.is_empty());
    let laid_out: Vec<(usize, &LayoutSubvolume)> =
        pools.enumerate().flat_map(|(pool, partition)| partition.subvolumes.iter().map(move |s| (pool, s))).collect();
    let is_at = |at: &Path, laid_out: &LayoutSubvolume| laid_out.mount.is_some_and(|mount| at == Path::new(mount));
    let said = host.subvolumes.iter().map(|subvolume| {
        let found = laid_out.iter().find(|(_, laid_out)| is_at(&subvolume.at, laid_out));
        let (pool, path) = found.map_or_else(
            || (0, format!("@{}", subvolume.name())),
            |(pool, laid_out)| (*pool, laid_out.name.to_owned()),
        );
        let (at, workload) = (Some(subvolume.at.clone()), subvolume.chosen.workload.value);
        Item { pool, path: path.into(), at, workload, subvolume: Some(subvolume) }
    });
    let is_said = |laid_out: &LayoutSubvolume| host.subvolumes.iter().any(|subvolume| is_at(&subvolume.at, laid_out));
    // Below a home directory nobody knows whose.
    let is_plain =
        |laid_out: &LayoutSubvolume| laid_out.mount.is_some_and(|mount| !mount.contains('*')) && !laid_out.is_optional;
    let others = laid_out.iter().filter(|(_, laid_out)| is_plain(laid_out) && !is_said(laid_out));
    let others = others.map(|(pool, laid_out)| {
        let at = laid_out.mount.map(PathBuf::from);
        Item { pool: *pool, path: laid_out.name.into(), at, workload: laid_out.workload, subvolume: None }
    });
    said.chain(others).collect()
}
