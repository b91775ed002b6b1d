//! Structures and numbers of `linux/btrfs.h`. Nothing but layout; `layout_tests` compares it with the header.

use std::marker::PhantomData;
use std::sync::atomic::AtomicI64;

use rustix::ioctl::{Opcode, opcode};

/// A structure that the kernel fills or reads.
///
/// # Safety
/// `#[repr(C)]`, and every pattern of bytes, all zeros among them, is a valid value.
pub(super) unsafe trait Plain: Sized {
    /// All zeros.
    fn zeroed() -> Self {
        // SAFETY: the trait's own promise.
        unsafe { std::mem::zeroed() }
    }
}

/// An ioctl's number together with the structure it works on.
pub(super) struct Op<T> {
    opcode: Opcode,
    argument: PhantomData<fn(T)>,
}

impl<T> Op<T> {
    /// # Safety
    /// The kernel reads and writes at most one `T` for this number.
    const unsafe fn new(opcode: Opcode) -> Self {
        Self { opcode, argument: PhantomData }
    }

    pub(super) const fn opcode(&self) -> Opcode {
        self.opcode
    }
}

const MAGIC: u8 = 0x94;

macro_rules! ops {
    ($($name:ident: $argument:ty = $opcode:expr;)*) => {
        // SAFETY: number and structure as paired in linux/btrfs.h; checked by `layout_tests`.
        $(pub(super) const $name: Op<$argument> = unsafe { Op::new($opcode) };)*
    };
}

ops! {
    SYNC: () = opcode::none(MAGIC, 8);
    CLONE_RANGE: CloneRangeArgs = opcode::write::<CloneRangeArgs>(MAGIC, 13);
    // The number carries the size of the fixed head alone; the buffer follows it.
    TREE_SEARCH_V2: SearchArgs = opcode::read_write::<SearchHead>(MAGIC, 17);
    INO_LOOKUP: InoLookupArgs = opcode::read_write::<InoLookupArgs>(MAGIC, 18);
    DEFAULT_SUBVOL: u64 = opcode::write::<u64>(MAGIC, 19);
    // As TREE_SEARCH_V2: the answers follow the head.
    SPACE_INFO: SpaceArgs = opcode::read_write::<SpaceHead>(MAGIC, 20);
    SNAP_CREATE_V2: VolArgs = opcode::write::<VolArgs>(MAGIC, 23);
    SUBVOL_CREATE_V2: VolArgs = opcode::write::<VolArgs>(MAGIC, 24);
    SUBVOL_GETFLAGS: u64 = opcode::read::<u64>(MAGIC, 25);
    SUBVOL_SETFLAGS: u64 = opcode::write::<u64>(MAGIC, 26);
    DEV_INFO: DevInfoArgs = opcode::read_write::<DevInfoArgs>(MAGIC, 30);
    FS_INFO: FsInfoArgs = opcode::read::<FsInfoArgs>(MAGIC, 31);
    SET_RECEIVED_SUBVOL: ReceivedArgs = opcode::read_write::<ReceivedArgs>(MAGIC, 37);
    SEND: SendArgs = opcode::write::<SendArgs>(MAGIC, 38);
    GET_FSLABEL: Label = opcode::read::<Label>(MAGIC, 49);
    GET_FEATURES: FeatureFlags = opcode::read::<FeatureFlags>(MAGIC, 57);
    GET_SUBVOL_INFO: SubvolInfoArgs = opcode::read::<SubvolInfoArgs>(MAGIC, 60);
    GET_SUBVOL_ROOTREF: RootRefArgs = opcode::read_write::<RootRefArgs>(MAGIC, 61);
    SNAP_DESTROY_V2: VolArgs = opcode::write::<VolArgs>(MAGIC, 63);
    ENCODED_WRITE: EncodedIoArgs = opcode::write::<EncodedIoArgs>(MAGIC, 64);
}

macro_rules! plain {
    ($($name:ty),* $(,)?) => {
        // SAFETY: `#[repr(C)]` integers, arrays of them and raw pointers, for which zeros are valid.
        $(unsafe impl Plain for $name {})*
    };
}

plain!(
    (),
    u64,
    VolArgs,
    SubvolInfoArgs,
    RootRefArgs,
    InoLookupArgs,
    SearchArgs,
    ReceivedArgs,
    SendArgs,
    CloneRangeArgs,
    EncodedIoArgs,
    FsInfoArgs,
    DevInfoArgs,
    SpaceArgs,
    FeatureFlags,
    Label,
);

/// `struct btrfs_ioctl_timespec`
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Timespec {
    pub(crate) sec: u64,
    pub(crate) nsec: u32,
}

/// `struct btrfs_ioctl_vol_args_v2`; the first eight bytes of `name` are the id where one is given.
#[repr(C)]
pub(super) struct VolArgs {
    pub(super) fd: i64,
    pub(super) transid: u64,
    pub(super) flags: u64,
    pub(super) unused: [u64; 4],
    pub(super) name: [u8; 4040],
}

/// `struct btrfs_ioctl_get_subvol_info_args`
#[repr(C)]
pub(crate) struct SubvolInfoArgs {
    pub(crate) treeid: u64,
    pub(crate) name: [u8; 256],
    pub(crate) parent_id: u64,
    pub(crate) dirid: u64,
    pub(crate) generation: u64,
    pub(crate) flags: u64,
    pub(crate) uuid: [u8; 16],
    pub(crate) parent_uuid: [u8; 16],
    pub(crate) received_uuid: [u8; 16],
    pub(crate) ctransid: u64,
    pub(crate) otransid: u64,
    pub(crate) stransid: u64,
    pub(crate) rtransid: u64,
    pub(crate) ctime: Timespec,
    pub(crate) otime: Timespec,
    pub(crate) stime: Timespec,
    pub(crate) rtime: Timespec,
    pub(crate) reserved: [u64; 8],
}

/// One entry of `struct btrfs_ioctl_get_subvol_rootref_args`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct RootRef {
    pub(super) treeid: u64,
    pub(super) dirid: u64,
}

/// `struct btrfs_ioctl_get_subvol_rootref_args`
#[repr(C)]
pub(super) struct RootRefArgs {
    pub(super) min_treeid: u64,
    pub(super) rootref: [RootRef; 255],
    pub(super) num_items: u8,
    pub(super) align: [u8; 7],
}

/// `struct btrfs_ioctl_ino_lookup_args`
#[repr(C)]
pub(super) struct InoLookupArgs {
    pub(super) treeid: u64,
    pub(super) objectid: u64,
    pub(super) name: [u8; 4080],
}

/// `struct btrfs_ioctl_search_key` and `buf_size` of `struct btrfs_ioctl_search_args_v2`
#[repr(C)]
pub(super) struct SearchHead {
    pub(super) tree_id: u64,
    pub(super) min_objectid: u64,
    pub(super) max_objectid: u64,
    pub(super) min_offset: u64,
    pub(super) max_offset: u64,
    pub(super) min_transid: u64,
    pub(super) max_transid: u64,
    pub(super) min_type: u32,
    pub(super) max_type: u32,
    pub(super) nr_items: u32,
    pub(super) unused: u32,
    pub(super) spare: [u64; 4],
    pub(super) buf_size: u64,
}

/// `SearchHead` and its buffer. An item is never larger than a tree block, at most 64 KiB.
#[repr(C)]
pub(super) struct SearchArgs {
    pub(super) head: SearchHead,
    pub(super) buf: [u8; 128 * 1024],
}

/// `struct btrfs_ioctl_received_subvol_args`
#[repr(C)]
pub(super) struct ReceivedArgs {
    pub(super) uuid: [u8; 16],
    pub(super) stransid: u64,
    pub(super) rtransid: u64,
    pub(super) stime: Timespec,
    pub(super) rtime: Timespec,
    pub(super) flags: u64,
    pub(super) reserved: [u64; 16],
}

/// `struct btrfs_ioctl_send_args`
#[repr(C)]
pub(super) struct SendArgs {
    pub(super) send_fd: AtomicI64,
    pub(super) clone_sources_count: u64,
    pub(super) clone_sources: *const u64,
    pub(super) parent_root: u64,
    pub(super) flags: u64,
    pub(super) version: u32,
    pub(super) reserved: [u8; 28],
}

/// `struct btrfs_ioctl_clone_range_args`, which `FICLONERANGE` takes too
#[repr(C)]
pub(super) struct CloneRangeArgs {
    pub(super) src_fd: i64,
    pub(super) src_offset: u64,
    pub(super) src_length: u64,
    pub(super) dest_offset: u64,
}

/// `struct iovec`
#[repr(C)]
pub(super) struct IoVec {
    pub(super) base: *const u8,
    pub(super) len: usize,
}

/// `struct btrfs_ioctl_encoded_io_args`
#[repr(C)]
pub(super) struct EncodedIoArgs {
    pub(super) iov: *const IoVec,
    pub(super) iovcnt: usize,
    pub(super) offset: i64,
    pub(super) flags: u64,
    pub(super) len: u64,
    pub(super) unencoded_len: u64,
    pub(super) unencoded_offset: u64,
    pub(super) compression: u32,
    pub(super) encryption: u32,
    pub(super) reserved: [u8; 64],
}

/// `struct btrfs_ioctl_fs_info_args`
#[repr(C)]
pub(crate) struct FsInfoArgs {
    pub(crate) max_id: u64,
    pub(crate) num_devices: u64,
    pub(crate) fsid: [u8; 16],
    pub(crate) nodesize: u32,
    pub(crate) sectorsize: u32,
    pub(crate) clone_alignment: u32,
    pub(crate) csum_type: u16,
    pub(crate) csum_size: u16,
    pub(crate) flags: u64,
    pub(crate) generation: u64,
    pub(crate) metadata_uuid: [u8; 16],
    pub(crate) reserved: [u8; 944],
}

/// `struct btrfs_ioctl_dev_info_args`
#[repr(C)]
pub(crate) struct DevInfoArgs {
    pub(crate) devid: u64,
    pub(crate) uuid: [u8; 16],
    pub(crate) bytes_used: u64,
    pub(crate) total_bytes: u64,
    pub(crate) unused: [u64; 379],
    pub(crate) path: [u8; 1024],
}

/// `struct btrfs_ioctl_space_info`
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct SpaceInfo {
    pub(crate) flags: u64,
    pub(crate) total_bytes: u64,
    pub(crate) used_bytes: u64,
}

/// The head of `struct btrfs_ioctl_space_args`
#[repr(C)]
pub(super) struct SpaceHead {
    pub(super) space_slots: u64,
    pub(super) total_spaces: u64,
}

/// `struct btrfs_ioctl_space_args`: kinds of data times profiles are few.
#[repr(C)]
pub(super) struct SpaceArgs {
    pub(super) head: SpaceHead,
    pub(super) spaces: [SpaceInfo; 64],
}

/// `struct btrfs_ioctl_feature_flags`
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FeatureFlags {
    pub(crate) compat: u64,
    pub(crate) compat_ro: u64,
    pub(crate) incompat: u64,
}

/// `char [FSLABEL_MAX]`
#[repr(C)]
pub(super) struct Label(pub(super) [u8; 256]);
