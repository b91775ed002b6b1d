//! What the kernel knows about a subvolume, from either of the two places where it says so.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use jiff::Timestamp;
use subvault_model::ids::{ParentUuid, ReceivedUuid, SnapshotUuid, SubvolumeId, TransactionId};

use crate::error::{HostError, HostErrorKind, Result};
use crate::ioctl::SubvolInfoArgs;

/// `BTRFS_ROOT_SUBVOL_RDONLY`, which is another bit than the one in the flags ioctls.
const ON_DISK_READ_ONLY: u64 = 1;

/// Identity and history of a subvolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubvolumeInfo {
    /// Its number inside the pool.
    pub id: SubvolumeId,
    /// The subvolume that it lies in; `None` for the top level and for a deleted one.
    pub parent_id: Option<SubvolumeId>,
    /// The inode of the directory that it lies in, 0 where `parent_id` is `None`.
    pub directory: u64,
    /// Its name in that directory, empty where `parent_id` is `None`.
    pub name: OsString,
    /// Its identity; only what kernels before 3.6 made (the top level, mostly) has none.
    pub uuid: Option<SnapshotUuid>,
    /// What it is a snapshot of.
    pub parent_uuid: Option<ParentUuid>,
    /// What it was received from.
    pub received_uuid: Option<ReceivedUuid>,
    /// The transaction that last wrote to its tree.
    pub generation: TransactionId,
    /// The transaction of its last change.
    pub ctransid: TransactionId,
    /// The transaction that made it.
    pub otransid: TransactionId,
    /// The `ctransid` that it had where it was sent from, 0 if it was not received.
    pub stransid: TransactionId,
    /// The transaction that finished receiving it, 0 if it was not received.
    pub rtransid: TransactionId,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it is read-only; only then can it be sent or be a parent.
    pub read_only: bool,
}

impl SubvolumeInfo {
    /// Its uuid.
    ///
    /// # Errors
    /// `Unsupported` where it has none: made by a kernel before 3.6, it cannot be identified.
    pub fn identity(&self) -> Result<SnapshotUuid> {
        self.uuid.ok_or_else(|| {
            let hint = "it has no uuid, because a very old kernel made it; a snapshot of it has one";
            let kind = HostErrorKind::Unsupported;
            HostError::because("identify the subvolume", &self.name, kind, hint)
        })
    }

    pub(super) fn from_kernel(args: &SubvolInfoArgs) -> Self {
        let end = args.name.iter().position(|byte| *byte == 0).unwrap_or(args.name.len());
        Self {
            id: SubvolumeId(args.treeid),
            parent_id: (args.parent_id != 0).then_some(SubvolumeId(args.parent_id)),
            directory: args.dirid,
            name: OsString::from_vec(args.name[..end].to_vec()),
            uuid: SnapshotUuid::from_bytes(args.uuid),
            parent_uuid: ParentUuid::from_bytes(args.parent_uuid),
            received_uuid: ReceivedUuid::from_bytes(args.received_uuid),
            generation: TransactionId(args.generation),
            ctransid: TransactionId(args.ctransid),
            otransid: TransactionId(args.otransid),
            stransid: TransactionId(args.stransid),
            rtransid: TransactionId(args.rtransid),
            created: moment(args.otime.sec, args.otime.nsec),
            read_only: args.flags & ON_DISK_READ_ONLY != 0,
        }
    }

    /// Reads a root item (`struct btrfs_root_item`); where it lies is not in there.
    ///
    /// `None` for what is too short to be one and for a subvolume that is being cleaned away.
    pub(super) fn from_root_item(id: u64, item: &[u8]) -> Option<Self> {
        if read_u32(item, 216)? == 0 {
            return None;
        }
        let generation = read_u64(item, 160)?;
        // What follows is only true if the kernel that wrote the item last knew about it.
        let current = read_u64(item, 239) == Some(generation);
        let uuid = |at| if current { read_array(item, at) } else { None }.unwrap_or([0; 16]);
        let number = |at| if current { read_u64(item, at) } else { None }.unwrap_or(0);
        Some(Self {
            id: SubvolumeId(id),
            parent_id: None,
            directory: 0,
            name: OsString::new(),
            uuid: SnapshotUuid::from_bytes(uuid(247)),
            parent_uuid: ParentUuid::from_bytes(uuid(263)),
            received_uuid: ReceivedUuid::from_bytes(uuid(279)),
            generation: TransactionId(generation),
            ctransid: TransactionId(number(295)),
            otransid: TransactionId(number(303)),
            stransid: TransactionId(number(311)),
            rtransid: TransactionId(number(319)),
            created: moment(number(339), read_u32(item, 347).unwrap_or(0)),
            read_only: read_u64(item, 208)? & ON_DISK_READ_ONLY != 0,
        })
    }
}

fn moment(sec: u64, nsec: u32) -> Timestamp {
    let nsec = i32::try_from(nsec).unwrap_or(0);
    i64::try_from(sec).ok().and_then(|sec| Timestamp::new(sec, nsec).ok()).unwrap_or_default()
}

fn read_array<const N: usize>(item: &[u8], at: usize) -> Option<[u8; N]> {
    item.get(at..at + N)?.try_into().ok()
}

pub(super) fn read_u64(item: &[u8], at: usize) -> Option<u64> {
    read_array(item, at).map(u64::from_le_bytes)
}

fn read_u32(item: &[u8], at: usize) -> Option<u32> {
    read_array(item, at).map(u32::from_le_bytes)
}

pub(super) fn read_u16(item: &[u8], at: usize) -> Option<u16> {
    read_array(item, at).map(u16::from_le_bytes)
}
