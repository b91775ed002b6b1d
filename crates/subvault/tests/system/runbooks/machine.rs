//! A machine for runbooks: disks that are loop devices, started anew for each script in name spaces of its own, with a root of
//! its own. What is destroyed is brought back by putting the disks' images of before in place.
//!
//! Four programs are stood in for (`over`): there is no systemd to talk to, no udev that sees the devices of a name space, and
//! kernels of test machines need not have FAT. The stand-ins do the same by other means, and refuse what they do not know.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::world::{PROGRAM, Ran, finish, text, tool};

/// Names a directory with the Python package `awscli`, such as `ci/aws-cli.sh` prints.
pub(crate) const AWS_CLI: &str = "SUBVAULT_TEST_AWS_CLI";

/// A disk of a machine.
struct Disk {
    name: &'static str,
    size: u64,
}

/// A loop device, detached when dropped.
struct Loop(String);

impl Loop {
    fn attach(image: &Path, options: &[&str]) -> Self {
        // Another process can take the free device between the two halves of `losetup -f`.
        let command = [&["losetup", "-f", "--show"], options, &[text(image)]].concat();
        let tries = (0..5).find_map(|_| {
            let ran = finish(Command::new(command[0]).args(&command[1..]));
            (ran.code == Some(0)).then(|| ran.out.trim().to_owned())
        });
        Self(tries.unwrap())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

/// A machine.
pub(crate) struct Machine {
    dir: TempDir,
    disks: Vec<Disk>,
    loops: Vec<Loop>,
}

impl Machine {
    /// With these disks, of so many MiB each, and nothing on them; its system is going to be on the partition `system`.
    pub(crate) fn new(disks: &[(&'static str, u64)], system: &str) -> Self {
        let dir = TempDir::with_prefix_in("subvault-runbook-", directory()).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let disks = disks.iter().map(|(name, mib)| Disk { name, size: mib << 20 }).collect();
        let mut machine = Self { dir, disks, loops: Vec::new() };
        for disk in &machine.disks {
            fs::File::create(machine.image(disk.name)).unwrap().set_len(disk.size).unwrap();
        }
        fs::write(machine.path("system"), system).unwrap();
        machine.stand_ins();
        machine.attach();
        machine
    }

    fn stand_ins(&self) {
        let files = [
            ("local/bin/aws", include_str!("over/aws")),
            ("bin/systemctl", include_str!("over/systemctl")),
            ("bin/udevadm", include_str!("over/udevadm")),
            ("sbin/mkfs.vfat", include_str!("over/mkfs.vfat")),
            ("sbin/mount.vfat", include_str!("over/mount.vfat")),
        ];
        for (path, script) in files {
            let path = self.path("over").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::copy(PROGRAM, self.path("over/local/bin/subvault")).unwrap();
        fs::write(self.path("boot.sh"), include_str!("boot.sh")).unwrap();
        fs::write(self.path("forward.py"), include_str!("forward.py")).unwrap();
        fs::write(self.path("cmdline"), "quiet\n").unwrap();
        fs::create_dir(self.path("settings")).unwrap();
        if let Some(directory) = env::var_os(AWS_CLI) {
            fs::write(self.path("aws"), directory.as_encoded_bytes()).unwrap();
        }
    }

    /// Whether the provider's own tool is there. It may be missing where the environment says so.
    pub(crate) fn has_aws_cli(&self) -> bool {
        let may_be_missing = env::var("SUBVAULT_TEST_WITHOUT_S3_SERVERS").is_ok_and(|value| value == "1");
        let is_there = self.path("aws").exists();
        let hint = "`eval \"$(ci/aws-cli.sh)\"`, or say SUBVAULT_TEST_WITHOUT_S3_SERVERS=1 to leave it out";
        assert!(is_there || may_be_missing, "{AWS_CLI} is not set: {hint}");
        is_there
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn image(&self, disk: &str) -> PathBuf {
        self.path(&format!("{disk}.img"))
    }

    /// Attaches the disks and their partitions, and tells the machine of them.
    pub(crate) fn attach(&mut self) {
        self.detach();
        let mut lines = String::new();
        for disk in &self.disks {
            let image = self.image(disk.name);
            let whole = Loop::attach(&image, &[]);
            lines.push_str(&format!("{} {}\n", disk.name, whole.0));
            self.loops.push(whole);
            let begin = if disk.name.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
            for (number, [start, sectors]) in partitions(&image) {
                let place = [format!("--offset={}", start * 512), format!("--sizelimit={}", sectors * 512)];
                let part = Loop::attach(&image, &[&place[0], &place[1]]);
                lines.push_str(&format!("{}{begin}{number} {}\n", disk.name, part.0));
                self.loops.push(part);
            }
        }
        fs::write(self.path("disks"), lines).unwrap();
    }

    /// Attaches them again where a script divided one of them.
    pub(crate) fn attach_new(&mut self) {
        if self.path("attached").exists() {
            self.attach();
        }
    }

    fn detach(&mut self) {
        // Devices that a script made lie on the others.
        let attached = fs::read_to_string(self.path("attached")).unwrap_or_default();
        for device in attached.lines().filter_map(|line| line.split(' ').nth(1)) {
            let _ = Command::new("losetup").args(["-d", device]).status();
        }
        let _ = fs::remove_file(self.path("attached"));
        while self.loops.pop().is_some() {}
    }

    /// The device of a disk or partition.
    pub(crate) fn device(&self, name: &str) -> String {
        let lines = fs::read_to_string(self.path("disks")).unwrap();
        let found = lines.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        found.unwrap_or_else(|| panic!("{name}: {lines}")).to_owned()
    }

    /// Keeps the disks as they are now.
    pub(crate) fn keep(&mut self) {
        self.detach();
        for disk in &self.disks {
            copy(&self.image(disk.name), &self.path(&format!("{}.kept", disk.name)));
        }
        self.attach();
    }

    /// Puts the disks as they were kept; those in `blank` are new and empty instead.
    pub(crate) fn reset(&mut self, blank: &[&str]) {
        self.detach();
        for disk in &self.disks {
            let image = self.image(disk.name);
            fs::remove_file(&image).unwrap();
            if blank.contains(&disk.name) {
                fs::File::create(&image).unwrap().set_len(disk.size).unwrap();
            } else {
                copy(&self.path(&format!("{}.kept", disk.name)), &image);
            }
        }
        self.attach();
    }

    /// Runs a script of bash on it: `here`, or in a `rescue` system, or on an`other` machine that its disks are plugged into.
    pub(crate) fn run(&self, place: &str, script: &str) -> Ran {
        let file = self.path("script");
        fs::write(&file, script).unwrap();
        let mut command = Command::new("timeout");
        command.args(["-k", "5", "240", "unshare", "--mount", "--propagation", "private"]);
        command.args(["--pid", "--fork", "--kill-child", "--net", "--uts", "bash"]);
        command.arg(self.path("boot.sh")).arg(self.dir.path()).arg(place).arg(file).stdin(Stdio::null());
        for name in ["SUBVAULT_CONFIG", "SUBVAULT_CRASH_AT", "TMPDIR"] {
            command.env_remove(name);
        }
        finish(&mut command)
    }
}

/// Where images lie. Databases wait for the disk all the time: the environment may name a directory in memory.
fn directory() -> PathBuf {
    env::var_os("SUBVAULT_TEST_MEMORY").map_or_else(env::temp_dir, PathBuf::from)
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.detach();
    }
}

fn copy(from: &Path, to: &Path) {
    tool(&["cp", "--sparse=always", text(from), text(to)]);
}

/// The partitions of an image: number, and where it begins and how long it is, in sectors.
fn partitions(image: &Path) -> Vec<(u64, [u64; 2])> {
    let command = ["--show", "--noheadings", "--bytes", "-o", "NR,START,SECTORS", text(image)];
    let found = finish(Command::new("partx").args(command));
    let numbers = |line: &str| line.split_whitespace().map(|n| n.parse::<u64>().unwrap()).collect::<Vec<_>>();
    found.out.lines().map(numbers).map(|line| (line[0], [line[1], line[2]])).collect()
}
