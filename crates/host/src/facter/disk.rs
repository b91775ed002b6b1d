//! A disk of a report.

use subvault_model::bytesize::ByteSize;
use subvault_model::facts::PassedOverBecause::{self, Empty};
use subvault_model::facts::{Disk, Transport};

use super::report::Device;
use crate::facts::best_id;

const BY_ID: &str = "/dev/disk/by-id/";

/// What the report calls a disk of which it knows no model.
const NO_MODEL: &str = "Disk";

/// Drivers of disks that a hypervisor makes up.
const OF_HYPERVISORS: [&str; 6] =
    ["virtio_scsi", "virtio_blk", "hv_storvsc", "vmw_pvscsi", "xen_blkfront", "xen-blkfront"];

impl Device {
    /// The kernel's name of it.
    pub(super) fn name(&self) -> Option<&str> {
        let class = self.sysfs_id.as_deref().and_then(|id| id.strip_prefix("/class/block/"));
        let node =
            || self.unix_device_names.iter().filter_map(|name| name.strip_prefix("/dev/")).find(|n| !n.contains('/'));
        class.or_else(node).filter(|name| !name.is_empty())
    }

    /// Whether there is nothing in it, like a card reader without a card.
    pub(super) fn is_empty(&self) -> Option<PassedOverBecause> {
        (self.size() == ByteSize::ZERO).then_some(Empty)
    }

    fn size(&self) -> ByteSize {
        let mut sizes = self.resources.iter().filter(|resource| resource.kind == "size");
        let sectors = sizes.find(|resource| resource.unit.as_deref() == Some("sectors"));
        let bytes = sectors.and_then(|resource| resource.value_1?.checked_mul(resource.value_2?));
        ByteSize::bytes(bytes.unwrap_or(0))
    }

    /// It as a disk of this name.
    pub(super) fn disk(&self, name: &str) -> Disk {
        let transport = self.transport(name);
        let model = self.model.as_deref().map(str::trim).filter(|model| !matches!(*model, "" | NO_MODEL));
        let ids = self.unix_device_names.iter().filter_map(|name| name.strip_prefix(BY_ID));
        Disk {
            name: name.to_owned(),
            id: best_id(ids, model),
            model: model.map(str::to_owned),
            size: self.size(),
            transport,
            // The report does not say; these cannot turn.
            is_rotational: matches!(transport, Transport::Nvme | Transport::Mmc).then_some(false),
            is_removable: transport == Transport::Usb,
            has_windows: false,
        }
    }

    fn transport(&self, name: &str) -> Transport {
        let is = |class: &str| self.class_list.iter().any(|one| one == class);
        let link = self.sysfs_device_link.as_deref().unwrap_or_default();
        let of_hypervisor = self.drivers.iter().any(|driver| OF_HYPERVISORS.contains(&driver.as_str()));
        match () {
            () if is("usb") || link.contains("/usb") => Transport::Usb,
            () if of_hypervisor || link.contains("/virtio") => Transport::Virtual,
            () if name.starts_with("vd") || name.starts_with("xvd") => Transport::Virtual,
            () if is("nvme") || name.starts_with("nvme") => Transport::Nvme,
            () if name.starts_with("mmcblk") => Transport::Mmc,
            // The report says `ide` of all that speaks ATA.
            () if is("ide") => Transport::Sata,
            () if is("scsi") => Transport::Scsi,
            () => Transport::Other,
        }
    }
}
