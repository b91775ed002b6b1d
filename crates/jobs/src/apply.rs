//! Makes a host as its strategy says: looks, lets `plan` decide, and does it step by step.
//!
//! Invariant: nothing is deleted or moved, and what somebody else wrote is left alone. Killed anywhere, what was done stays
//! done, and the rest is done the next time. A directory other than `/` as root is an image: nothing is started there, and
//! nothing outside of it is touched, wherever its links lead.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use subvault_host::inode_attributes::Inherited;
use subvault_host::inside::Inside;
use subvault_host::pool::Pool;
use subvault_host::subvolume::Subvolume;
use subvault_host::{HostErrorKind, process};
use subvault_model::file_path::FilePath;
use subvault_plan::apply::{ApplyStep, Attributes, FileThere, Observed, There, Wanted, WantedFile, WantedSubvolume};

use crate::error::JobError;

/// How long a program of systemd may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest file that is looked at: none of ours comes near.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// There where systemd runs (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

/// A system that is made as it is wanted.
#[derive(Debug)]
pub struct Site {
    root: PathBuf,
    inside: Inside,
}

impl Site {
    /// The system whose root this directory is.
    ///
    /// # Errors
    /// When it is no directory.
    pub fn open(root: &Path) -> Result<Self, JobError> {
        let whole = fs::canonicalize(root).map_err(JobError::file("open", root))?;
        Ok(Self { inside: Inside::open(&whole)?, root: whole })
    }

    /// Whether it is the system that runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Looks at what there is, at the places of what is wanted. `is_ours` tells of what a file holds whether it may be
    /// written anew.
    ///
    /// # Errors
    /// When something cannot be looked at.
    pub fn observe(&self, wanted: &Wanted, is_ours: fn(&[u8]) -> bool) -> Result<Observed, JobError> {
        Ok(Observed {
            subvolumes: wanted.subvolumes.iter().map(|subvolume| self.there(subvolume)).collect::<Result<_, _>>()?,
            files: wanted.files.iter().map(|file| self.file(file, is_ours)).collect::<Result<_, _>>()?,
            units: wanted.units.iter().map(|unit| self.is_on(unit)).collect::<Result<_, _>>()?,
        })
    }

    /// Where something is, if the directory that it is in is there and not outside.
    fn place(&self, path: &FilePath) -> Option<PathBuf> {
        let place = self.root.join(path.as_path());
        if place == self.root {
            return Some(place);
        }
        let parent = fs::canonicalize(place.parent()?).ok().filter(|parent| parent.starts_with(&self.root))?;
        Some(parent.join(place.file_name()?))
    }

    fn there(&self, wanted: &WantedSubvolume) -> Result<There, JobError> {
        let Some(path) = self.place(&wanted.path) else { return Ok(There::NoPlace) };
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let is_place = path.parent().is_some_and(|parent| Pool::containing(parent).is_ok());
                return Ok(if is_place { There::Nothing } else { There::NoPlace });
            }
            Err(error) => return Err(JobError::file("look at", &path)(error)),
            Ok(found) if !found.is_dir() => return Ok(There::Other),
            Ok(_) => {}
        }
        match Subvolume::open(&path) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), HostErrorKind::NotBtrfs | HostErrorKind::NotASubvolume) => {
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

    fn file(&self, wanted: &WantedFile, is_ours: fn(&[u8]) -> bool) -> Result<FileThere, JobError> {
        Ok(match self.inside.read(&wanted.path, FILE_BYTES_MAX)? {
            None => FileThere::Nothing,
            Some(there) if there == wanted.text.as_bytes() => FileThere::Same,
            Some(there) if is_ours(&there) => FileThere::Ours,
            Some(_) => FileThere::Theirs,
        })
    }

    fn is_on(&self, unit: &str) -> Result<bool, JobError> {
        Ok(self.systemctl(&["is-enabled", "--quiet", unit])?.status.success())
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<process::Output, JobError> {
        let mut argv = vec![OsString::from("systemctl")];
        if !self.is_running() {
            let mut option = OsString::from("--root=");
            option.push(&self.root);
            argv.push(option);
        }
        argv.extend(arguments.iter().map(OsString::from));
        Ok(process::run(&argv, PATIENCE)?)
    }

    /// Does one step.
    ///
    /// # Errors
    /// When it could not be done; nothing is half done but what the step says.
    pub fn perform(&self, step: &ApplyStep) -> Result<(), JobError> {
        match step {
            ApplyStep::CreateSubvolume { path, .. } => create(&self.existing(path)?),
            ApplyStep::SetNoCow { path, .. } => Ok(Inherited::open(&self.existing(path)?)?.set_nocow()?),
            ApplyStep::SetCompression { path, word, .. } => {
                Ok(Inherited::open(&self.existing(path)?)?.set_compression(word)?)
            }
            ApplyStep::WriteFile { path, text, .. } => {
                self.inside.make_plain_directories(path.parent().unwrap_or(Path::new("")))?;
                Ok(self.inside.replace(path, text.as_bytes())?)
            }
            ApplyStep::Reload => self.reload(),
            ApplyStep::EnableUnit { unit } if self.has_systemd() => self.done(&["enable", "--now", unit]),
            ApplyStep::EnableUnit { unit } => self.done(&["enable", unit]),
        }
    }

    fn existing(&self, path: &FilePath) -> Result<PathBuf, JobError> {
        self.place(path).ok_or_else(|| JobError::Refused {
            what: format!("the directory of /{path} is gone"),
            hint: "run it again".to_owned(),
        })
    }

    /// Whether there is somebody who runs units: not in an image, and not in every container.
    fn has_systemd(&self) -> bool {
        self.is_running() && Path::new(BOOTED).is_dir()
    }

    fn reload(&self) -> Result<(), JobError> {
        if !self.has_systemd() {
            return Ok(());
        }
        self.done(&["daemon-reload"])?;
        self.done(&["restart", "systemd-sysctl.service"])?;
        // Where there is no udev there are no disks that come and go.
        match process::run(&["udevadm", "control", "--reload"].map(OsString::from), PATIENCE) {
            Err(error) if error.kind() != HostErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn done(&self, arguments: &[&str]) -> Result<(), JobError> {
        let output = self.systemctl(arguments)?;
        if output.status.success() {
            return Ok(());
        }
        let told = output.stderr.escape_ascii().to_string();
        let what = format!("`systemctl {}` failed: {}", arguments.join(" "), told.trim_end_matches("\\n"));
        Err(JobError::Refused { what, hint: "`systemctl status` and `journalctl -xe` may tell more".to_owned() })
    }
}

fn create(path: &Path) -> Result<(), JobError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(JobError::Bug(format!("no place for a subvolume: {}", path.display())));
    };
    Ok(Subvolume::create(directory, name).map(drop)?)
}
