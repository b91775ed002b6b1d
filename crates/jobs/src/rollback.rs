//! Rolling a subvolume back: looks at the pool and at what boots, lets `plan` judge, and carries the transaction out.
//!
//! What is to happen is written down on the pool before anything happens, and struck out when all has happened. Killed
//! anywhere: the next run finds the note, compares it with the pool, and goes on or back. Nothing is deleted but a snapshot
//! that this very transaction made and that never was in use.

mod act;
mod boot_files;
mod look;
mod note;
pub mod settled;

use std::path::{Path, PathBuf};

use serde_json::json;
use subvault_host::clock;
use subvault_host::top_level::{Access, TopLevel};
use subvault_model::crash;
use subvault_model::monitor::{Event, Monitor};
use subvault_plan::rollback::choice::{NoChoice, Wanted, choose, kept_aside};
use subvault_plan::rollback::path::PoolPath;
use subvault_plan::rollback::transaction::{Step, Stuck, Transaction};
use subvault_plan::rollback::{Facts, Known, PoolFacts, Source, replaced_from};

use crate::audit::Audit;
use crate::driver::chain;
use crate::error::JobError;

/// Where the subvolume is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// At a path of this system.
    Here(&'a Path),
    /// On the pool of this device, at a path from its top level; without one, where the unfinished rollback is.
    On(&'a Path, Option<&'a Path>),
}

/// A pool that is looked at or changed.
#[derive(Debug)]
pub struct Session {
    top: TopLevel,
    pool: PoolFacts,
    place: PoolPath,
    unfinished: Option<Transaction>,
    is_here: bool,
    /// Where the boot partition is said to be mounted.
    boot: Option<PathBuf>,
}

/// What was done.
#[derive(Debug)]
pub struct Done {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Where what is in the place now is still not to be seen, because something else is mounted: mount points.
    pub stale_mounts: Vec<PathBuf>,
}

impl Session {
    /// Opens the pool by its top level; `boot` is where its boot partition is mounted, where that is not its place.
    ///
    /// # Errors
    /// When the subvolume is not there or cannot be rolled back, or the note of an unfinished rollback is not understood.
    pub fn open(place: Place<'_>, boot: Option<&Path>, access: Access) -> Result<Self, JobError> {
        let boot = boot.map(|path| std::path::absolute(path).map_err(JobError::file("find", path))).transpose()?;
        let (top, named, is_here) = match place {
            Place::Here(path) => {
                let (top, at) = look::find(path, access)?;
                (top, Some(at), true)
            }
            Place::On(device, path) => (TopLevel::of_device(device, access)?, path.map(PoolPath::new), false),
        };
        let pool = look::pool(&top)?;
        let unfinished = note::read(&top)?;
        let place = named.or_else(|| unfinished.as_ref().map(|note| note.place.clone())).ok_or_else(no_place)?;
        // After a rollback and before the reboot, what is mounted is what is kept aside: its place is meant.
        let meant = replaced_from(place.as_path()).map(|(of, _)| PoolPath::new(of));
        let place = meant.filter(|of| pool.at(of.as_path()).is_some()).unwrap_or(place);
        Ok(Self { top, pool, place, unfinished, is_here, boot })
    }

    /// The place, from the top level.
    #[must_use]
    pub fn place(&self) -> &PoolPath {
        &self.place
    }

    /// The rollback that was begun on this pool and not finished.
    #[must_use]
    pub fn unfinished(&self) -> Option<&Transaction> {
        self.unfinished.as_ref()
    }

    /// What is in the place now.
    ///
    /// # Errors
    /// When there is nothing.
    pub fn subject(&self) -> Result<&Known, JobError> {
        self.pool.at(self.place.as_path()).ok_or_else(|| JobError::Refused {
            what: format!("there is no subvolume {} on this pool", self.place),
            hint: "name it by its path from the top level of the pool, as `btrfs subvolume list` shows it".to_owned(),
        })
    }

    /// The snapshot that is wanted.
    ///
    /// # Errors
    /// When there is none.
    pub fn snapshot(&self, wanted: &Wanted) -> Result<Source, JobError> {
        let chosen = choose(&self.pool, self.subject()?, wanted).map_err(|error| no_choice(&error))?;
        Ok(Source { known: chosen.clone(), itself: false })
    }

    /// What was replaced last, and comes back when that is undone.
    ///
    /// # Errors
    /// When nothing is kept aside.
    pub fn kept_aside(&self) -> Result<Source, JobError> {
        let kept = kept_aside(&self.pool, &self.place).map_err(|error| no_choice(&error))?;
        Ok(Source { known: kept.clone(), itself: true })
    }

    /// Everything that a judgement needs.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn facts(&self, source: Source) -> Result<Facts, JobError> {
        look::facts(self, source)
    }

    /// What is still to be done of a transaction.
    ///
    /// # Errors
    /// When the pool is not as the transaction left it.
    pub fn steps(&self, transaction: &Transaction) -> Result<Vec<Step>, JobError> {
        transaction.steps(&self.pool).map_err(|error| stuck(&error))
    }

    /// The same transaction, to be taken back.
    ///
    /// # Errors
    /// When the pool is not as the transaction left it.
    pub fn reverted(&self, transaction: &Transaction) -> Result<Transaction, JobError> {
        transaction.reverted(&self.pool).map_err(|error| stuck(&error))
    }

    /// Begins a transaction and carries it out. What cannot be brought to its end is taken back.
    ///
    /// # Errors
    /// Why it could not be done.
    pub fn begin(&self, transaction: &Transaction, audit: &Audit, monitor: &dyn Monitor) -> Result<Done, JobError> {
        let error = match self.carry_out(transaction, audit, monitor) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let back = look::pool(&self.top).and_then(|pool| transaction.reverted(&pool).map_err(|error| stuck(&error)));
        let told = match back.and_then(|back| self.carry_out(&back, audit, monitor)) {
            Ok(_) => "what had been done was taken back".to_owned(),
            Err(second) => format!("it could not be taken back either ({}); say --undo or --resume", chain(&second)),
        };
        monitor.event(Event::Note(told));
        Err(error)
    }

    /// Carries out what is still to be done of a transaction.
    ///
    /// # Errors
    /// Why it could not be done; the note stays, and says so to the next run.
    pub fn carry_out(&self, transaction: &Transaction, audit: &Audit, monitor: &dyn Monitor) -> Result<Done, JobError> {
        let result = self.perform(transaction, monitor);
        let (outcome, result_json) = match &result {
            Ok(steps) => ("done", json!({ "steps": steps })),
            Err(error) => ("failed", json!({ "error": chain(error) })),
        };
        let detail = json!({ "transaction": transaction, "result": result_json });
        if let Err(error) = audit.add(clock::now(), "rollback", outcome, detail) {
            monitor.event(Event::Warning(chain(&error)));
        }
        let steps = result?;
        let stale_mounts = look::stale_mounts(&self.top, transaction)?;
        Ok(Done { steps, stale_mounts })
    }

    fn perform(&self, transaction: &Transaction, monitor: &dyn Monitor) -> Result<Vec<Step>, JobError> {
        let steps = transaction.steps(&look::pool(&self.top)?).map_err(|error| stuck(&error))?;
        let boot = look::boot_directories(self)?;
        note::write(&self.top, transaction)?;
        crash::point("rollback-noted");
        for step in &steps {
            act::perform(&self.top, (transaction, &boot), step, monitor)?;
        }
        let pool = self.top.pool()?;
        pool.sync()?;
        crash::point("rollback-synced");
        note::remove(&self.top)?;
        pool.sync()?;
        Ok(steps)
    }
}

/// Which subvolume an unfinished rollback of this pool is of.
///
/// # Errors
/// When its note is there and cannot be read.
pub fn unfinished_on(top: &TopLevel) -> Result<Option<PathBuf>, JobError> {
    Ok(note::read(top)?.map(|transaction| transaction.place.as_path().to_owned()))
}

fn no_place() -> JobError {
    JobError::Refused {
        what: "no rollback is unfinished on this pool, and no subvolume was named".to_owned(),
        hint: "name the subvolume by its path from the top level of the pool, as `btrfs subvolume list` shows it"
            .to_owned(),
    }
}

fn no_choice(error: &NoChoice) -> JobError {
    let hint = "`btrfs subvolume list -s` shows the snapshots of a pool".to_owned();
    JobError::Refused { what: error.to_string(), hint }
}

fn stuck(error: &Stuck) -> JobError {
    let hint = format!(
        "put the subvolumes where they belong by hand, or remove {} from the top level of the pool when all is right",
        note::NAME
    );
    JobError::Refused { what: error.to_string(), hint }
}
