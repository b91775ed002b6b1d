//! Throw-away Btrfs pools on loop devices, for tests that run as root.
//!
//! Invariant: whatever was mounted or attached by a pool is undone when it is dropped, also while a
//! test panics. Killed here: a loop device and a file below the temporary directory stay behind; the
//! device is marked to vanish with its last user. It must never touch a device that it did not attach.

use std::cell::RefCell;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use tempfile::TempDir;

/// A Btrfs file system on one loop device, mounted at its top level.
#[derive(Debug)]
pub struct LoopPool {
    device: LoopDevice,
    mounts: RefCell<Vec<PathBuf>>,
    dir: TempDir,
}

impl LoopPool {
    /// Makes and mounts a pool of `size` bytes (sparse; 120 MiB is the least that `mkfs.btrfs` takes).
    ///
    /// Commits every second, so that the kernel cleans up deleted subvolumes within a test's life.
    ///
    /// # Errors
    /// When a tool is missing or fails, or this is not root.
    pub fn new(size: u64, mkfs_options: &[&str], mount_options: &[&str]) -> Result<Self> {
        let dir = TempDir::with_prefix("subvault-pool-")?;
        let image = dir.path().join("image");
        std::fs::File::create_new(&image)?.set_len(size)?;
        let device = LoopDevice::attach(&image)?;
        run(Command::new("mkfs.btrfs").arg("-q").args(mkfs_options).arg(&device.0))?;
        let pool = Self { device, mounts: RefCell::default(), dir };
        pool.mount_again(mount_options)?;
        Ok(pool)
    }

    /// Where the pool's top level is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.mounts.borrow()[0].clone()
    }

    /// The loop device.
    #[must_use]
    pub fn device(&self) -> &Path {
        &self.device.0
    }

    /// Mounts the pool once more, at a place of its own, for example with `["subvol=@home"]`.
    ///
    /// # Errors
    /// When `mount` fails.
    pub fn mount_again(&self, options: &[&str]) -> Result<PathBuf> {
        let point = self.dir.path().join(format!("mount{}", self.mounts.borrow().len()));
        std::fs::create_dir(&point)?;
        let options = [&["commit=1"], options].concat().join(",");
        run(Command::new("mount").arg("-o").arg(options).arg(&self.device.0).arg(&point))?;
        self.mounts.borrow_mut().push(point.clone());
        Ok(point)
    }
}

impl Drop for LoopPool {
    fn drop(&mut self) {
        for point in self.mounts.borrow().iter().rev() {
            // Lazily if something is still open; the loop device goes with its last user.
            if unmount(point, UnmountFlags::empty()).is_err() {
                let _ = unmount(point, UnmountFlags::DETACH);
            }
        }
    }
}

/// Unmounts what nothing has open. A process that another test is about to start has for a moment open whatever we had.
///
/// # Errors
/// When it is busy for longer, or nothing is mounted there.
pub fn unmount_when_idle(point: &Path) -> Result<()> {
    const TRIES: u32 = 100;
    for _ in 1..TRIES {
        match unmount(point, UnmountFlags::empty()) {
            Err(Errno::BUSY) => thread::sleep(Duration::from_millis(100)),
            done => return Ok(done?),
        }
    }
    Ok(unmount(point, UnmountFlags::empty())?)
}

/// Detaches on drop, after the mounts are gone.
#[derive(Debug)]
struct LoopDevice(PathBuf);

impl LoopDevice {
    fn attach(image: &Path) -> Result<Self> {
        // Another process can take the free device between the two halves of `losetup -f`.
        let mut tries = 5;
        loop {
            match run(Command::new("losetup").args(["-f", "--show"]).arg(image)) {
                Ok(device) => return Ok(Self(device.trim_end().into())),
                Err(error) if tries == 0 => return Err(error),
                Err(_) => tries -= 1,
            }
        }
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = run(Command::new("losetup").arg("-d").arg(&self.0));
    }
}

/// What the command printed; its complaints as an error.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(Error::other(format!("{command:?}: {}", complaint.trim_end())))
}
