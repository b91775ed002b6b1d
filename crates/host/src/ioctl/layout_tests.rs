//! Compares the structures and numbers in `abi` with what the C compiler makes of the kernel's header.

use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::{offset_of, size_of};
use std::process::{Command, Stdio};

use super::abi::*;

/// C expressions and what they must be.
type Facts = Vec<(String, u64)>;

macro_rules! layout {
    ($facts:ident, $c:literal, $rust:ty $(, $($c_field:literal = $field:ident $(. $sub:ident)?),*)?) => {
        $facts.push((format!("sizeof({})", $c), size_of::<$rust>() as u64));
        $($($facts.push((
            format!("offsetof({}, {})", $c, $c_field),
            offset_of!($rust, $field $(. $sub)?) as u64,
        ));)*)?
    };
}

fn subvolume_facts(facts: &mut Facts) {
    layout!(facts, "struct btrfs_ioctl_timespec", Timespec, "nsec" = nsec);
    layout!(
        facts,
        "struct btrfs_ioctl_vol_args_v2",
        VolArgs,
        "fd" = fd,
        "transid" = transid,
        "flags" = flags,
        "unused" = unused,
        "name" = name,
        "subvolid" = name
    );
    layout!(
        facts,
        "struct btrfs_ioctl_get_subvol_info_args",
        SubvolInfoArgs,
        "treeid" = treeid,
        "name" = name,
        "parent_id" = parent_id,
        "dirid" = dirid,
        "generation" = generation,
        "flags" = flags,
        "uuid" = uuid,
        "parent_uuid" = parent_uuid,
        "received_uuid" = received_uuid,
        "ctransid" = ctransid,
        "otransid" = otransid,
        "stransid" = stransid,
        "rtransid" = rtransid,
        "ctime" = ctime,
        "otime" = otime,
        "stime" = stime,
        "rtime" = rtime,
        "reserved" = reserved
    );
    layout!(
        facts,
        "struct btrfs_ioctl_get_subvol_rootref_args",
        RootRefArgs,
        "min_treeid" = min_treeid,
        "rootref" = rootref,
        "num_items" = num_items
    );
    layout!(
        facts,
        "struct btrfs_ioctl_ino_lookup_args",
        InoLookupArgs,
        "treeid" = treeid,
        "objectid" = objectid,
        "name" = name
    );
    layout!(
        facts,
        "struct btrfs_ioctl_received_subvol_args",
        ReceivedArgs,
        "uuid" = uuid,
        "stransid" = stransid,
        "rtransid" = rtransid,
        "stime" = stime,
        "rtime" = rtime,
        "flags" = flags,
        "reserved" = reserved
    );
}

fn data_facts(facts: &mut Facts) {
    layout!(
        facts,
        "struct btrfs_ioctl_search_args_v2",
        SearchHead,
        "key.tree_id" = tree_id,
        "key.min_objectid" = min_objectid,
        "key.max_objectid" = max_objectid,
        "key.min_offset" = min_offset,
        "key.max_offset" = max_offset,
        "key.min_transid" = min_transid,
        "key.max_transid" = max_transid,
        "key.min_type" = min_type,
        "key.max_type" = max_type,
        "key.nr_items" = nr_items,
        "buf_size" = buf_size
    );
    facts.push(("offsetof(struct btrfs_ioctl_search_args_v2, buf)".into(), offset_of!(SearchArgs, buf) as u64));
    layout!(
        facts,
        "struct btrfs_ioctl_send_args",
        SendArgs,
        "send_fd" = send_fd,
        "clone_sources_count" = clone_sources_count,
        "clone_sources" = clone_sources,
        "parent_root" = parent_root,
        "flags" = flags,
        "version" = version,
        "reserved" = reserved
    );
    layout!(
        facts,
        "struct btrfs_ioctl_clone_range_args",
        CloneRangeArgs,
        "src_fd" = src_fd,
        "src_offset" = src_offset,
        "src_length" = src_length,
        "dest_offset" = dest_offset
    );
    layout!(facts, "struct iovec", IoVec, "iov_base" = base, "iov_len" = len);
    layout!(
        facts,
        "struct btrfs_ioctl_encoded_io_args",
        EncodedIoArgs,
        "iov" = iov,
        "iovcnt" = iovcnt,
        "offset" = offset,
        "flags" = flags,
        "len" = len,
        "unencoded_len" = unencoded_len,
        "unencoded_offset" = unencoded_offset,
        "compression" = compression,
        "encryption" = encryption,
        "reserved" = reserved
    );
}

fn pool_facts(facts: &mut Facts) {
    layout!(
        facts,
        "struct btrfs_ioctl_fs_info_args",
        FsInfoArgs,
        "max_id" = max_id,
        "num_devices" = num_devices,
        "fsid" = fsid,
        "nodesize" = nodesize,
        "sectorsize" = sectorsize,
        "clone_alignment" = clone_alignment,
        "csum_type" = csum_type,
        "csum_size" = csum_size,
        "flags" = flags,
        "generation" = generation,
        "metadata_uuid" = metadata_uuid
    );
    layout!(
        facts,
        "struct btrfs_ioctl_dev_info_args",
        DevInfoArgs,
        "devid" = devid,
        "uuid" = uuid,
        "bytes_used" = bytes_used,
        "total_bytes" = total_bytes,
        "path" = path
    );
    layout!(
        facts,
        "struct btrfs_ioctl_space_info",
        SpaceInfo,
        "flags" = flags,
        "total_bytes" = total_bytes,
        "used_bytes" = used_bytes
    );
    layout!(
        facts,
        "struct btrfs_ioctl_space_args",
        SpaceHead,
        "space_slots" = space_slots,
        "total_spaces" = total_spaces
    );
    facts.push(("offsetof(struct btrfs_ioctl_space_args, spaces)".into(), offset_of!(SpaceArgs, spaces) as u64));
    layout!(
        facts,
        "struct btrfs_ioctl_feature_flags",
        FeatureFlags,
        "compat_flags" = compat,
        "compat_ro_flags" = compat_ro,
        "incompat_flags" = incompat
    );
}

fn number_facts(facts: &mut Facts) {
    macro_rules! numbers {
        ($($c:literal = $op:ident),* $(,)?) => {
            $(facts.push(($c.into(), u64::from($op.opcode())));)*
        };
    }
    numbers!(
        "BTRFS_IOC_SYNC" = SYNC,
        "BTRFS_IOC_CLONE_RANGE" = CLONE_RANGE,
        "FICLONERANGE" = CLONE_RANGE,
        "BTRFS_IOC_TREE_SEARCH_V2" = TREE_SEARCH_V2,
        "BTRFS_IOC_INO_LOOKUP" = INO_LOOKUP,
        "BTRFS_IOC_DEFAULT_SUBVOL" = DEFAULT_SUBVOL,
        "BTRFS_IOC_SPACE_INFO" = SPACE_INFO,
        "BTRFS_IOC_SNAP_CREATE_V2" = SNAP_CREATE_V2,
        "BTRFS_IOC_SUBVOL_CREATE_V2" = SUBVOL_CREATE_V2,
        "BTRFS_IOC_SUBVOL_GETFLAGS" = SUBVOL_GETFLAGS,
        "BTRFS_IOC_SUBVOL_SETFLAGS" = SUBVOL_SETFLAGS,
        "BTRFS_IOC_DEV_INFO" = DEV_INFO,
        "BTRFS_IOC_FS_INFO" = FS_INFO,
        "BTRFS_IOC_SET_RECEIVED_SUBVOL" = SET_RECEIVED_SUBVOL,
        "BTRFS_IOC_SEND" = SEND,
        "BTRFS_IOC_GET_FSLABEL" = GET_FSLABEL,
        "BTRFS_IOC_GET_FEATURES" = GET_FEATURES,
        "BTRFS_IOC_GET_SUBVOL_INFO" = GET_SUBVOL_INFO,
        "BTRFS_IOC_GET_SUBVOL_ROOTREF" = GET_SUBVOL_ROOTREF,
        "BTRFS_IOC_SNAP_DESTROY_V2" = SNAP_DESTROY_V2,
        "BTRFS_IOC_ENCODED_WRITE" = ENCODED_WRITE,
    );
}

/// Has the compiler evaluate the expressions.
fn ask_the_compiler(facts: &Facts) -> Vec<u64> {
    let mut source = String::from(
        "#include <stdio.h>\n#include <stddef.h>\n#include <sys/uio.h>\n#include <linux/fs.h>\n\
         #include <linux/btrfs.h>\nint main(void) {\n",
    );
    for (expression, _) in facts {
        writeln!(source, "printf(\"%llu\\n\", (unsigned long long)({expression}));").unwrap();
    }
    source.push_str("return 0; }\n");
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("layout");
    let mut gcc = Command::new("gcc").args(["-x", "c", "-", "-o"]).arg(&program).stdin(Stdio::piped()).spawn().unwrap();
    gcc.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    assert!(gcc.wait().unwrap().success());
    let output = Command::new(&program).output().unwrap().stdout;
    String::from_utf8(output).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn structures_and_numbers_are_those_of_the_header() {
    let mut facts = Facts::new();
    subvolume_facts(&mut facts);
    data_facts(&mut facts);
    pool_facts(&mut facts);
    number_facts(&mut facts);
    let said = ask_the_compiler(&facts);
    assert_eq!(said.len(), facts.len());
    for ((expression, ours), theirs) in facts.iter().zip(said) {
        assert_eq!(*ours, theirs, "{expression}");
    }
}
