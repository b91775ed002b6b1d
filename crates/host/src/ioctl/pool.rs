//! Calls on whole pools.

use std::os::fd::BorrowedFd;

use rustix::io::{Errno, Result};

use super::abi::{
    DEFAULT_SUBVOL, DEV_INFO, DevInfoArgs, FS_INFO, FeatureFlags, FsInfoArgs, GET_FEATURES, GET_FSLABEL, Label, Plain,
    SPACE_INFO, SYNC, SpaceArgs, SpaceInfo,
};
use super::call;

/// Identity and geometry.
pub(crate) fn fs_info(pool: BorrowedFd<'_>) -> Result<FsInfoArgs> {
    let mut args = FsInfoArgs::zeroed();
    // SAFETY: no pointers inside.
    unsafe { call(pool, &FS_INFO, &mut args) }?;
    Ok(args)
}

/// The device with this number; `None` where there is none.
pub(crate) fn device(pool: BorrowedFd<'_>, id: u64) -> Result<Option<DevInfoArgs>> {
    let mut args = DevInfoArgs::zeroed();
    args.devid = id;
    // SAFETY: no pointers inside.
    match unsafe { call(pool, &DEV_INFO, &mut args) } {
        Ok(_) => Ok(Some(args)),
        Err(Errno::NODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The pool's label, empty where it has none.
pub(crate) fn label(pool: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut args = Label::zeroed();
    // SAFETY: no pointers inside.
    unsafe { call(pool, &GET_FSLABEL, &mut args) }?;
    let end = args.0.iter().position(|byte| *byte == 0).unwrap_or(args.0.len());
    Ok(args.0[..end].to_vec())
}

/// What is allocated and used, by type and profile.
pub(crate) fn spaces(pool: BorrowedFd<'_>) -> Result<Vec<SpaceInfo>> {
    let mut args = SpaceArgs::zeroed();
    args.head.space_slots = args.spaces.len() as u64;
    // SAFETY: `space_slots` is the number of entries that follow the head.
    unsafe { call(pool, &SPACE_INFO, &mut args) }?;
    let count = usize::try_from(args.head.total_spaces).unwrap_or(usize::MAX);
    Ok(args.spaces[..count.min(args.spaces.len())].to_vec())
}

/// The features that the pool uses.
pub(crate) fn features(pool: BorrowedFd<'_>) -> Result<FeatureFlags> {
    let mut args = FeatureFlags::zeroed();
    // SAFETY: no pointers inside.
    unsafe { call(pool, &GET_FEATURES, &mut args) }?;
    Ok(args)
}

/// Writes everything out and commits.
pub(crate) fn sync(pool: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes no argument.
    unsafe { call(pool, &SYNC, &mut ()) }.map(drop)
}

/// Makes the subvolume with this number the one that is mounted when none is named.
pub(crate) fn set_default_subvolume(pool: BorrowedFd<'_>, mut id: u64) -> Result<()> {
    // SAFETY: no pointers inside.
    unsafe { call(pool, &DEFAULT_SUBVOL, &mut id) }.map(drop)
}
