//! Progress, notes and warnings while a job runs.
//!
//! A bar on a terminal and nothing but lines elsewhere. Called from the middle of pipelines: it never blocks for long.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::{Event, Monitor};

use super::{note, to_journal};

const KNOWN: &str = "{spinner} {msg}  {bar:24} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
const UNKNOWN: &str = "{spinner} {msg}  {binary_bytes}  {binary_bytes_per_sec}  {elapsed}";

/// Shows what goes on.
pub struct Progress {
    quiet: bool,
    terminal: bool,
    journal: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// Shows it on standard error.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { quiet, terminal, journal: to_journal(), bar: Mutex::new(None) }
    }

    /// Whether notes are not shown.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.quiet
    }

    fn with_bar(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        // A thread that died while drawing must not stop the work.
        if let Ok(mut bar) = self.bar.lock() {
            act(&mut bar);
        }
    }

    fn begin(&self, what: String, expected: Option<ByteSize>) {
        if self.quiet || !self.terminal {
            return;
        }
        let bar = match expected {
            Some(size) => ProgressBar::new(size.get()),
            None => ProgressBar::no_length(),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let template = if expected.is_some() { KNOWN } else { UNKNOWN };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        self.with_bar(|slot| {
            if let Some(old) = slot.replace(bar) {
                old.finish_and_clear();
            }
        });
    }

    fn line(&self, text: &str) {
        self.with_bar(|bar| match bar {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        });
    }
}

impl Monitor for Progress {
    fn event(&self, event: Event) {
        match event {
            Event::Started { what, expected } => self.begin(what, expected),
            Event::Progress(size) | Event::Reused(size) => self.with_bar(|bar| {
                if let Some(bar) = bar {
                    bar.inc(size.get());
                }
            }),
            Event::Finished => self.with_bar(|bar| {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
            }),
            Event::Note(text) if !self.quiet => {
                self.line(&if self.journal { format!("<6>{text}") } else { text });
            }
            Event::Note(_) => {}
            Event::Warning(text) if self.journal => self.line(&format!("<4>warning: {text}")),
            Event::Warning(text) => self.line(&format!("\u{1b}[33mwarning\u{1b}[0m: {text}")),
        }
    }
}
