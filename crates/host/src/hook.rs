//! Commands of the user around snapshots: before, after, or held open in between.
//!
//! Invariant: what was begun is ended, by `end` or by dropping it, and at its time limit a command goes together with
//! all that it started. Killed here: a held command loses its input, by which it knows that it is to end; what an ordinary
//! `before` did stays done until `after` is run, and whoever calls this has to remember that. It must never run anything
//! through a shell, and it tells no more of a command's output than its last complaint.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::clock;
use crate::error::{HostError, HostErrorKind, Result};
use crate::process::{self, Output, end_group, wait};

/// What is run around snapshots. Without words, a part is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Runs to its end before.
    pub before: Vec<OsString>,
    /// Runs to its end after.
    pub after: Vec<OsString>,
    /// Is started before, after `before`; has begun with its first line of output, and ends when its input does.
    pub hold: Vec<OsString>,
    /// What `hold` is told.
    pub input: String,
    /// Who runs them, if not we.
    pub user: Option<String>,
    /// What is added to their environment.
    pub environment: Vec<(OsString, OsString)>,
    /// How long each may take, and `hold` to begin and to end.
    pub timeout: Duration,
}

/// A hook that was begun.
#[derive(Debug)]
pub struct Begun {
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    child: Child,
    /// Open for as long as it is held.
    input: Option<ChildStdin>,
    complaints: Receiver<Vec<u8>>,
}

const WHAT: &str = "run the hook";

impl Hook {
    /// One that does nothing yet.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            before: Vec::new(),
            after: Vec::new(),
            hold: Vec::new(),
            input: String::new(),
            user: None,
            environment: Vec::new(),
            timeout,
        }
    }

    /// Begins it.
    ///
    /// # Errors
    /// When a command cannot be started, fails, or takes too long.
    pub fn begin(&self) -> Result<Begun> {
        self.run(&self.before)?;
        Ok(Begun { held: if self.hold.is_empty() { None } else { Some(self.hold()?) } })
    }

    /// Ends it: lets go of what is held, and runs `after`, also when that fails, or when nothing is known to have begun.
    ///
    /// # Errors
    /// As `begin`.
    pub fn end(&self, begun: Option<Begun>) -> Result<()> {
        let released = begun.and_then(|begun| begun.held).map_or(Ok(()), |held| self.release(held));
        self.run(&self.after)?;
        released
    }

    /// As the configured user. `runuser` is part of every system that has users, and looks them up as the system does.
    fn as_user(&self, argv: &[OsString]) -> Vec<OsString> {
        let Some(user) = &self.user else { return argv.to_vec() };
        let before = ["runuser", "-u", user, "--"].map(OsString::from);
        before.into_iter().chain(argv.iter().cloned()).collect()
    }

    fn run(&self, argv: &[OsString]) -> Result<()> {
        if argv.is_empty() {
            return Ok(());
        }
        let output = process::run_in(&self.as_user(argv), &self.environment, self.timeout)?;
        if output.status.success() { Ok(()) } else { Err(complaint(argv, &output)) }
    }

    fn hold(&self) -> Result<Held> {
        let argv = self.as_user(&self.hold);
        let program = argv.first().cloned().unwrap_or_default();
        let mut child = process::start(&argv, &self.environment)?;
        let input = child.stdin.take();
        let first_line = child.stdout.take().map(first_line);
        let complaints = child.stderr.take().map(process::collect);
        let (Some(mut input), Some(first_line), Some(complaints)) = (input, first_line, complaints) else {
            return Err(HostError::because(WHAT, program, HostErrorKind::Other, "its input and output are not there"));
        };
        // What it does not read is no error yet: it tells itself what it thinks of it.
        let told = input.write_all(self.input.as_bytes()).and_then(|()| input.flush());
        let held = Held { child, input: Some(input), complaints };
        match first_line.recv_timeout(self.timeout) {
            Ok(()) => {
                told.map_err(|error| HostError::new(WHAT, &program, error))?;
                Ok(held)
            }
            Err(RecvTimeoutError::Timeout) => {
                let hint = format!("it did not say a line within {:?} and was killed", self.timeout);
                Err(HostError::because(WHAT, &program, HostErrorKind::TimedOut, hint))
            }
            Err(RecvTimeoutError::Disconnected) => match held.finish(self.timeout) {
                Some(output) => Err(complaint(&self.hold, &output)),
                None => Err(late(&self.hold, self.timeout)),
            },
        }
    }

    fn release(&self, mut held: Held) -> Result<()> {
        drop(held.input.take());
        match held.finish(self.timeout) {
            Some(output) if output.status.success() => Ok(()),
            Some(output) => Err(complaint(&self.hold, &output)),
            None => Err(late(&self.hold, self.timeout)),
        }
    }
}

impl Held {
    /// Waits for its end; `None` when that takes too long.
    fn finish(mut self, timeout: Duration) -> Option<Output> {
        drop(self.input.take());
        let deadline = clock::monotonic() + timeout;
        let stderr = self.complaints.recv_timeout(timeout).ok()?;
        let status = wait(&mut self.child, deadline).ok()??;
        Some(Output { status, stdout: Vec::new(), stderr })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Once it was waited for, its number may be somebody else's.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            end_group(&mut self.child);
        }
    }
}

/// Tells of the first line of output, and reads the rest so that it never blocks.
fn first_line(from: impl Read + Send + 'static) -> Receiver<()> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        if matches!(from.read_until(b'\n', &mut line), Ok(1..)) && line.ends_with(b"\n") {
            let _ = sender.send(());
            let _ = std::io::copy(&mut from, &mut std::io::sink());
        }
    });
    receiver
}

fn complaint(argv: &[OsString], output: &Output) -> HostError {
    let program = argv.first().cloned().unwrap_or_default();
    let said = output.stderr.split(|byte| *byte == b'\n').rfind(|line| !line.trim_ascii().is_empty());
    // It is for people, and not long.
    let said: String = OsStr::from_bytes(said.unwrap_or_default()).display().to_string().chars().take(200).collect();
    let hint = if said.is_empty() { output.status.to_string() } else { format!("{}: {said}", output.status) };
    HostError::because(WHAT, program, HostErrorKind::Other, hint)
}

fn late(argv: &[OsString], timeout: Duration) -> HostError {
    let program = argv.first().cloned().unwrap_or_default();
    let hint = format!("it did not end within {timeout:?} and was killed");
    HostError::because(WHAT, program, HostErrorKind::TimedOut, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Vec<OsString> {
        vec!["sh".into(), "-c".into(), script.into()]
    }

    fn hook() -> Hook {
        Hook::new(Duration::from_secs(10))
    }

    #[test]
    fn what_is_held_runs_until_it_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let [begun, ended, after] = ["begun", "ended", "after"].map(|name| dir.path().join(name));
        let script = format!(
            "read word; test \"$word\" = lock || exit 3; touch {}; echo held; cat; touch {}",
            begun.display(),
            ended.display()
        );
        let hook = Hook {
            hold: sh(&script),
            input: "lock\n".to_owned(),
            after: sh(&format!("test -e {} && touch {}", ended.display(), after.display())),
            ..hook()
        };
        let held = hook.begin().unwrap();
        assert!(begun.exists() && !ended.exists());
        hook.end(Some(held)).unwrap();
        assert!(ended.exists() && after.exists());
    }

    #[test]
    fn failures_say_why() {
        let failing = Hook { before: sh("echo first >&2; echo 'no such role' >&2; exit 2"), ..hook() };
        let error = failing.begin().unwrap_err().to_string();
        assert!(error.contains("exit status: 2: no such role"), "{error}");
        let silent = Hook { hold: sh("echo 'access denied' >&2; exit 1"), ..hook() };
        let error = silent.begin().unwrap_err().to_string();
        assert!(error.contains("access denied"), "{error}");
        let slow = Hook { hold: sh("sleep 30"), timeout: Duration::from_millis(200), ..hook() };
        let begin = clock::monotonic();
        assert_eq!(slow.begin().unwrap_err().kind(), HostErrorKind::TimedOut);
        assert!(begin.elapsed() < Duration::from_secs(5));
        let missing = Hook { before: vec!["/nowhere/program".into()], ..hook() };
        assert_eq!(missing.begin().unwrap_err().kind(), HostErrorKind::NotFound);
    }

    #[test]
    fn what_does_not_let_go_is_killed_and_after_is_run_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let after = dir.path().join("after");
        let touch = sh(&format!("touch {}", after.display()));
        let stubborn = sh("echo held; trap '' TERM; sleep 30 <&- & sleep 30");
        let hook = Hook { hold: stubborn, after: touch, timeout: Duration::from_millis(300), ..hook() };
        let held = hook.begin().unwrap();
        assert_eq!(hook.end(Some(held)).unwrap_err().kind(), HostErrorKind::TimedOut);
        assert!(after.exists());
    }

    #[test]
    fn the_environment_is_added_to() {
        let hook = Hook {
            before: sh("test \"$PGPORT\" = 5433 && test -n \"$PATH\""),
            environment: vec![("PGPORT".into(), "5433".into())],
            ..hook()
        };
        hook.begin().unwrap();
    }
}
