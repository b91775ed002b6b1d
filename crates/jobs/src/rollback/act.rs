//! Does one step of a rollback, on things whose identity is read again right before.
//!
//! Each step can be done twice, and can be cut off in the middle: what is seen afterwards tells what is left. It must never
//! decide, and never touch a subvolume that is not the one meant.

use std::path::{Path, PathBuf};

use subvault_host::inside::{Found, Inside};
use subvault_host::subvolume::Subvolume;
use subvault_host::top_level::TopLevel;
use subvault_host::{HostErrorKind, snapshot};
use subvault_model::crash;
use subvault_model::ids::SnapshotUuid;
use subvault_model::monitor::{Event, Monitor};
use subvault_plan::rollback::entry::may_replace;
use subvault_plan::rollback::fstab;
use subvault_plan::rollback::path::PoolPath;
use subvault_plan::rollback::transaction::{BootEntry, Step, Transaction};

use super::look;
use crate::error::JobError;
use crate::note as snapshot_note;

/// Larger than any fstab that somebody keeps.
pub(super) const FSTAB_MAX: u64 = 1 << 20;
/// Enough of a boot entry to tell whose it is.
const ENTRY_MAX: u64 = 1 << 20;

pub(super) fn perform(
    top: &TopLevel,
    (transaction, boot): (&Transaction, &[PathBuf]),
    step: &Step,
    monitor: &dyn Monitor,
) -> Result<(), JobError> {
    match step {
        Step::TakeSnapshot { of, from, at } => take(top, *of, from, at),
        Step::MendFstab { at, lines, place } => mend_fstab(top, at, lines, place),
        Step::Exchange { place, aside } => exchange(top, transaction, place, aside),
        Step::MakeDirectories { directory, at, like } => {
            let (inside, like) = (Inside::open(&top.join(at.as_path()))?, Inside::open(&top.join(like.as_path()))?);
            Ok(inside.make_directories(directory.as_path(), &like)?)
        }
        Step::Move { uuid, from, to, read_only } => move_nested(top, *uuid, from, to, *read_only),
        Step::MakeReadOnly { uuid, at } => Ok(open(top, at, *uuid)?.make_read_only()?),
        Step::SetDefault { at } => {
            top.pool()?.set_default_subvolume(top.subvolume(at.as_path())?.id())?;
            crash::point("rollback-default-set");
            Ok(())
        }
        Step::WriteEntry { file, within: Some(at), text } => {
            let inside = Inside::open(&top.join(at.as_path()))?;
            write_entry(&inside, file, text.as_deref(), monitor)
        }
        Step::WriteEntry { text, .. } => match transaction.entry.as_ref() {
            Some(entry) => write_entry_here(entry, boot, text.as_deref(), monitor),
            None => Ok(()),
        },
        Step::Discard { at, uuid } => {
            top.delete(at.as_path(), *uuid)?;
            crash::point("rollback-discarded");
            Ok(())
        }
        Step::KeepReverted { uuid, from, to } => {
            open(top, from, *uuid)?;
            top.rename(from.as_path(), to.as_path())?;
            crash::point("rollback-kept");
            Ok(())
        }
    }
}

/// Opens what is at this path, if it is the one that is meant.
fn open(top: &TopLevel, at: &PoolPath, expected: SnapshotUuid) -> Result<Subvolume, JobError> {
    let subvolume = top.subvolume(at.as_path())?;
    if subvolume.info()?.uuid == Some(expected) {
        return Ok(subvolume);
    }
    Err(JobError::Stale(format!("the subvolume {at}")))
}

fn take(top: &TopLevel, of: SnapshotUuid, from: &PoolPath, at: &PoolPath) -> Result<(), JobError> {
    let source = open(top, from, of)?;
    let directory = at.as_path().parent().unwrap_or(Path::new(""));
    let name = at.as_path().file_name().unwrap_or_default();
    snapshot::take_writable(&source, &top.join(directory), name)?;
    crash::point("rollback-taken");
    Ok(())
}

fn mend_fstab(top: &TopLevel, at: &PoolPath, lines: &[usize], place: &PoolPath) -> Result<(), JobError> {
    let (inside, path) = (Inside::open(&top.join(at.as_path()))?, Path::new("etc/fstab"));
    let Some(text) = inside.read(path, FSTAB_MAX)? else { return Err(JobError::Stale(format!("etc/fstab in {at}"))) };
    inside.replace(path, &fstab::mend(&text, lines, place.as_path()))?;
    crash::point("rollback-fstab-mended");
    Ok(())
}

/// One of the two must be what is replaced and the other what replaces it, whichever way it goes.
fn exchange(top: &TopLevel, transaction: &Transaction, place: &PoolPath, aside: &PoolPath) -> Result<(), JobError> {
    let pool = look::pool(top)?;
    let found = [place, aside].map(|path| pool.at(path.as_path()));
    let [Some(one), Some(other)] = found else { return Err(JobError::Stale(format!("{place} or {aside}"))) };
    let fits = |out: &_, into: &_| same(out, transaction.outgoing) && transaction.is_incoming(into);
    if !fits(one, other) && !fits(other, one) {
        return Err(JobError::Stale(format!("{place} or {aside}")));
    }
    top.exchange(place.as_path(), aside.as_path())?;
    crash::point("rollback-exchanged");
    Ok(())
}

fn same(known: &subvault_plan::rollback::Known, uuid: SnapshotUuid) -> bool {
    known.uuid == uuid
}

/// The kernel moves a subvolume into another one only while it is writable.
fn move_nested(
    top: &TopLevel,
    uuid: SnapshotUuid,
    from: &PoolPath,
    to: &PoolPath,
    read_only: bool,
) -> Result<(), JobError> {
    let nested = open(top, from, uuid)?;
    // First: without its mark it would not stay for long.
    take_note_along(top, from.as_path(), to.as_path())?;
    if read_only {
        nested.make_writable()?;
        crash::point("rollback-made-writable");
    }
    let moved = top.rename(from.as_path(), to.as_path());
    crash::point("rollback-moved");
    if read_only {
        nested.make_read_only()?;
    }
    Ok(moved?)
}

/// Sees to it that what is noted beside a snapshot is beside it in its new place too. What was noted there when the
/// subvolume was as it is again may have changed since.
fn take_note_along(top: &TopLevel, from: &Path, to: &Path) -> Result<(), JobError> {
    let (Some(from), Some(to)) = (snapshot_note::beside(from), snapshot_note::beside(to)) else { return Ok(()) };
    let inside = Inside::open(&top.join(Path::new("")))?;
    match inside.read(&from, snapshot_note::LENGTH_MAX)? {
        Some(noted) => inside.replace(&to, &noted)?,
        None => inside.remove(&to)?,
    }
    Ok(())
}

/// Only below a boot directory of this run, and through no link that leads out of it.
fn write_entry_here(
    entry: &BootEntry,
    boot: &[PathBuf],
    text: Option<&str>,
    monitor: &dyn Monitor,
) -> Result<(), JobError> {
    let left = |why: &str| {
        monitor.event(Event::Warning(format!("the boot entry {} stays as it is: {why}", entry.file.display())));
        Ok(())
    };
    // In a rescue system the boot partition may be mounted elsewhere; the subvolumes matter more.
    let Some((base, file)) = entry.below(boot) else {
        return left("its boot partition is not mounted there, or --boot does not name it");
    };
    let inside = match Inside::open(base) {
        Ok(inside) => inside,
        Err(error) if error.kind() == HostErrorKind::NotFound => return left("its directory is not there"),
        Err(error) => return Err(error.into()),
    };
    if inside.find_at(file)? == Found::NoDirectory {
        return left("its directory is not there");
    }
    write_entry(&inside, file, text, monitor)
}

fn write_entry(inside: &Inside, file: &Path, text: Option<&str>, monitor: &dyn Monitor) -> Result<(), JobError> {
    if inside.read(file, ENTRY_MAX)?.is_some_and(|found| !may_replace(file, &found)) {
        monitor.event(Event::Warning(format!("{} is not ours any more, and stays as it is", file.display())));
        return Ok(());
    }
    match text {
        Some(text) => inside.replace(file, text.as_bytes())?,
        None => inside.remove(file)?,
    }
    crash::point("rollback-entry-written");
    Ok(())
}
