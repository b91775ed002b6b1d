//! What a measurement changes, written down before it changes it.
//!
//! Invariant: as long as the file is there, something may have to be put back. It is replaced as a whole and is on disk before
//! anything is changed. Parameters of the kernel are only set back within the same boot, and only where they still have the
//! value that was set here: after a boot the machine has its own, and what somebody else set since is theirs.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use subvault_host::{identity, sysctl};
use subvault_model::file_path::FilePath;
use subvault_plan::io_bench::trial::SysctlChange;

use crate::audit::make_directory;
use crate::error::JobError;

const NAME: &str = "bench-io.json";

/// What is changed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    boot: String,
    directory: FilePath,
    sysctls: Vec<SysctlChange>,
}

impl Record {
    pub(super) fn new(directory: &Path, sysctls: &[SysctlChange]) -> Result<Self, JobError> {
        let directory = FilePath::new(directory.as_os_str().as_bytes());
        Ok(Self { boot: identity::boot_id()?, directory, sysctls: sysctls.to_vec() })
    }

    /// Where scratch subvolumes are made.
    pub(super) fn directory(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.directory.as_bytes()))
    }

    pub(super) fn read(state: &Path) -> Result<Option<Self>, JobError> {
        let path = path(state);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JobError::file("read", path)(error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| JobError::Refused {
            what: format!("{} is not understood: {error}", path.display()),
            hint: "it tells what a measurement that was killed changed; look at it, and remove it".to_owned(),
        })
    }

    pub(super) fn write(&self, state: &Path) -> Result<(), JobError> {
        make_directory(state)?;
        let path = path(state);
        let new = path.with_extension("json.new");
        let text = serde_json::to_vec_pretty(self).map_err(|error| JobError::Bug(error.to_string()))?;
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(state)?.sync_all()
        };
        write().map_err(JobError::file("write", &path))
    }

    pub(super) fn remove(state: &Path) -> Result<(), JobError> {
        let path = path(state);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(JobError::file("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Sets parameters back that are still as they were set here; which, in words.
    pub(super) fn take_back(&self) -> Result<Vec<String>, JobError> {
        if identity::boot_id()? != self.boot {
            return Ok(Vec::new());
        }
        let mut told = Vec::new();
        for SysctlChange { set, back } in self.in_force()? {
            sysctl::write(&back.name, &back.value).map_err(|error| {
                error.with_hint(format!(
                    "{} was set for a measurement: sysctl -w {}={}",
                    set.name, back.name, back.value
                ))
            })?;
            told.push(format!("{} = {} (was still {} = {})", back.name, back.value, set.name, set.value));
        }
        Ok(told)
    }

    fn in_force(&self) -> Result<Vec<&SysctlChange>, JobError> {
        let mut found = Vec::new();
        for change in &self.sysctls {
            if change.is_in_force(&sysctl::read(&change.set.name)?) {
                found.push(change);
            }
        }
        Ok(found)
    }
}

fn path(state: &Path) -> PathBuf {
    state.join(NAME)
}

#[cfg(test)]
mod tests {
    use subvault_plan::io_bench::trial::Setting;

    use super::*;

    fn record(value: &str) -> Record {
        let setting = |value: &str| Setting { name: "vm.swappiness".to_owned(), value: value.to_owned() };
        let change = SysctlChange { set: setting(value), back: setting("60") };
        Record::new(Path::new("/pool/\u{e4}"), &[change]).unwrap()
    }

    #[test]
    fn it_comes_back_as_it_was_written_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        assert!(Record::read(&state).unwrap().is_none());
        record("1").write(&state).unwrap();
        let found = Record::read(&state).unwrap().unwrap();
        assert_eq!(found.directory(), Path::new("/pool/\u{e4}"));
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
        Record::remove(&state).unwrap();
        Record::remove(&state).unwrap();
        assert!(Record::read(&state).unwrap().is_none());
        fs::write(path(&state), "{").unwrap();
        assert!(Record::read(&state).unwrap_err().hint().unwrap().contains("remove it"));
    }

    #[test]
    fn what_somebody_else_set_since_or_another_boot_is_left_alone() {
        // No machine has this value.
        assert!(record("-7").take_back().unwrap().is_empty());
        let now = sysctl::read("vm.swappiness").unwrap();
        let before = Record { boot: "another".to_owned(), ..record(&now) };
        assert!(before.take_back().unwrap().is_empty());
        assert_eq!(sysctl::read("vm.swappiness").unwrap(), now);
    }
}
