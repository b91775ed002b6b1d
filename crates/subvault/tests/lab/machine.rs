//! A machine of the laboratory: it is booted, told what to do, and its power is cut.
//!
//! Invariant: it is over when it is dropped, also while a test panics, and then what was on its console is shown. Killed
//! here: the machine dies with its test, and a temporary directory stays behind.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::console;
use crate::world::{PROGRAM, Ran, text, tool};

/// How long a machine may take for anything it is asked for, its boot included; then it is taken for hung.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long one boot may last in all.
const SECONDS: &str = "280";
/// What every script begins with.
const PREAMBLE: &str = "set -euE\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\nexport SUBVAULT_CONFIG=/host/subvault.toml TZ=UTC HOME=/root\n";

/// Where the kernel and the root image are; made when they are missing.
static LAB: LazyLock<PathBuf> = LazyLock::new(|| {
    let made = Command::new(scripts().join("make.sh")).stderr(Stdio::inherit()).output().unwrap();
    assert!(made.status.success(), "the laboratory could not be made");
    PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())
});

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/lab")
}

/// What is started first in a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    /// A script: up in a second, without udev or services.
    Script,
    /// systemd, with udev.
    Systemd,
}

/// A machine that is on.
struct Running {
    child: Child,
    /// Ends with the last process that has the console: after it nothing writes to the disks any more.
    console: JoinHandle<()>,
}

impl Running {
    fn end(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.console.join();
    }
}

/// A machine, on or off. Its disks and the directory that it shares with us outlive its boots.
pub(crate) struct Machine {
    running: Option<Running>,
    asked: usize,
    share: TempDir,
}

impl Machine {
    /// One that is off and has no disks. The program under test is in it.
    pub(crate) fn new() -> Self {
        let share = TempDir::with_prefix("subvault-lab-").unwrap();
        // Without what only a debugger reads, which is most of it.
        tool(&["strip", "-o", text(&share.path().join("subvault")), PROGRAM]);
        Self { running: None, asked: 0, share }
    }

    /// A path that is `/host/…` inside.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.share.path().join(name)
    }

    /// Makes an empty disk of so many MiB, to be attached by its name.
    pub(crate) fn new_disk(&self, name: &str, mib: u64) -> PathBuf {
        let image = self.shared(name);
        File::create_new(&image).unwrap().set_len(mib << 20).unwrap();
        image
    }

    /// Boots with these disks, as `/dev/ubdb`, `/dev/ubdc` and so on.
    pub(crate) fn boot(&mut self, init: Init, disks: &[&str]) {
        assert!(self.running.is_none(), "it is on already");
        let asked = self.shared("ask");
        let _ = fs::remove_dir_all(&asked);
        fs::create_dir(asked).unwrap();
        self.asked = 0;
        let (mut console, writer) = io::pipe().unwrap();
        let mut command = Command::new(scripts().join("boot.sh"));
        command.arg(&*LAB).arg(self.share.path()).arg(SECONDS);
        command.arg(match init {
            Init::Script => "init=/usr/lib/lab/init.sh",
            Init::Systemd => "init=/lib/systemd/systemd",
        });
        for (disk, letter) in disks.iter().zip('b'..) {
            command.arg(format!("ubd{letter}=/host/{disk}"));
        }
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        let mut log = File::options().create(true).append(true).open(self.log()).unwrap();
        let console = thread::spawn(move || drop(io::copy(&mut console, &mut log)));
        self.running = Some(Running { child, console });
    }

    fn log(&self) -> PathBuf {
        self.shared("console.log")
    }

    /// Runs a script of bash, that ends at its first failing command, to its end.
    #[track_caller]
    pub(crate) fn run(&mut self, script: &str) -> Ran {
        let number = self.start(script);
        self.ended(number)
    }

    /// The same, having to succeed; what it printed.
    #[track_caller]
    pub(crate) fn must(&mut self, script: &str) -> String {
        self.run(script).expect(0).out
    }

    /// Has a script run; its number.
    pub(crate) fn start(&mut self, script: &str) -> usize {
        self.asked += 1;
        let path = |end: &str| self.shared("ask").join(format!("{}.{end}", self.asked));
        // It appears all at once.
        fs::write(path("new"), format!("{PREAMBLE}{script}\n")).unwrap();
        fs::rename(path("new"), path("sh")).unwrap();
        self.asked
    }

    /// How a script ended that was started.
    #[track_caller]
    pub(crate) fn ended(&mut self, number: usize) -> Ran {
        let path = |end: &str| self.shared("ask").join(format!("{number}.{end}"));
        let (code, out, err) = (path("code"), path("out"), path("err"));
        let begin = Instant::now();
        while !self.has_ended(number) {
            assert!(begin.elapsed() < PATIENCE, "the machine is hung");
            assert!(!self.is_over(), "the machine went off");
            thread::sleep(Duration::from_millis(10));
        }
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        Ran { code: read(&code).trim().parse().ok(), out: read(&out), err: read(&err) }
    }

    /// Whether a script that was started has ended.
    pub(crate) fn has_ended(&self, number: usize) -> bool {
        self.shared("ask").join(format!("{number}.code")).exists()
    }

    fn is_over(&mut self) -> bool {
        self.running.as_mut().is_none_or(|running| running.child.try_wait().unwrap().is_some())
    }

    /// Cuts its power: all of it ends at once.
    pub(crate) fn cut(&mut self) {
        self.running.take().unwrap().end();
    }

    /// Shuts it down in good order.
    #[track_caller]
    pub(crate) fn off(&mut self) {
        self.start(
            "if [ -d /run/systemd/system ]; then systemctl poweroff; else sync; echo o > /proc/sysrq-trigger; fi",
        );
        let begin = Instant::now();
        while !self.is_over() {
            assert!(begin.elapsed() < PATIENCE, "the machine does not go off");
            thread::sleep(Duration::from_millis(10));
        }
        self.cut();
    }

    /// Plugs a disk in as `/dev/ubd` and this letter.
    pub(crate) fn plug(&self, letter: char, disk: &str) {
        console::command(&self.socket(), &format!("config ubd{letter}=/host/{disk}")).unwrap();
    }

    /// Pulls a disk out; what the machine says when it will not let it go.
    pub(crate) fn unplug(&self, letter: char) -> Result<String, String> {
        console::command(&self.socket(), &format!("remove ubd{letter}"))
    }

    fn socket(&self) -> PathBuf {
        self.shared("console/machine/mconsole")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
        if thread::panicking() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(80).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            let _ = writeln!(io::stderr(), "The console of the machine:\n{}", last.join("\n"));
        }
    }
}
