//! Paths of the stream, and maps that are keyed by them.
//!
//! Invariant: what passed `check` cannot lead out of the directory that it is resolved in, symbolic links
//! aside, and those `resolve` does not follow. No I/O here.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::ops::Bound;

use rustix::fs::ResolveFlags;
use rustix::io::Errno;

/// How every path of a stream is looked up: below the subvolume, through real directories only.
pub(super) const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Refuses a path with a component that is none, or that means another directory.
pub(super) fn check(path: &[u8]) -> Result<(), Errno> {
    let good = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&0);
    if path.split(|byte| *byte == b'/').all(good) { Ok(()) } else { Err(Errno::INVAL) }
}

/// The directory and the name in it.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// For the kernel.
pub(super) fn c_string(name: &[u8]) -> Result<CString, Errno> {
    CString::new(name).map_err(|_| Errno::INVAL)
}

/// The keys below the directory `path`, itself not among them.
pub(super) fn below<V>(map: &BTreeMap<Vec<u8>, V>, path: &[u8]) -> Vec<Vec<u8>> {
    if map.is_empty() {
        return Vec::new();
    }
    let mut start = path.to_vec();
    start.push(b'/');
    let from = (Bound::Included(start.as_slice()), Bound::Unbounded);
    map.range::<[u8], _>(from).map(|(key, _)| key).take_while(|key| key.starts_with(&start)).cloned().collect()
}

/// Lets what is known about `from` and all below it be known about `to`.
pub(super) fn rename<V>(map: &mut BTreeMap<Vec<u8>, V>, from: &[u8], to: &[u8]) {
    let mut keys = below(map, from);
    keys.push(from.to_vec());
    for key in keys {
        if let Some(value) = map.remove(&key) {
            map.insert([to, &key[from.len()..]].concat(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for bad in ["", "/", "/a", "a/", "a//b", ".", "a/..", "../a", "a/./b", "a\0b"] {
            assert_eq!(check(bad.as_bytes()), Err(Errno::INVAL), "{bad:?}");
        }
        for good in ["a", "a/b", "...", "a/.b", "a\nb", "..a"] {
            assert_eq!(check(good.as_bytes()), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn a_rename_takes_what_is_below_along_and_nothing_else() {
        let paths = ["a", "a!", "a/b", "a/b/c", "a0", "ab"];
        let mut map: BTreeMap<Vec<u8>, &str> = paths.iter().map(|path| (path.as_bytes().to_vec(), *path)).collect();
        assert_eq!(below(&map, b"a"), [b"a/b".to_vec(), b"a/b/c".to_vec()]);
        rename(&mut map, b"a", b"x/y");
        let keys: Vec<_> = map.keys().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
        assert_eq!(keys, ["a!", "a0", "ab", "x/y", "x/y/b", "x/y/b/c"]);
        assert_eq!(map[b"x/y/b".as_slice()], "a/b");
    }
}
