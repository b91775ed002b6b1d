//! Running another program, for as long as one is willing to wait.
//!
//! Invariant: no shell, nothing on standard input unless it is talked with, and at the time limit the program goes together
//! with everything it started in its process group. Killed here: the program runs on by itself; it
//! must be one that does no harm so. Its output may be a secret and must never go into an error text.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock;
use crate::error::{HostError, HostErrorKind, Result};

/// How much output is kept; what is run here says little.
const OUTPUT_LIMIT: u64 = 16 << 20;

const WHAT: &str = "run";

/// How a program ended and what it said.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output, up to 16 MiB.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, up to 16 MiB.
    pub stderr: Vec<u8>,
}

/// Without what was said, which may be a secret.
impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Runs `argv[0]` with the arguments `argv[1..]` until it ends and closes its output.
///
/// # Errors
/// `NotFound` and the like when it cannot be started, `TimedOut` when it was killed. A failure that the
/// program itself reports is in `Output::status`.
pub fn run(argv: &[OsString], timeout: Duration) -> Result<Output> {
    run_in(argv, &[], timeout)
}

/// The same with something added to its environment.
///
/// # Errors
/// As `run`.
pub fn run_in(argv: &[OsString], environment: &[(OsString, OsString)], timeout: Duration) -> Result<Output> {
    let deadline = clock::monotonic() + timeout;
    let mut child = spawn(argv, environment, Stdio::null())?;
    let program = argv.first().cloned().unwrap_or_default();
    let trouble = |error: io::Error| HostError::new(WHAT, &program, error);
    let output = [child.stdout.take().map(collect), child.stderr.take().map(collect)];
    let output = output.map(|said| said.and_then(|said| said.recv_timeout(left(deadline)).ok()));
    // While the output is open the program is not asked how it ended, as its number must stay its own.
    if let [Some(stdout), Some(stderr)] = output
        && let Some(status) = wait(&mut child, deadline).map_err(trouble)?
    {
        return Ok(Output { status, stdout, stderr });
    }
    end_group(&mut child);
    let hint = format!("it did not end within {timeout:?} and was killed");
    Err(HostError::because(WHAT, &program, HostErrorKind::TimedOut, hint))
}

/// Whether a program of this name would be found in these places, which are those of the variable `PATH`.
#[must_use]
pub fn is_there(program: &OsStr, places: &OsStr) -> bool {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return path.is_file();
    }
    std::env::split_paths(places).any(|dir| dir.join(path).is_file())
}

/// Starts a program that is told something and answers, in a group of its own. Whoever starts it ends it.
pub(crate) fn start(argv: &[OsString], environment: &[(OsString, OsString)]) -> Result<Child> {
    spawn(argv, environment, Stdio::piped())
}

fn spawn(argv: &[OsString], environment: &[(OsString, OsString)], stdin: Stdio) -> Result<Child> {
    let Some((program, arguments)) = argv.split_first() else {
        let hint = "no program is named";
        return Err(HostError::because(WHAT, PathBuf::new(), HostErrorKind::Refused, hint));
    };
    Command::new(program)
        .args(arguments)
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| HostError::new(WHAT, program, error))
}

/// A program that is talked with for as long as both sides like. Whatever happens, it is ended and waited for.
pub struct Conversation {
    child: Mutex<Child>,
    complaints: Mutex<Option<Receiver<Vec<u8>>>>,
}

impl Conversation {
    /// Starts `argv[0]` with the arguments `argv[1..]`; what it says and what is said to it come apart.
    ///
    /// # Errors
    /// `NotFound` and the like when it cannot be started.
    pub fn start(argv: &[OsString]) -> Result<(Self, ChildStdout, ChildStdin)> {
        let mut child = start(argv, &[])?;
        let complaints = child.stderr.take().map(collect);
        let ends = child.stdout.take().zip(child.stdin.take());
        let conversation = Self { child: Mutex::new(child), complaints: Mutex::new(complaints) };
        let program = argv.first().cloned().unwrap_or_default();
        let (from, to) = ends.ok_or_else(|| HostError::new(WHAT, program, io::ErrorKind::BrokenPipe))?;
        Ok((conversation, from, to))
    }

    /// Ends it at once, with what it started.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // Its number is its own as long as it was not waited for.
        if let Ok(None) = child.try_wait() {
            end_group(&mut child);
        }
    }

    /// Waits for its end, for so long; then it is ended. The last line that it complained with, if it did.
    pub fn end(&self, patience: Duration) -> Option<String> {
        let deadline = clock::monotonic() + patience;
        let ended = wait(&mut self.child.lock().unwrap_or_else(PoisonError::into_inner), deadline);
        if !matches!(ended, Ok(Some(_))) {
            self.kill();
        }
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let said = complaints.recv_timeout(Duration::from_secs(1)).ok()?;
        let last = said.split(|byte| *byte == b'\n').rfind(|line| !line.trim_ascii().is_empty())?;
        Some(last.trim_ascii().escape_ascii().to_string())
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads to the end in a thread of its own, so that neither output can block the other.
pub(crate) fn collect(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = from.by_ref().take(OUTPUT_LIMIT).read_to_end(&mut bytes);
        // The rest is read as well, or the program would wait for ever.
        if read.and_then(|_| io::copy(&mut from, &mut io::sink())).is_ok() {
            let _ = sender.send(bytes);
        }
    });
    receiver
}

/// `None` when it still runs at the deadline.
pub(crate) fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_micros(100);
    loop {
        let status = child.try_wait()?;
        let left = left(deadline);
        if status.is_some() || left.is_zero() {
            return Ok(status);
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Kills the program and what it started. It is not yet waited for, so its number is still its own.
pub(crate) fn end_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(clock::monotonic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, timeout: Duration) -> Result<Output> {
        run(&["sh".into(), "-c".into(), script.into()], timeout)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn output_and_status_are_those_of_the_program() {
        let output = sh("echo out; echo err >&2; exit 3", LONG).unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
        assert!(!format!("{output:?}").contains("out"));
    }

    #[test]
    fn no_shell_is_between() {
        let output = run(&["echo".into(), "$HOME; $(id)".into()], LONG).unwrap();
        assert_eq!(output.stdout, b"$HOME; $(id)\n");
    }

    #[test]
    fn much_output_on_both_sides_does_not_block() {
        let script = "head -c 20000000 /dev/zero >&2; head -c 3000000 /dev/zero";
        let output = sh(script, LONG).unwrap();
        assert_eq!((output.stderr.len(), output.stdout.len()), (16 << 20, 3_000_000));
    }

    #[test]
    fn at_the_time_limit_the_whole_group_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let script = format!("(sleep 1; touch {}) & sleep 30", mark.display());
        let begun = clock::monotonic();
        let error = sh(&script, Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.kind(), HostErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(1));
        std::thread::sleep(Duration::from_millis(1300));
        assert!(!mark.exists());
    }

    #[test]
    fn what_it_left_behind_with_the_output_open_is_ended_too() {
        let error = sh("sleep 30 & exit 0", Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.kind(), HostErrorKind::TimedOut);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let error = run(&["/nowhere/program".into()], LONG).unwrap_err();
        assert_eq!(error.kind(), HostErrorKind::NotFound);
        assert_eq!(run(&[], LONG).unwrap_err().kind(), HostErrorKind::Refused);
    }
}
