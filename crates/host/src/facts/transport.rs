//! How a disk is attached, from the devices that it hangs on.

use std::path::Path;

use subvault_model::facts::Transport;

use super::root::Root;

/// How the disk with this directory of the kernel is attached, and whether over a network.
pub(super) struct Attached {
    pub(super) transport: Transport,
    pub(super) is_over_network: bool,
}

/// Looks along the way from the disk to the machine; the device that is nearest to the disk counts.
pub(super) fn look(root: &Root, name: &str, real: &Path) -> Attached {
    let mut attached = Attached { transport: by_name(name), is_over_network: false };
    let mut is_scsi = false;
    for above in real.ancestors().take_while(|above| above.components().count() > 2) {
        let part = above.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let subsystem = root.link(above.join("subsystem"));
        let driver = root.link(above.join("driver"));
        let subsystem = subsystem.as_deref().and_then(|name| name.to_str()).unwrap_or_default();
        attached.is_over_network |=
            subsystem == "iscsi_session" || part == "nvme-fabrics" || is_numbered(part, "session");
        is_scsi |= subsystem == "scsi";
        let found = match subsystem {
            "usb" => Some(Transport::Usb),
            "virtio" | "xen" | "vmbus" => Some(Transport::Virtual),
            "mmc" => Some(Transport::Mmc),
            "nvme" | "nvme-subsystem" => Some(Transport::Nvme),
            _ if driver.as_deref().is_some_and(|driver| driver == "vmw_pvscsi") => Some(Transport::Virtual),
            _ if is_numbered(part, "ata") => Some(Transport::Sata),
            _ => None,
        };
        if let Some(found) = found {
            attached.transport = found;
            return attached;
        }
    }
    if is_scsi {
        // A SATA disk behind a controller for SAS says so.
        let is_ata = root.text(Path::new("sys/block").join(name).join("device/vendor")).is_some_and(|v| v == "ATA");
        attached.transport = if is_ata { Transport::Sata } else { Transport::Scsi };
    }
    attached
}

/// What the name alone says.
fn by_name(name: &str) -> Transport {
    let begins = [
        ("nvme", Transport::Nvme),
        ("vd", Transport::Virtual),
        ("xvd", Transport::Virtual),
        ("mmcblk", Transport::Mmc),
        ("hd", Transport::Sata),
    ];
    begins.iter().find(|(begin, _)| name.starts_with(begin)).map_or(Transport::Other, |(_, transport)| *transport)
}

/// `ata1`, `session3`: a word and a number.
fn is_numbered(name: &str, word: &str) -> bool {
    let number = name.strip_prefix(word);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
