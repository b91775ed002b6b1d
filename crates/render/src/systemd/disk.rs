//! The rules that start a replication when a disk appears. Disks are known by the uuid of what is on them, never by the
//! name that the kernel gave them.

use super::{Disk, DiskIdentity, NotRendered};
use crate::file::mark;

/// The text of the rules.
pub(super) fn rules(disks: &[Disk]) -> Result<String, NotRendered> {
    let mut text = mark(super::WORD);
    text.push_str("# A disk that a target is on starts its replication as soon as it is plugged in.\n");
    for disk in disks {
        let name = disk.target.as_str();
        // Everything else that the name of a target can hold is read by udev and systemd as it is.
        if name.contains('+') {
            return Err(NotRendered::UnfitName(disk.target.clone()));
        }
        let (kind, uuid) = match &disk.identity {
            DiskIdentity::Pool(uuid) => ("btrfs", uuid.to_string()),
            DiskIdentity::Luks(uuid) => ("crypto_LUKS", uuid.clone()),
        };
        if uuid.is_empty() || !uuid.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
            return Err(NotRendered::UnfitUuid(uuid));
        }
        text.push_str(&format!(
            "ACTION!=\"remove\", SUBSYSTEM==\"block\", ENV{{ID_FS_TYPE}}==\"{kind}\", ENV{{ID_FS_UUID}}==\"{uuid}\", \
            TAG+=\"systemd\", ENV{{SYSTEMD_WANTS}}+=\"subvault-replicate@{name}.service\"\n"
        ));
    }
    Ok(text)
}
