//! Which hooks were begun and not yet ended: a file each in the state directory, so that a run that dies in between does not
//! leave a server stopped for good. The next run ends them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use subvault_model::names::{GroupName, HookName};
use subvault_plan::observed::OpenHook;

use crate::audit::make_directory;
use crate::error::JobError;

/// Notes that a hook is about to begin.
///
/// # Errors
/// When that cannot be written; then it must not begin.
pub fn opening(state: &Path, group: &GroupName, hook: &HookName) -> Result<(), JobError> {
    make_directory(&of_group(state, group))?;
    let path = path(state, group, hook);
    fs::write(&path, b"").map_err(JobError::file("note the beginning of the hook", &path))
}

/// Notes that a hook has ended.
///
/// # Errors
/// When that cannot be written; then it will be ended again, by the next run.
pub fn closed(state: &Path, group: &GroupName, hook: &HookName) -> Result<(), JobError> {
    let path = path(state, group, hook);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(JobError::file("note the end of the hook", &path)(e)),
        _ => Ok(()),
    }
}

/// Whether a hook was begun and not ended, as far as is known.
#[must_use]
pub fn is_open(state: &Path, group: &GroupName, hook: &HookName) -> bool {
    path(state, group, hook).exists()
}

/// All that were begun and not ended.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn all(state: &Path) -> Result<Vec<OpenHook>, JobError> {
    let mut open = Vec::new();
    for group in names(&state.join(DIRECTORY))? {
        let Ok(group) = group.parse::<GroupName>() else { continue };
        let hooks = names(&of_group(state, &group))?.into_iter().filter_map(|hook| hook.parse().ok());
        open.extend(hooks.map(|hook| OpenHook { group: group.clone(), hook }));
    }
    Ok(open)
}

const DIRECTORY: &str = "hooks";

fn of_group(state: &Path, group: &GroupName) -> PathBuf {
    state.join(DIRECTORY).join(group.as_str())
}

fn path(state: &Path, group: &GroupName, hook: &HookName) -> PathBuf {
    of_group(state, group).join(hook.as_str())
}

fn names(directory: &Path) -> Result<Vec<String>, JobError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(JobError::file("read the directory", directory)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(JobError::file("read the directory", directory))?;
        // What is not plain text is not ours.
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
