//! What all verbs share: where the configuration is, how to show things, who listens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use subvault_host::clock;
use subvault_host::lock::{LockError, RunLock};
use subvault_jobs::audit::{Audit, make_directory};
use subvault_jobs::nested;
use subvault_jobs::setup::Setup;
use subvault_model::monitor::{Event, Monitor};

use crate::capabilities;
use crate::config;
use crate::failure::Failure;
use crate::output;
use crate::output::progress::Progress;

/// How often the lock is tried while another run holds it.
const PATIENCE: Duration = Duration::from_millis(250);

/// What all verbs share.
pub struct Context {
    /// The configuration file.
    pub config: PathBuf,
    /// Whether answers are JSON.
    pub json: bool,
    /// Who shows what goes on.
    pub monitor: Progress,
}

/// The right to change things, and the record of what is changed.
pub struct Run {
    /// The record.
    pub audit: Audit,
    _lock: RunLock,
}

impl Context {
    /// A context.
    #[must_use]
    pub fn new(config: PathBuf, json: bool, quiet: bool) -> Self {
        Self { config, json, monitor: Progress::new(quiet) }
    }

    /// The configuration, checked and filled in.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn setup(&self) -> Result<Setup, Failure> {
        let document = config::load(&self.config)?;
        let mut setup = config::resolve(&document)?;
        nested::include(&mut setup, &self.monitor);
        Ok(setup)
    }

    /// Begins a run that changes things: takes the lock, tells of a run that died, tries out new buckets.
    ///
    /// # Errors
    /// When another run is at work, or the state directory cannot be written.
    pub fn begin(&self, setup: &mut Setup, command: &str) -> Result<Run, Failure> {
        let run = self.lock(&setup.state, "lock", command)?;
        capabilities::complete(setup)?;
        Ok(run)
    }

    /// Takes a lock of the state directory.
    ///
    /// # Errors
    /// When another run holds it.
    pub fn lock(&self, state: &Path, name: &str, command: &str) -> Result<Run, Failure> {
        make_directory(state)?;
        let lock = RunLock::acquire(&state.join(name), command)?;
        if let Some(owner) = lock.taken_over_from() {
            let note = format!("taking over from process {}, which died during `{}`", owner.pid, owner.command);
            self.monitor.event(Event::Note(note));
        }
        Ok(Run { audit: Audit::open(state, clock::now())?, _lock: lock })
    }

    /// The same as `begin`, after the run that is at work.
    ///
    /// # Errors
    /// When the state directory cannot be written.
    pub fn begin_at_last(&self, setup: &mut Setup, command: &str) -> Result<Run, Failure> {
        let run = self.lock_at_last(&setup.state, command)?;
        capabilities::complete(setup)?;
        Ok(run)
    }

    /// Takes the lock of the state directory, and waits while another run holds it.
    ///
    /// # Errors
    /// When the state directory cannot be written.
    pub fn lock_at_last(&self, state: &Path, command: &str) -> Result<Run, Failure> {
        let mut told = false;
        loop {
            match self.lock(state, "lock", command) {
                Err(Failure::Lock(error @ LockError::Held { .. })) => {
                    if !told {
                        self.monitor.event(Event::Note(format!("waiting: {error}")));
                    }
                    told = true;
                    std::thread::sleep(PATIENCE);
                }
                other => return other,
            }
        }
    }

    /// Shows an answer: as JSON where that is asked for, else in words.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn answer<T: Serialize>(&self, answer: &T, words: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { output::json(answer) } else { output::say(&words()) }
    }
}
