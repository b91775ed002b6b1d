//! Running a command of the user in our place: with our terminal, our environment, and for as long as it takes.
//!
//! Invariant: while it runs, a signal that would end us goes to it instead, and what we do after it is done. Killed here
//! (by `kill -9`): the command runs on by itself. It must never run anything through a shell.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::error::{HostError, HostErrorKind, Result};

const WHAT: &str = "run";

/// Runs `argv[0]` with the arguments `argv[1..]` to its end; its exit code as a shell would tell it.
///
/// # Errors
/// `NotFound` and the like when it cannot be started.
pub fn run(argv: &[OsString]) -> Result<u8> {
    let Some((program, arguments)) = argv.split_first() else {
        let hint = "no program is named";
        return Err(HostError::because(WHAT, PathBuf::new(), HostErrorKind::Refused, hint));
    };
    let trouble = |error: std::io::Error| HostError::new(WHAT, program, error);
    // Before it starts: a signal in between would end us and leave it alone.
    let passing = Passing::begin().map_err(trouble)?;
    let child = Command::new(program).args(arguments).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            passing.end();
            return Err(trouble(error));
        }
    };
    let status = passing.wait(&mut child);
    status.map(code).map_err(trouble)
}

/// What a shell makes of how a program ended.
fn code(status: ExitStatus) -> u8 {
    let signalled = status.signal().map(|signal| signal.saturating_add(128));
    status.code().or(signalled).and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Who gets the signals.
#[derive(Debug, Clone, Copy)]
enum Receiver {
    /// Nobody yet: the command is about to start. Then it gets this one.
    Nobody(Option<i32>),
    /// The command.
    Command(Pid),
    /// We, as if this had never been.
    Us,
}

/// Passes signals on.
struct Passing(Arc<Mutex<Receiver>>);

impl Passing {
    fn begin() -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let receiver = Arc::new(Mutex::new(Receiver::Nobody(None)));
        std::thread::Builder::new().name("signals".to_owned()).spawn({
            let receiver = Arc::clone(&receiver);
            move || signals.forever().for_each(|signal| pass(signal, &receiver))
        })?;
        Ok(Self(receiver))
    }

    fn wait(self, child: &mut Child) -> std::io::Result<ExitStatus> {
        let pid = Pid::from_child(child);
        if let Receiver::Nobody(Some(signal)) = self.set(Receiver::Command(pid)) {
            forward(signal, pid);
        }
        // Until it has been waited for, its number is its own.
        let mut ended = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while matches!(ended, Err(rustix::io::Errno::INTR)) {
            ended = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
        self.end();
        ended?;
        child.wait()
    }

    fn end(&self) {
        self.set(Receiver::Us);
    }

    fn set(&self, receiver: Receiver) -> Receiver {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), receiver)
    }
}

fn pass(signal: i32, receiver: &Mutex<Receiver>) {
    let mut receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
    // What is typed at the terminal the command gets as well as we do.
    let was_typed = matches!(signal, SIGINT | SIGQUIT) && std::io::stdin().is_terminal();
    match *receiver {
        Receiver::Command(_) if was_typed => {}
        Receiver::Command(pid) => forward(signal, pid),
        Receiver::Nobody(_) => *receiver = Receiver::Nobody(Some(signal)),
        Receiver::Us => drop(emulate_default_handler(signal)),
    }
}

fn forward(signal: i32, to: Pid) {
    // It may just have ended.
    let _ = Signal::from_named_raw(signal).map(|signal| kill_process(to, signal));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Result<u8> {
        run(&["sh".into(), "-c".into(), script.into()])
    }

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(sh("exit 0").unwrap(), 0);
        assert_eq!(sh("exit 42").unwrap(), 42);
        assert_eq!(sh("kill -TERM $$").unwrap(), 143);
        assert_eq!(run(&["/nowhere/program".into()]).unwrap_err().kind(), HostErrorKind::NotFound);
        assert_eq!(run(&[]).unwrap_err().kind(), HostErrorKind::Refused);
    }
}
