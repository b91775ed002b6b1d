//! Makes a host as its strategy says: looks, lets `plan` decide, and does it step by step.
//!
//! Invariant: nothing is deleted or moved, and what somebody else wrote is left alone. Killed anywhere, what was done stays
//! done, and the rest is done the next time. A directory other than `/` as root is an image: nothing is started there.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use subvault_host::inode_attributes::Inherited;
use subvault_host::pool::Pool;
use subvault_host::subvolume::Subvolume;
use subvault_host::{HostErrorKind, process};
use subvault_model::file_path::FilePath;
use subvault_plan::apply::{ApplyStep, Attributes, FileThere, Observed, There, Wanted, WantedSubvolume};

use crate::error::JobError;

/// How long a program of systemd may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at what there is, at the places of what is wanted. `is_ours` tells of what a file holds whether it may be written anew.
///
/// # Errors
/// When something cannot be looked at.
pub fn observe(wanted: &Wanted, root: &Path, is_ours: fn(&[u8]) -> bool) -> Result<Observed, JobError> {
    Ok(Observed {
        subvolumes: wanted.subvolumes.iter().map(|subvolume| there(subvolume, root)).collect::<Result<_, _>>()?,
        files: wanted.files.iter().map(|f| file(&root.join(&f.path), &f.text, is_ours)).collect::<Result<_, _>>()?,
        units: wanted.units.iter().map(|unit| is_on(unit, root)).collect::<Result<_, _>>()?,
    })
}

fn place(root: &Path, path: &FilePath) -> PathBuf {
    root.join(path.as_path())
}

fn there(wanted: &WantedSubvolume, root: &Path) -> Result<There, JobError> {
    let path = place(root, &wanted.path);
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(root);
            return Ok(if Pool::containing(parent).is_ok() { There::Nothing } else { There::NoPlace });
        }
        Err(error) => return Err(JobError::file("look at", &path)(error)),
        Ok(found) if !found.is_dir() => return Ok(There::Other),
        Ok(_) => {}
    }
    match Subvolume::open(&path) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), HostErrorKind::NotBtrfs | HostErrorKind::Refused) => {
            return Ok(There::Other);
        }
        Err(error) => return Err(error.into()),
    }
    let inherited = Inherited::open(&path)?;
    let compression = inherited.compression()?;
    Ok(There::Subvolume(Attributes {
        is_empty: inherited.is_empty()?,
        is_nocow: inherited.is_nocow()?,
        is_compressed_so: wanted.compression.is_none_or(|word| compression.as_deref() == Some(word.as_bytes())),
    }))
}

fn file(path: &Path, text: &str, is_ours: fn(&[u8]) -> bool) -> Result<FileThere, JobError> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(FileThere::Nothing),
        Err(error) => Err(JobError::file("read", path)(error)),
        Ok(there) if there == text.as_bytes() => Ok(FileThere::Same),
        Ok(there) if is_ours(&there) => Ok(FileThere::Ours),
        Ok(_) => Ok(FileThere::Theirs),
    }
}

fn is_on(unit: &str, root: &Path) -> Result<bool, JobError> {
    Ok(systemctl(root, &["is-enabled", "--quiet", unit])?.status.success())
}

fn systemctl(root: &Path, arguments: &[&str]) -> Result<process::Output, JobError> {
    let mut argv = vec![OsString::from("systemctl")];
    if root != Path::new("/") {
        let mut option = OsString::from("--root=");
        option.push(root);
        argv.push(option);
    }
    argv.extend(arguments.iter().map(OsString::from));
    Ok(process::run(&argv, PATIENCE)?)
}

/// Does one step.
///
/// # Errors
/// When it could not be done; nothing is half done but what the step says.
pub fn perform(step: &ApplyStep, root: &Path) -> Result<(), JobError> {
    match step {
        ApplyStep::CreateSubvolume { path, .. } => create(&place(root, path)),
        ApplyStep::SetNoCow { path, .. } => Ok(Inherited::open(&place(root, path))?.set_nocow()?),
        ApplyStep::SetCompression { path, word, .. } => Ok(Inherited::open(&place(root, path))?.set_compression(word)?),
        ApplyStep::WriteFile { path, text, .. } => put(&root.join(path), text),
        // There is nobody in an image who would read them.
        ApplyStep::Reload if root != Path::new("/") => Ok(()),
        ApplyStep::Reload => {
            done(&["daemon-reload"], root)?;
            let rules = process::run(&["udevadm", "control", "--reload"].map(OsString::from), PATIENCE);
            // Where there is no udev there are no disks that come and go.
            rules
                .map(drop)
                .or_else(|error| if error.kind() == HostErrorKind::NotFound { Ok(()) } else { Err(error.into()) })
        }
        ApplyStep::EnableUnit { unit } if root == Path::new("/") => done(&["enable", "--now", unit], root),
        ApplyStep::EnableUnit { unit } => done(&["enable", unit], root),
    }
}

fn create(path: &Path) -> Result<(), JobError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(JobError::Bug(format!("no place for a subvolume: {}", path.display())));
    };
    Ok(Subvolume::create(directory, name).map(drop)?)
}

fn done(arguments: &[&str], root: &Path) -> Result<(), JobError> {
    let output = systemctl(root, arguments)?;
    if output.status.success() {
        return Ok(());
    }
    let what =
        format!("`systemctl {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Err(JobError::Refused { what, hint: "`systemctl status` and `journalctl -xe` may tell more".to_owned() })
}

/// Puts a file in place, whole or not at all.
fn put(path: &Path, text: &str) -> Result<(), JobError> {
    let write = || {
        let directory = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".subvault-new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&name)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&name, path)
    };
    write().map_err(JobError::file("write", path))
}
