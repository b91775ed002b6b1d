//! The host as the pages see it: what the strategy says of each subvolume, beside where it lies in its pool and where its
//! snapshots are.

use std::path::{Path, PathBuf};

use subvault_model::facts::{PoolFacts, SubvolumeFacts};
use subvault_model::file_path::FilePath;
use subvault_model::ids::PoolUuid;
use subvault_plan::rollback::fstab::{self, Line};
use subvault_plan::strategy::SubvolumeStrategy;
use subvault_plan::strategy::workload::Workload;

use super::words::{Words, words};
use super::{Runbook, Site, Target, quote};

/// Where the configuration is, unless said otherwise.
const CONFIG: &str = "/etc/subvault/subvault.toml";
/// Where `subvault` looks for the private key by itself.
const IDENTITY: &str = "/etc/subvault/identity.txt";

/// A host.
pub(super) struct Host<'a> {
    pub(super) runbook: &'a Runbook,
    /// Its subvolumes, in the strategy's order.
    pub(super) subvolumes: Vec<Subvolume<'a>>,
    /// The lines of its fstab.
    pub(super) fstab: Vec<Line>,
}

/// A subvolume.
pub(super) struct Subvolume<'a> {
    pub(super) chosen: &'a SubvolumeStrategy,
    /// Where it is seen, from `/` on.
    pub(super) at: PathBuf,
    /// The pool that it is on, and what is known of it there.
    pub(super) seen: Option<(&'a PoolFacts, &'a SubvolumeFacts)>,
    /// Where its snapshots are, where the configuration has it.
    pub(super) snapshots: Option<&'a Path>,
}

/// A place in a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InPool {
    pub(super) pool: PoolUuid,
    /// From the top level.
    pub(super) path: PathBuf,
}

impl<'a> Host<'a> {
    pub(super) fn of(runbook: &'a Runbook) -> Self {
        let subvolumes = runbook.strategy.subvolumes.iter().map(|chosen| Subvolume::of(chosen, runbook)).collect();
        Self { runbook, subvolumes, fstab: fstab::parse(&runbook.fstab) }
    }

    /// What it is called in stores and among copies.
    pub(super) fn name(&self) -> &'a str {
        &self.runbook.strategy.host
    }

    /// The directory with configuration and keys.
    pub(super) fn settings(&self) -> &'a Path {
        self.runbook.config.parent().unwrap_or(Path::new("/"))
    }

    /// The file with the private key.
    pub(super) fn identity(&self) -> &'a Path {
        &self.runbook.identity
    }

    /// The option that names the private key, where it is not found by itself.
    pub(super) fn identity_option(&self) -> String {
        match self.identity() == Path::new(IDENTITY) {
            true => String::new(),
            false => format!(" -i {}", quote::path(self.identity())),
        }
    }

    /// What has to be said first of all where the configuration is not in the usual place.
    pub(super) fn unusual_config(&self) -> Option<Words> {
        let config = quote::path(&self.runbook.config);
        let is_usual = self.runbook.config == Path::new(CONFIG);
        (!is_usual).then(|| words!("Before the first command: {}", format!("export SUBVAULT_CONFIG={config}")))
    }

    /// Those that have snapshots.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Subvolume<'a>> {
        self.subvolumes.iter().filter(|subvolume| subvolume.is_kept())
    }

    /// What the system runs from, where it is looked after.
    pub(super) fn root(&self) -> Option<&Subvolume<'a>> {
        self.kept().find(|subvolume| subvolume.is_root())
    }

    /// Those that are mounted below this one, the outer ones first.
    pub(super) fn below(&self, outer: &Subvolume<'_>) -> Vec<&Subvolume<'a>> {
        let inside = |at: &Path| at != outer.at && at.starts_with(&outer.at);
        let mounted = |subvolume: &&Subvolume<'_>| subvolume.seen.is_some_and(|(_, seen)| seen.is_mounted);
        let mut below: Vec<_> = self.subvolumes.iter().filter(mounted).filter(|s| inside(&s.at)).collect();
        below.sort_by(|one, other| one.at.cmp(&other.at));
        below
    }

    /// Where a subvolume is sent to, what is nearest first.
    pub(super) fn targets_of(&self, subvolume: &Subvolume<'_>) -> Vec<&'a Target> {
        let is_sent = |target: &&Target| {
            let planned = self.runbook.strategy.targets.iter().find(|planned| planned.name == target.name);
            planned.is_some_and(|planned| planned.subvolumes.contains(&subvolume.chosen.name))
        };
        let mut targets: Vec<_> = self.runbook.targets.iter().filter(is_sent).collect();
        targets.sort_by_key(|target| target.distance());
        targets
    }

    /// Those that are sent to a target.
    pub(super) fn sent_to(&self, target: &Target) -> Vec<&Subvolume<'a>> {
        let is_sent = |subvolume: &&Subvolume<'a>| self.targets_of(subvolume).contains(&target);
        self.subvolumes.iter().filter(is_sent).collect()
    }

    /// Where a path of the system is in a pool.
    pub(super) fn in_pool(&self, path: &Path) -> Option<InPool> {
        let holds = |subvolume: &&Subvolume<'_>| path.starts_with(&subvolume.at);
        let outer = self.subvolumes.iter().filter(holds).max_by_key(|subvolume| subvolume.at.components().count())?;
        let place = outer.place()?;
        Some(InPool { path: place.path.join(path.strip_prefix(&outer.at).ok()?), ..place })
    }

    /// The line of the fstab by which the file system of a directory is mounted, where that is not the root's.
    pub(super) fn mounted_by(&self, directory: &Path) -> Option<&Line> {
        let holds = |line: &&Line| line.point != Path::new("/") && directory.starts_with(&line.point);
        self.fstab.iter().filter(holds).max_by_key(|line| line.point.components().count())
    }
}

impl<'a> Subvolume<'a> {
    fn of(chosen: &'a SubvolumeStrategy, runbook: &'a Runbook) -> Self {
        let pairs = runbook.facts.pools.iter().flat_map(|pool| pool.subvolumes.iter().map(move |seen| (pool, seen)));
        let absolute = |path: &FilePath| Path::new("/").join(quote::as_path(path));
        let at = absolute(&chosen.path);
        let is_it =
            |(_, seen): &(&PoolFacts, &SubvolumeFacts)| seen.seen_at.as_ref().map(absolute).as_ref() == Some(&at);
        Self {
            chosen,
            at: at.clone(),
            seen: pairs.into_iter().find(is_it),
            snapshots: runbook.snapshots.get(&chosen.name).map(PathBuf::as_path),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &'a str {
        self.chosen.name.as_str()
    }

    /// Whether the system runs from it.
    pub(super) fn is_root(&self) -> bool {
        self.at == Path::new("/")
    }

    /// Whether it has snapshots that subvault knows.
    pub(super) fn is_kept(&self) -> bool {
        self.chosen.is_configured && self.chosen.snapshots.value.is_some() && self.snapshots.is_some()
    }

    pub(super) fn is(&self, workload: Workload) -> bool {
        self.chosen.workload.value == workload
    }

    /// Where it is in its pool.
    pub(super) fn place(&self) -> Option<InPool> {
        let (pool, seen) = self.seen?;
        Some(InPool { pool: pool.uuid, path: quote::as_path(&seen.path).to_owned() })
    }
}

impl Target {
    /// How far away it is, as a number to sort by.
    fn distance(&self) -> u8 {
        match &self.site {
            Site::Mounted(_) => 0,
            Site::Disk { .. } => 1,
            Site::Directory(_) => 2,
            Site::Host { .. } => 3,
            Site::Bucket(_) => 4,
        }
    }

    /// The name of its page.
    pub(super) fn page(&self) -> String {
        let kind = match &self.site {
            Site::Mounted(_) | Site::Disk { .. } => "disk",
            Site::Directory(_) => "archive",
            Site::Host { .. } => "host",
            Site::Bucket(_) => "cloud",
        };
        format!("{kind}-{}", self.name)
    }

    /// What it is, before its name.
    pub(super) const fn kind(&self) -> &'static str {
        match &self.site {
            Site::Mounted(_) => "the copies at",
            Site::Disk { .. } => "the copies on the disk",
            Site::Directory(_) => "the archive",
            Site::Host { .. } => "the copies on the host",
            Site::Bucket(_) => "the bucket",
        }
    }
}
