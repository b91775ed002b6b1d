//! Being asked to end, by a signal, while something has to be put back first.
//!
//! Invariant: the first signal is noted and nothing else; a second one ends the process at once, as it would without this.
//! Killed here (by `kill -9`): nothing is noted, so whoever relies on this must also find what was left.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{HostError, HostErrorKind, Result};

/// Whether somebody asked, as long as this lives; afterwards signals do what they did before.
#[derive(Debug)]
pub struct Interruption {
    asked: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

impl Interruption {
    /// From now on, the first signal is noted.
    ///
    /// # Errors
    /// When the kernel does not let us.
    pub fn begin() -> Result<Self> {
        let trouble = |error: std::io::Error| HostError::new("listen to signals in", "/proc/self", error);
        let mut interruption = Self { asked: Arc::default(), registered: Vec::new() };
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // In this order: the first one finds the flag not yet set.
            let ends = flag::register_conditional_default(signal, Arc::clone(&interruption.asked)).map_err(trouble)?;
            interruption.registered.push(ends);
            let notes = flag::register(signal, Arc::clone(&interruption.asked)).map_err(trouble)?;
            interruption.registered.push(notes);
        }
        Ok(interruption)
    }

    /// Nothing, or that we were asked to end.
    ///
    /// # Errors
    /// `Interrupted` when we were.
    pub fn check(&self, what: &'static str, path: &Path) -> Result<()> {
        if !self.asked.load(Ordering::SeqCst) {
            return Ok(());
        }
        let hint = "a signal asked to end; what was changed for it is put back";
        Err(HostError::because(what, path, HostErrorKind::Interrupted, hint))
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
