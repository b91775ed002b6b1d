//! Other programs, asked what they make of a file.

use std::path::Path;
use std::process::Command;

/// Whether it ended well, and all that it said.
pub(crate) fn told(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let mut told = String::from_utf8(output.stdout).unwrap();
    told.push_str(&String::from_utf8(output.stderr).unwrap());
    (output.status.success(), told)
}

/// What it printed. Anything on its standard error, or an exit code, is a failure.
pub(crate) fn asked(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaint.is_empty(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Puts a file where it belongs below a directory.
pub(crate) fn put(root: &Path, file: &subvault_render::file::RenderedFile) -> std::path::PathBuf {
    let path = root.join(&file.path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &file.text).unwrap();
    path
}

/// Files one after the other, for a golden file.
pub(crate) fn joined<'a>(files: impl IntoIterator<Item = &'a subvault_render::file::RenderedFile>) -> String {
    files.into_iter().map(|f| format!("=== {}\n{}", f.path.display(), f.text)).collect()
}
