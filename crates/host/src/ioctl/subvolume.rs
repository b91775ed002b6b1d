//! Calls on subvolumes: make, look at, mark, destroy.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::{Errno, Result};

use super::abi::{
    GET_SUBVOL_INFO, GET_SUBVOL_ROOTREF, INO_LOOKUP, InoLookupArgs, Plain, ReceivedArgs, RootRefArgs,
    SET_RECEIVED_SUBVOL, SNAP_CREATE_V2, SNAP_DESTROY_V2, SUBVOL_CREATE_V2, SUBVOL_GETFLAGS, SUBVOL_SETFLAGS,
    SubvolInfoArgs, VolArgs,
};
use super::{READ_ONLY, call};

/// `BTRFS_SUBVOL_SPEC_BY_ID`
const BY_ID: u64 = 1 << 4;

/// `BTRFS_FIRST_FREE_OBJECTID`, the inode of every subvolume's top.
const TOP_INODE: u64 = 256;

fn vol_args(name: &[u8]) -> Result<VolArgs> {
    let mut args = VolArgs::zeroed();
    // The last byte stays zero: the kernel reads a C string.
    if name.len() >= args.name.len() {
        return Err(Errno::NAMETOOLONG);
    }
    args.name[..name.len()].copy_from_slice(name);
    Ok(args)
}

/// An empty subvolume `name` in `dir`.
pub(crate) fn create(dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let mut args = vol_args(name)?;
    // SAFETY: no pointers inside.
    unsafe { call(dir, &SUBVOL_CREATE_V2, &mut args) }.map(drop)
}

/// A snapshot `name` of `source` in `dir`.
pub(crate) fn snapshot(dir: BorrowedFd<'_>, source: BorrowedFd<'_>, name: &[u8], read_only: bool) -> Result<()> {
    let mut args = vol_args(name)?;
    args.fd = i64::from(source.as_raw_fd());
    args.flags = if read_only { READ_ONLY } else { 0 };
    // SAFETY: no pointers inside; `source` is open for as long as the call lasts.
    unsafe { call(dir, &SNAP_CREATE_V2, &mut args) }.map(drop)
}

/// Destroys the subvolume with this id, wherever it is. Ids are never given out twice.
pub(crate) fn destroy(pool: BorrowedFd<'_>, id: u64) -> Result<()> {
    let mut args = vol_args(&id.to_ne_bytes())?;
    args.flags = BY_ID;
    // SAFETY: no pointers inside.
    unsafe { call(pool, &SNAP_DESTROY_V2, &mut args) }.map(drop)
}

/// What the kernel says about the subvolume that `fd` is in.
pub(crate) fn info(fd: BorrowedFd<'_>) -> Result<SubvolInfoArgs> {
    let mut args = SubvolInfoArgs::zeroed();
    // SAFETY: no pointers inside.
    unsafe { call(fd, &GET_SUBVOL_INFO, &mut args) }?;
    Ok(args)
}

/// Ids of the subvolumes directly inside the one that `fd` is in.
pub(crate) fn children(fd: BorrowedFd<'_>) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut args = RootRefArgs::zeroed();
    loop {
        // SAFETY: no pointers inside.
        let more = match unsafe { call(fd, &GET_SUBVOL_ROOTREF, &mut args) } {
            Ok(_) => false,
            Err(Errno::OVERFLOW) => true,
            Err(error) => return Err(error),
        };
        let count = usize::from(args.num_items).min(args.rootref.len());
        found.extend(args.rootref[..count].iter().map(|entry| entry.treeid));
        if !more {
            return Ok(found);
        }
    }
}

/// The id of the subvolume that `fd` is in.
pub(crate) fn subvolume_of(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut args = InoLookupArgs::zeroed();
    args.objectid = TOP_INODE;
    // SAFETY: no pointers inside.
    unsafe { call(fd, &INO_LOOKUP, &mut args) }?;
    Ok(args.treeid)
}

/// The path of a directory below the top of subvolume `tree`; empty or with a `/` at its end.
pub(crate) fn inode_path(pool: BorrowedFd<'_>, tree: u64, inode: u64) -> Result<Vec<u8>> {
    let mut args = InoLookupArgs::zeroed();
    args.treeid = tree;
    args.objectid = inode;
    // SAFETY: no pointers inside.
    unsafe { call(pool, &INO_LOOKUP, &mut args) }?;
    let end = args.name.iter().position(|byte| *byte == 0).unwrap_or(args.name.len());
    Ok(args.name[..end].to_vec())
}

/// The flags of the subvolume that `fd` is the top of.
pub(crate) fn flags(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut flags = 0;
    // SAFETY: no pointers inside.
    unsafe { call(fd, &SUBVOL_GETFLAGS, &mut flags) }?;
    Ok(flags)
}

/// Sets the flags of the subvolume that `fd` is the top of.
pub(crate) fn set_flags(fd: BorrowedFd<'_>, mut flags: u64) -> Result<()> {
    // SAFETY: no pointers inside.
    unsafe { call(fd, &SUBVOL_SETFLAGS, &mut flags) }.map(drop)
}

/// Notes what a subvolume was received from; gives the transaction it was noted in.
pub(crate) fn set_received(fd: BorrowedFd<'_>, uuid: [u8; 16], stransid: u64) -> Result<u64> {
    let mut args = ReceivedArgs::zeroed();
    args.uuid = uuid;
    args.stransid = stransid;
    // SAFETY: no pointers inside.
    unsafe { call(fd, &SET_RECEIVED_SUBVOL, &mut args) }?;
    Ok(args.rtransid)
}
