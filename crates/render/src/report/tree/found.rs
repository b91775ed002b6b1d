//! The layout that was found.

use std::collections::BTreeSet;

use subvault_model::facts::{Disk, Facts, PoolFacts, SubvolumeFacts, Transport};
use subvault_plan::strategy::tier::Tier;

use super::{Kind, Node};
use crate::report::flow::ROWS_MAX;
use crate::report::{Report, words};

/// The disks with what is on them. Disks that share a pool are one node.
pub(super) fn roots(report: &Report<'_>) -> Vec<Node> {
    let facts = report.facts;
    let is_long = facts.pools.iter().map(|pool| pool.subvolumes.len()).sum::<usize>() > ROWS_MAX;
    let mut roots: Vec<Node> = together(facts)
        .into_iter()
        .map(|(disks, pools)| {
            let mut node = disk_node(facts, &disks);
            node.children.extend(pools.into_iter().map(|pool| pool_node(report, pool, is_long)));
            node
        })
        .collect();
    let is_on_none = |disk: &&Disk| !facts.pools.iter().any(|pool| pool.disks.contains(&disk.name));
    roots.extend(facts.disks.iter().filter(is_on_none).map(|disk| {
        let mut node = disk_node(facts, &BTreeSet::from([disk.name.as_str()]));
        let what = if disk.has_windows { "Windows is on it" } else { "no Btrfs of it is mounted" };
        node.details.push(what.to_owned());
        node.is_faint = true;
        node
    }));
    roots
}

/// Disks, by their names, and the pools on them.
type Together<'a> = (BTreeSet<&'a str>, Vec<&'a PoolFacts>);

/// Pools with their disks; those that have a disk in common are together.
fn together(facts: &Facts) -> Vec<Together<'_>> {
    let mut all: Vec<Together<'_>> = Vec::new();
    for pool in &facts.pools {
        let mut own: Together<'_> = (pool.disks.iter().map(String::as_str).collect(), vec![pool]);
        let (shared, apart): (Vec<_>, Vec<_>) = all.into_iter().partition(|(disks, _)| !disks.is_disjoint(&own.0));
        for (disks, pools) in shared.into_iter().rev() {
            own.0.extend(disks);
            own.1.splice(0..0, pools);
        }
        all = apart;
        all.push(own);
    }
    all
}

fn disk_node(facts: &Facts, names: &BTreeSet<&str>) -> Node {
    let describe = |name: &str| facts.disks.iter().find(|disk| disk.name == name).map(describe);
    let names: Vec<&str> = names.iter().copied().collect();
    match names.as_slice() {
        [] => Node::new(Kind::Disk, "disk unknown"),
        [one] => {
            let mut node = Node::new(Kind::Disk, *one);
            let model = facts.disks.iter().find(|disk| disk.name == *one).and_then(|disk| disk.model.clone());
            node.details.extend(describe(one).into_iter().chain(model));
            node
        }
        several => {
            let mut node = Node::new(Kind::Disk, words::count(several.len(), "disk"));
            let line = |name: &&str| describe(name).map_or((*name).to_owned(), |what| format!("{name}: {what}"));
            node.details.extend(several.iter().map(line));
            node
        }
    }
}

fn describe(disk: &Disk) -> String {
    let kind = match disk.transport {
        Transport::Nvme => "NVMe",
        Transport::Sata => "SATA",
        Transport::Usb => "USB",
        Transport::Virtual => "virtual",
        Transport::Scsi => "SCSI",
        Transport::Mmc => "flash card",
        Transport::Other => "disk",
    };
    let turns = if disk.is_rotational == Some(true) { ", turning" } else { "" };
    format!("{}, {kind}{turns}", disk.size)
}

fn pool_node(report: &Report<'_>, pool: &PoolFacts, is_long: bool) -> Node {
    let mut node = Node::new(Kind::Pool, format!("pool {}", pool.uuid.short()));
    node.details.push(format!("{} of {} used", pool.used, pool.size));
    node.details.push(format!("data {}, metadata {}", pool.data_profile, pool.metadata_profile));
    if is_long {
        node.children.extend(by_tier(report, pool));
    } else {
        node.children.extend(pool.subvolumes.iter().map(|found| subvolume(report, found)));
    }
    node
}

fn subvolume(report: &Report<'_>, found: &SubvolumeFacts) -> Node {
    let name = if found.path.as_bytes().is_empty() { "top level".to_owned() } else { found.path.to_string() };
    let mut node = Node::new(Kind::Subvolume, name);
    node.tier = tier(report, found);
    node.is_faint = node.tier.is_none();
    node.details.push(match &found.seen_at {
        Some(at) => words::rooted(at),
        None => "not mounted".to_owned(),
    });
    node
}

/// The tier that was decided for a subvolume; `None` where nothing was, since it is not mounted.
fn tier(report: &Report<'_>, found: &SubvolumeFacts) -> Option<Tier> {
    let path = found.seen_at.as_ref()?;
    report.strategy.subvolumes.iter().find(|subvolume| subvolume.path == *path).map(|found| found.tier.value)
}

/// The subvolumes of a pool that has too many of them.
fn by_tier(report: &Report<'_>, pool: &PoolFacts) -> Vec<Node> {
    let tiers = Tier::ALL.into_iter().map(Some).chain([None]);
    let node = |wanted: Option<Tier>| {
        let here: Vec<_> = pool.subvolumes.iter().filter(|found| tier(report, found) == wanted).collect();
        let first = here.first()?;
        if let [only] = here.as_slice() {
            return Some(subvolume(report, only));
        }
        let mut node = Node::new(Kind::Subvolume, words::count(here.len(), "subvolume"));
        node.details.push(format!("{} and others", first.path));
        node.tier = wanted;
        node.is_faint = wanted.is_none();
        Some(node)
    };
    tiers.filter_map(node).collect()
}
