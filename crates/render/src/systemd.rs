//! Units of systemd and rules of udev: what starts `subvault run` when something is due, and `subvault replicate` when a
//! disk is plugged in.
//!
//! The timer only wakes: what is due is decided by the run. So it wakes at every calendar event in use, and a run that
//! finds nothing due ends at once. Nothing here may end in a unit that keeps a run from what the configuration asks for:
//! what hooks are, nobody knows, so they are not locked in.

mod disk;
mod escape;
mod manners;
mod service;
mod slice;
mod timer;

use std::path::PathBuf;

use subvault_model::ids::PoolUuid;
use subvault_model::names::TargetName;
use subvault_plan::calendar::Calendar;

pub use self::manners::Manners;
use crate::file::RenderedFile;

/// The word behind `subvault render`.
const WORD: &str = "systemd";

/// What the units are made of.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The program.
    pub program: PathBuf,
    /// Its configuration, where it is not in the usual place.
    pub config: Option<PathBuf>,
    /// The name of its state directory below `/var/lib`, where it is there.
    pub state: Option<String>,
    /// Directories in which a run makes and removes things.
    pub writes: Vec<PathBuf>,
    /// When something may be due.
    pub wake: Vec<Calendar>,
    /// The time zone of the events that name none, if it is not the machine's.
    pub zone: Option<String>,
    /// Disks whose arrival starts a replication.
    pub disks: Vec<Disk>,
    /// Secrets that the service manager hands on: their names, and the files that they are in.
    pub credentials: Vec<(String, PathBuf)>,
    /// Whether anything goes over a network.
    pub network: bool,
    /// Whether commands of the user's are run.
    pub hooks: bool,
    /// How the work makes room for others.
    pub manners: Manners,
}

/// A disk and the target that is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The target.
    pub target: TargetName,
    /// How it is recognised.
    pub identity: DiskIdentity,
}

/// How a disk is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskIdentity {
    /// By its Btrfs.
    Pool(PoolUuid),
    /// By the LUKS container that its Btrfs is in.
    Luks(String),
}

/// Why there can be no units.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRendered {
    /// Nothing would ever start.
    #[error("nothing is ever due: no calendar event and no disk is in the configuration")]
    NothingDue,
    /// The name of a target cannot be part of a unit's name.
    #[error("the target `{0}` cannot be started by a unit, whose name must not hold `+`")]
    UnfitName(TargetName),
    /// Something that is no uuid.
    #[error("`{0}` is not the uuid of a disk")]
    UnfitUuid(String),
    /// A path is not text.
    #[error("{0:?} cannot be written into a unit: it is not text, or holds a line break")]
    UnfitPath(PathBuf),
}

/// The files.
///
/// # Errors
/// When there is nothing to start, or it cannot be written down.
pub fn render(wanted: &Wanted) -> Result<Vec<RenderedFile>, NotRendered> {
    if wanted.wake.is_empty() && wanted.disks.is_empty() {
        return Err(NotRendered::NothingDue);
    }
    let mut files = Vec::new();
    if !wanted.wake.is_empty() {
        files.push(unit("subvault.service", service::run(wanted)?));
        files.push(unit("subvault.timer", timer::text(wanted)));
    }
    if !wanted.disks.is_empty() {
        files.push(unit("subvault-replicate@.service", service::replicate(wanted)?));
        files.push(RenderedFile {
            path: "etc/udev/rules.d/90-subvault.rules".into(),
            text: disk::rules(&wanted.disks)?,
        });
    }
    files.push(unit("subvault.slice", slice::text(wanted)));
    Ok(files)
}

fn unit(name: &str, text: String) -> RenderedFile {
    RenderedFile { path: PathBuf::from("etc/systemd/system").join(name), text }
}
