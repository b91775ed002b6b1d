//! What the tests of this room share.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use subvault_testkit::pool::LoopPool;

/// A name that is not UTF-8.
pub(crate) fn odd(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// A small pool.
pub(crate) fn pool() -> LoopPool {
    LoopPool::new(512 << 20, &[], &[]).unwrap()
}

/// What `btrfs` prints, as bytes.
pub(crate) fn btrfs(args: &[&OsStr]) -> Vec<u8> {
    let output = Command::new("btrfs").args(args).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "btrfs {args:?}: {complaint}");
    output.stdout
}

/// The lines of `btrfs subvolume show`, as name and value.
pub(crate) fn show(path: &Path) -> Vec<(String, String)> {
    let text = btrfs(&["subvolume".as_ref(), "show".as_ref(), path.as_os_str()]);
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// The value of one of these lines.
pub(crate) fn value<'a>(shown: &'a [(String, String)], name: &str) -> &'a str {
    let found = shown.iter().find(|(key, _)| key == name);
    &found.unwrap_or_else(|| panic!("no `{name}` in {shown:?}")).1
}

/// Bytes that do not compress.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
    }
    out.truncate(len);
    out
}

/// Every name directly in a directory.
pub(crate) fn names_in(dir: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
