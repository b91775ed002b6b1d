//! Disks that are here only now and then: found by uuid, opened, mounted for as long as they are needed, and let go.
//!
//! Invariant: what was opened or mounted here is closed and unmounted when the value is dropped, in the opposite order,
//! also after errors. Killed here: the mount and the mapping stay, under names that the next run knows and takes over.
//! Devices are told by what is written on them and not by their names, which move, nor by links that need udev.
//! It must never mount or close what somebody else has opened, and never show a key to anybody.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use subvault_model::ids::PoolUuid;

use crate::error::{HostError, HostErrorKind, Result};
use crate::pool::Pool;
use crate::process::run;

/// Where the first superblock lies, and where in it what is.
const SUPERBLOCK: u64 = 64 << 10;
const FSID: std::ops::Range<usize> = 0x20..0x30;
const MAGIC: std::ops::Range<usize> = 0x40..0x48;
const DEVICES: std::ops::Range<usize> = 0x88..0x90;
const DEVICE_ID: std::ops::Range<usize> = 0xc9..0xd1;

/// How long opening a disk may take: the key is stretched on purpose.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often something that is still busy is tried again.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// A disk that has to be opened with a key first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The uuid in its LUKS header.
    pub uuid: String,
    /// Where the key is.
    pub key_file: PathBuf,
}

/// A pool that is mounted for a while.
#[derive(Debug)]
pub struct AttachedPool {
    point: PathBuf,
    mapping: Option<Mapping>,
}

impl AttachedPool {
    /// Finds the pool, opens its disk where need be, and mounts its top level at `point`.
    ///
    /// # Errors
    /// `NotFound` when it is not here.
    pub fn attach(uuid: PoolUuid, luks: Option<&Encrypted>, point: &Path) -> Result<Self> {
        let mapping = luks.map(|luks| Mapping::of(luks, uuid)).transpose()?.flatten();
        let devices = devices_of(uuid);
        devices.check(uuid)?;
        make_point(point)?;
        // Where a run was killed it is still mounted.
        if Pool::containing(point).map(|pool| pool.uuid()).ok() != Some(uuid) {
            mount_at(&devices.paths, point)?;
        }
        Ok(Self { point: point.to_owned(), mapping })
    }

    /// Where its top level is.
    #[must_use]
    pub fn point(&self) -> &Path {
        &self.point
    }
}

impl Drop for AttachedPool {
    fn drop(&mut self) {
        // Something may have it open for a moment longer.
        for _ in 0..TRIES {
            match unmount(&self.point, UnmountFlags::empty()) {
                Err(rustix::io::Errno::BUSY) => std::thread::sleep(PAUSE),
                _ => break,
            }
        }
        // Its disk is closed after that, by `Mapping`.
        drop(self.mapping.take());
        let _ = std::fs::remove_dir(&self.point);
    }
}

/// Mounts the top level: seen by nobody else's mounts, and nothing on it is run.
fn mount_at(devices: &[PathBuf], point: &Path) -> Result<()> {
    let trouble = |error| HostError::new("mount", point, error);
    let Some((first, others)) = devices.split_first() else { return Err(trouble(rustix::io::Errno::NODEV)) };
    let mut options = b"subvolid=5".to_vec();
    for device in others {
        options.extend(b",device=");
        options.extend(device.as_os_str().as_bytes());
    }
    let options = CString::new(options).map_err(|_| trouble(rustix::io::Errno::INVAL))?;
    let flags = MountFlags::NOATIME | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(first, point, "btrfs", flags, options.as_c_str()).map_err(trouble)?;
    mount_change(point, MountPropagationFlags::PRIVATE).map_err(trouble)
}

fn make_point(point: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(point)
        .map_err(|e| HostError::new("make the mount point", point, e))
}

/// The devices of a pool that are here.
struct Devices {
    paths: Vec<PathBuf>,
    /// How many it has.
    all: u64,
}

impl Devices {
    fn check(&self, uuid: PoolUuid) -> Result<()> {
        let here = self.paths.len() as u64;
        let hint = match here {
            0 => format!("no device of the pool {uuid} is here"),
            _ if here < self.all => format!("{here} of the {} devices of the pool {uuid} are here", self.all),
            _ => return Ok(()),
        };
        Err(HostError::because("find the disk", PathBuf::from("/dev"), HostErrorKind::NotFound, hint))
    }
}

/// Finds the devices whose superblocks name the pool; of two that show the same one, a mapping.
fn devices_of(uuid: PoolUuid) -> Devices {
    let mut found: BTreeMap<[u8; 8], PathBuf> = BTreeMap::new();
    let mut all = 0;
    for device in block_devices() {
        let Some(block) = read_at::<4096>(&device, SUPERBLOCK) else { continue };
        if &block[MAGIC] != b"_BHRfS_M" || block[FSID] != *uuid.as_bytes() {
            continue;
        }
        let number = |range| <[u8; 8]>::try_from(&block[range]).unwrap_or_default();
        all = u64::from_le_bytes(number(DEVICES));
        let is_mapping = device.file_name().is_some_and(|name| name.as_bytes().starts_with(b"dm-"));
        let id = number(DEVICE_ID);
        if is_mapping || !found.contains_key(&id) {
            found.insert(id, device);
        }
    }
    Devices { paths: found.into_values().collect(), all }
}

/// The device whose LUKS header has this uuid.
fn luks_device(uuid: &str) -> Option<PathBuf> {
    block_devices().into_iter().find(|device| {
        read_at::<208>(device, 0).is_some_and(|head| {
            let its = head[168..208].split(|byte| *byte == 0).next().unwrap_or_default();
            head.starts_with(b"LUKS\xba\xbe") && its == uuid.as_bytes()
        })
    })
}

/// The block devices that the kernel knows. Opening a drive without a disk can take long, so those are left out.
fn block_devices() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/sys/class/block") else { return Vec::new() };
    let mut names: Vec<OsString> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.retain(|name| !["fd", "sr", "ram"].iter().any(|kind| name.as_bytes().starts_with(kind.as_bytes())));
    names.sort();
    // A slash in a device's name is an exclamation mark here.
    names.into_iter().map(|name| Path::new("/dev").join(slashes(&name))).collect()
}

fn slashes(name: &OsString) -> PathBuf {
    let bytes = name.as_bytes().iter().map(|byte| if *byte == b'!' { b'/' } else { *byte }).collect();
    PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes))
}

fn read_at<const LENGTH: usize>(device: &Path, offset: u64) -> Option<[u8; LENGTH]> {
    let mut block = [0; LENGTH];
    File::open(device).ok()?.read_exact_at(&mut block, offset).ok().map(|()| block)
}

/// How many use each mapping: several targets may be on one disk, and each is looked at by a thread of its own. Held while one
/// is opened or closed, so that nobody opens what another one opens.
static USED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

fn used() -> MutexGuard<'static, BTreeMap<String, usize>> {
    USED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An encrypted disk that was opened. The last one that uses it closes it.
#[derive(Debug)]
struct Mapping {
    name: String,
}

impl Mapping {
    /// Opens the disk that the pool is on; `None` when somebody else has opened it.
    fn of(luks: &Encrypted, pool: PoolUuid) -> Result<Option<Self>> {
        let name = format!("subvault-{}", luks.uuid);
        let mut used = used();
        // One that a run left behind when it was killed is ours to close.
        let is_ours = used.contains_key(&name) || Path::new("/dev/mapper").join(&name).symlink_metadata().is_ok();
        if !is_ours && !devices_of(pool).paths.is_empty() {
            return Ok(None);
        }
        if !is_ours {
            open(luks, &name)?;
        }
        *used.entry(name.clone()).or_default() += 1;
        Ok(Some(Self { name }))
    }
}

fn open(luks: &Encrypted, name: &str) -> Result<()> {
    let device = luks_device(&luks.uuid).ok_or_else(|| {
        let hint = format!("no device with the LUKS uuid {} is here", luks.uuid);
        HostError::because("find the disk", PathBuf::from("/dev"), HostErrorKind::NotFound, hint)
    })?;
    let mut key = OsString::from("--key-file=");
    key.push(&luks.key_file);
    let mut argv: Vec<OsString> = ["cryptsetup", "open", "--type", "luks", "--batch-mode"].map(Into::into).to_vec();
    argv.extend([key, device.clone().into(), OsString::from(name)]);
    let output = run(&argv, PATIENCE)?;
    if output.status.success() {
        return Ok(());
    }
    let hint = format!("cryptsetup ended with {}; is {} its key?", output.status, luks.key_file.display());
    Err(HostError::because("open the disk", device, HostErrorKind::Permission, hint))
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let mut used = used();
        if let Some(count) = used.get_mut(&self.name).filter(|count| **count > 1) {
            *count -= 1;
            return;
        }
        used.remove(&self.name);
        let close: Vec<OsString> = ["cryptsetup", "close", &self.name].map(Into::into).to_vec();
        for _ in 0..TRIES {
            match run(&close, PATIENCE) {
                Ok(output) if output.status.success() => return,
                _ => std::thread::sleep(PAUSE),
            }
        }
    }
}
